package config

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkThousandServices is what a start waits for before anything else happens.
func BenchmarkThousandServices(b *testing.B) {
	var src strings.Builder
	src.WriteString("services:\n")
	for i := range 1000 {
		fmt.Fprintf(&src, "  s%d: {run: [./s, -n, \"%d\"], idleTimeout: 5m}\n", i, i)
	}
	text := []byte(src.String())
	b.ReportAllocs()
	for b.Loop() {
		cfg, faults := read(parseYAML, &builder{file: "dynapm.yaml", lookup: environment}, text, b.TempDir())
		if len(cfg.Services) != 1000 {
			b.Fatal(faults)
		}
	}
}

package actors

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// TestNobodyWaitsForWhatIsLeft: whoever watches a process of a run has no more to do when the run is another engine's.
func TestNobodyWaitsForWhatIsLeft(t *testing.T) {
	h := newHouse(t)
	var specs []Spec
	for _, name := range []string{"managed", "foreground"} {
		spec := h.memberSpec(name, "serve")
		if name == "foreground" {
			spec.Delegated = &Delegated{Start: "exec " + strings.Join(spec.Managed.Argv, " "), Dir: h.dir, Env: os.Environ()}
			spec.Managed = nil
		}
		h.wake(h.system.Spawn(spec)).Release()
		specs = append(specs, spec)
	}
	specs[0].Last, specs[1].Last = h.last(specs[0].Name), h.last(specs[1].Name)
	h.leave(specs[0])
	h.until(func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return !strings.Contains(string(stacks), ").await(")
	})
	h.open()
	for _, spec := range specs {
		spec.Found = h.found(spec.Name)
		h.wake(h.system.Spawn(spec)).Release()
	}
}

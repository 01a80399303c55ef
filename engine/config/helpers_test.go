package config

import (
	"path/filepath"
	"testing"
)

// environmentOfTests is what ${NAME} finds in these tests.
func environmentOfTests(name string) (string, bool) {
	found, ok := map[string]string{
		"PORT": "5001", "WORD": "blog", "EMPTY": "", "YES": "true", "HALF": "500",
		"HOSTILE": "x\n  evil: {run: evil}\n# \"", "DYNAPM": "/usr/bin/dynapm",
	}[name]
	return found, ok
}

// try reads src as a file of that name would be, with dir for relative paths.
func try(file, src, dir string) (*Config, Faults) {
	b := &builder{file: file, lookup: environmentOfTests}
	cfg, faults := read(fronts[filepath.Ext(file)], b, []byte(src), dir)
	_ = faults.err() // sorts
	return cfg, faults
}

func accept(t *testing.T, file, src, dir string) *Config {
	t.Helper()
	cfg, faults := try(file, src, dir)
	if len(faults) > 0 {
		t.Fatalf("%s\nhas faults:\n%v", src, faults)
	}
	return cfg
}

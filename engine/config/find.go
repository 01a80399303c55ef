package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Find says which config is meant: the value of the -config flag, else DYNAPM_CONFIG, else the one file in the
// current directory called dynapm.yaml or dynapm.config.* (with one ending: dynapm.config.example.json is no
// config, nor is an editor's backup).
func Find(flagValue string) (string, error) {
	if flagValue != "" {
		return flagValue, nil
	}
	if path := os.Getenv("DYNAPM_CONFIG"); path != "" {
		return path, nil
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		return "", fmt.Errorf("cannot look for a config in the current directory: %w", err)
	}
	var found []string
	for _, e := range entries {
		if !e.IsDir() && namesConfig(e.Name()) {
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("cannot find a config: there is no dynapm.yaml or dynapm.config.* in the current directory; " +
			"name a file with -config or DYNAPM_CONFIG")
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("cannot choose a config: the current directory has %s; name one with -config or DYNAPM_CONFIG",
		strings.Join(found, " and "))
}

func namesConfig(name string) bool {
	if name == "dynapm.yaml" {
		return true
	}
	ending := filepath.Ext(name)
	return len(ending) > 1 && !strings.HasSuffix(ending, "~") && strings.TrimSuffix(name, ending) == "dynapm.config"
}

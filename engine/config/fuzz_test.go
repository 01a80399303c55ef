package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad wants of any text, in either format, that it is read without a panic, and that it is either refused, with
// each fault at a place that exists in the text, or gives a config that keeps what config.go promises.
func FuzzLoad(f *testing.F) {
	golden, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(golden) == 0 {
		f.Fatal("no golden files", err)
	}
	for _, file := range golden {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range strings.Split("\n"+string(src), "\n=== ")[1:] {
			title, rest, _ := strings.Cut(section, "\n")
			config, _, _ := strings.Cut(rest, "~~~")
			f.Add(config, strings.HasPrefix(title, "dynapm.json"))
		}
	}
	for _, file := range []string{"full.yaml", "from-dynapm/services.yaml", "from-dynapm/services.json"} {
		src, err := os.ReadFile(filepath.Join(examples, file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src), strings.HasSuffix(file, ".json"))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, src string, json bool) {
		file := "dynapm.yaml"
		if json {
			file = "dynapm.json"
		}
		cfg, faults := try(file, src, dir)
		checkFaults(t, src, faults)
		if len(faults) == 0 {
			checkConfig(t, cfg)
		}
	})
}

func checkFaults(t *testing.T, src string, faults Faults) {
	t.Helper()
	lines := strings.Count(src, "\n") + strings.Count(src, "\r") + 2 // what is missing at the end is looked for behind it
	for i, f := range faults {
		if f.Line < 1 || f.Column < 1 || f.Line > lines {
			t.Errorf("a fault beyond the %d lines of the text: %v", lines, f)
		}
		if f.Message == "" || strings.ContainsAny(f.KeyPath, "\n\r\x00") {
			t.Errorf("a fault that cannot be printed: %q", f.Error())
		}
		if i > 0 && faults[i-1].Pos.compare(f.Pos) > 0 {
			t.Errorf("out of order: %v before %v", faults[i-1], f)
		}
	}
}

func checkConfig(t *testing.T, cfg *Config) {
	t.Helper()
	if len(cfg.Services) == 0 || cfg.HeadTimeout <= 0 || cfg.DrainTimeout <= 0 || !filepath.IsAbs(cfg.StateDir) {
		t.Errorf("not a whole config: %+v", cfg)
	}
	for _, s := range cfg.Services {
		ways := 0
		for _, way := range []bool{s.Run != nil, s.Commands != nil, s.ProxyOnly} {
			if way {
				ways++
			}
		}
		if ways != 1 || s.Base == nil && s.Run == nil || s.Run != nil && len(s.Run.Argv) == 0 {
			t.Errorf("nothing says how it runs: %+v", s)
		}
		if !nameRule.MatchString(s.Name) || !filepath.IsAbs(s.Cwd) || s.StopSignal == 0 || s.HealthCheck.Type == "" {
			t.Errorf("not a whole service: %+v", s)
		}
		if s.IdleTimeout < 0 || s.StartTimeout <= 0 || s.StopTimeout <= 0 || s.DrainTimeout <= 0 || s.ResponseTimeout <= 0 {
			t.Errorf("a duration that cannot be: %+v", s)
		}
		if len(s.Routes) == 0 && !s.Default {
			t.Errorf("nothing leads to %+v", s)
		}
	}
}

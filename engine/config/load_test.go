package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "dynapm.yml", "\xef\xbb\xbfservices:\r\n  blog:\r\n    run: [\"${DYNAPM}\", hello]\r\n")
	t.Setenv("DYNAPM", "")
	os.Unsetenv("DYNAPM")
	cfg, err := Load(filepath.Join(dir, "dynapm.yml"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.File != filepath.Join(dir, "dynapm.yml") || !reflect.DeepEqual(cfg.Services[0].Run.Argv, []string{self, "hello"}) {
		t.Errorf("got %+v", cfg)
	}
	t.Setenv("DYNAPM", "/else/where")
	if cfg, err = Load(filepath.Join(dir, "dynapm.yml")); err != nil || cfg.Services[0].Run.Argv[0] != "/else/where" {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

// TestLoadFromBeside: a relative path of the config is kept in messages, and does not change what is relative to it.
func TestLoadFromBeside(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, "sub", "dynapm.yaml", "services: {blog: {run: x}}")
	write(t, "sub", "wrong.yaml", "services: {blog: {run: x, cwd: sub}}")
	cfg, err := Load("sub/dynapm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(here, "sub"); cfg.Services[0].Cwd != want || cfg.StateDir != filepath.Join(want, ".dynapm") {
		t.Errorf("got %s and %s, want them in %s", cfg.Services[0].Cwd, cfg.StateDir, want)
	}
	_, err = Load("sub/wrong.yaml")
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 1 {
		t.Fatalf("got %v, want one fault", err)
	}
	if want := (Pos{"sub/wrong.yaml", 1, 32, "services.blog.cwd"}); faults[0].Pos != want {
		t.Errorf("the fault is at %v, want %v", faults[0].Pos, want)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.toml", "x")
	write(t, dir, "big.yaml", strings.Repeat("#", maxFileSize+1))
	write(t, dir, "latin1.yaml", "services:\n  bl\xf6g: {}\n")
	if err := os.Mkdir(filepath.Join(dir, "dir.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"config.toml": "cannot tell the format of DIR/config.toml: its name must end in .yaml, .yml or .json",
		"none.yaml":   "cannot read the config: open DIR/none.yaml: no such file or directory",
		"dir.yaml":    "cannot read the config: DIR/dir.yaml is a directory",
		"big.yaml":    "cannot read the config: DIR/big.yaml is larger than 4096 KiB",
		"latin1.yaml": "DIR/latin1.yaml:2:5: this is not UTF-8 text",
	} {
		_, err := Load(filepath.Join(dir, name))
		if err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// TestBounds: input made to exhaust the machine is refused, quickly and with its place.
func TestBounds(t *testing.T) {
	bomb := "services:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("  a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 10))
	}
	var merged strings.Builder
	merged.WriteString("x: &many {")
	for i := range 1000 {
		fmt.Fprintf(&merged, "V%d: x, ", i)
	}
	merged.WriteString("}\nservices:\n")
	for i := range 1001 {
		fmt.Fprintf(&merged, "  k%d: {run: x, env: *many}\n", i)
	}
	var stairs strings.Builder
	for i := range 2 * maxDepth {
		stairs.WriteString(strings.Repeat(" ", i) + "k:\n")
	}
	for name, c := range map[string]struct{ file, src, want string }{
		"aliases of aliases": {"a.yaml", bomb, "the aliases of this file stand for more than 1000000 values"},
		"one alias, often":   {"a.yaml", merged.String(), "the aliases of this file stand for more than 1000000 values"},
		"brackets":           {"a.yaml", strings.Repeat("[", 100_000), "nested too deeply"},
		"brackets, closed":   {"a.yaml", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), "nested too deeply"},
		"braces":             {"a.yaml", strings.Repeat("{a: ", 100_000), "nested too deeply"},
		"dashes":             {"a.yaml", strings.Repeat("- ", 100_000), "nested too deeply"},
		"questions":          {"a.yaml", strings.Repeat("? ", 100_000), "nested too deeply"},
		"stairs":             {"a.yaml", stairs.String(), "nested too deeply"},
		"tags":               {"a.yaml", strings.Repeat("!a ", 100_000), "cannot read this as YAML"},
		"anchors":            {"a.yaml", strings.Repeat("&a ", 100_000) + "x", "cannot read this as YAML"},
		"JSON brackets":      {"a.json", strings.Repeat("[", 100_000), "nested too deeply"},
		"JSON objects":       {"a.json", strings.Repeat(`{"a":`, 100_000), "nested too deeply"},
	} {
		_, faults := try(c.file, c.src, t.TempDir())
		if !strings.Contains(faults.Error(), c.want) {
			t.Errorf("%s: got %.300v, want %s", name, faults, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct {
		name, flag, env string
		files           []string
		want, problem   string
	}{
		{name: "flag", flag: "a.yaml", env: "b.yaml", files: []string{"dynapm.yaml"}, want: "a.yaml"},
		{name: "environment", env: "b.yaml", files: []string{"dynapm.yaml"}, want: "b.yaml"},
		{name: "yaml", files: []string{"dynapm.yaml", "dynapm.json", "other.yaml", "dynapm.yaml~"}, want: "dynapm.yaml"},
		{name: "json", files: []string{"dynapm.config.json", "dynapm.config.json~", "dynapm.config.example.json", "dynapm.config"}, want: "dynapm.config.json"},
		{name: "two", files: []string{"dynapm.yaml", "dynapm.config.json"},
			problem: "cannot choose a config: the current directory has dynapm.config.json and dynapm.yaml; name one with -config or DYNAPM_CONFIG"},
		{name: "none", files: []string{"dynapm.yaml/x"},
			problem: "cannot find a config: there is no dynapm.yaml or dynapm.config.* in the current directory; name a file with -config or DYNAPM_CONFIG"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv("DYNAPM_CONFIG", c.env)
			for _, f := range c.files {
				if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, ".", f, "")
			}
			got, err := Find(c.flag)
			if got != c.want || (err == nil) != (c.problem == "") || err != nil && err.Error() != c.problem {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// TestTenThousandServices: nothing is quadratic, neither in the services nor in a line's length.
func TestTenThousandServices(t *testing.T) {
	var src strings.Builder
	src.WriteString(`{"services": {`)
	for i := range 10_000 {
		fmt.Fprintf(&src, `"s%d": {"run": "x", "port": %d},`, i, 5000+i)
	}
	for _, file := range []string{"dynapm.json", "dynapm.yaml"} {
		cfg := accept(t, file, strings.TrimSuffix(src.String(), ",")+"}}", t.TempDir())
		if len(cfg.Services) != 10_000 || cfg.Services[9_999].Name != "s9999" {
			t.Errorf("%s: got %d services", file, len(cfg.Services))
		}
	}
}

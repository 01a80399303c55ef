package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// examplePorts are the ports that stand in the examples.
var examplePorts = regexp.MustCompile(`\b(3[0-9]{3}|4000|5[0-9]{3}|80[0-9]{2})\b`)

// example copies a config of examples/ with other ports, so that it can run beside others. Everything else in it is
// as it stands there.
func (w *world) example(path string) string {
	w.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", path))
	if err != nil {
		w.Fatal(err)
	}
	moved := examplePorts.ReplaceAllStringFunc(string(text), func(port string) string {
		switch port {
		case "3000":
			port = "front"
		case "4000":
			port = "admin"
		}
		return w.expand("{{port `" + port + "`}}")
	})
	if strings.HasSuffix(path, ".yaml") {
		if !strings.Contains(moved, "\nlisten:") && !strings.Contains(moved, "\nport:") {
			moved += w.expand("\nlisten: 127.0.0.1:{{port `front`}}\n")
		}
		if !strings.Contains(moved, "\nadminApi:") {
			moved += w.expand("\nadminApi: {port: {{port `admin`}}}\n")
		}
	}
	return w.write(filepath.Base(path), moved)
}

// TestQuickstart is the README's: wake it, read its greeting, see it asleep some seconds later.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.launch(w.example("quickstart.yaml"))
	e.ready()
	if r := e.get("hello.localhost", "/"); r.status != 200 || !strings.Contains(r.body, "Hello") {
		t.Errorf("got %v", r)
	}
	e.logged(`"msg":"woke"`, `"service":"hello"`, "launched", "listening", "firstByte")
	e.logged(`"msg":"stopped"`, `"service":"hello"`)
}

// TestExamplesWorkAsTheyStand, those that need nothing installed.
func TestExamplesWorkAsTheyStand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path     string
		services map[string]string // and the host of each
	}{
		{"full.yaml", map[string]string{"delegated": "delegated.localhost"}},
		{"process/dynapm.yaml", map[string]string{"hello": "hello.localhost", "shell": "shell.localhost", "fixed": "fixed.localhost"}},
		{"from-dynapm/services.yaml", map[string]string{"shop": "shop.test", "several": "several.test"}},
		{"from-dynapm/services.json", map[string]string{"shop": "shop.test", "several": "several.test"}},
	} {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			e := w.launch(w.example(c.path))
			e.ready()
			for service, host := range c.services {
				if r := e.get(host, "/"); r.status != 200 || !strings.Contains(r.body, "Hello") {
					t.Errorf("%s answered %v", service, r)
				}
				if r := e.run("stop", service, "-config", e.config); r.code != 0 {
					t.Errorf("stopping %s: %v", service, r)
				}
			}
		})
	}
}

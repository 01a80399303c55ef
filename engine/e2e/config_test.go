package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

const threeFaults = `services:
  blog:
    run: node server.js
    idleTimout: 5m
  shop:
    run: node shop.js
    startTimeout: soon
  wiki:
    base: http://127.0.0.1:8001
`

// TestConfigWithThreeFaults: three messages, each with its place, exit 1, nothing started.
func TestConfigWithThreeFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("dynapm.yaml", threeFaults)
	for _, args := range [][]string{{"check"}, {"engine"}, {"engine", "-config", "dynapm.yaml"}, {"status"}} {
		r := w.run(args...)
		lines := strings.Split(strings.TrimSpace(r.errors), "\n")
		if r.code != 1 || r.out != "" || len(lines) != 3 {
			t.Errorf("dynapm %v: %v\nwant exit 1 and three lines", args, r)
			continue
		}
		for i, want := range []struct{ at, key, says string }{
			{"dynapm.yaml:4:", "services.blog.idleTimout", "idleTimeout"},
			{"dynapm.yaml:7:", "services.shop.startTimeout", "soon"},
			{"dynapm.yaml:8:", "services.wiki", "run"},
		} {
			if !strings.HasPrefix(lines[i], want.at) || !strings.Contains(lines[i], want.key) || !strings.Contains(lines[i], want.says) {
				t.Errorf("dynapm %v, line %d: %q; want it at %s, with %s and %q", args, i+1, lines[i], want.at, want.key, want.says)
			}
		}
	}
	if entries, err := os.ReadDir(w.dir); err != nil || len(entries) != 2 {
		t.Errorf("the folder has %v (%v); want no state directory beside the config", entries, err)
	}
	w.nothingLeft()
}

func TestCheckOfAGoodConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("dynapm.yaml", "services: {blog: {run: node server.js, idleTimeout: 500}}\n")
	r := w.run("check")
	if r.code != 0 || !strings.Contains(r.out, "idleTimeout") || !strings.Contains(r.out, "good") {
		t.Errorf("dynapm check: %v; want exit 0, with a note that half a second may not be meant", r)
	}
	if r := w.run("check", "-config", "nowhere.yaml"); r.code != 1 || !strings.Contains(r.errors, "nowhere.yaml") {
		t.Errorf("a file that is not there: %v", r)
	}
}

// TestConfigIsFound without -config.
func TestConfigIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if r := w.run("check"); r.code != 1 || !strings.Contains(r.errors, "-config") {
		t.Errorf("no config anywhere: %v; want exit 1 and how to name one", r)
	}
	one := w.write("dynapm.config.json", `{"services": {"blog": {"run": "node server.js"}}}`)
	if r := w.run("check"); r.code != 0 || !strings.Contains(r.out, one) {
		t.Errorf("one in the folder: %v; want exit 0 and its name", r)
	}
	w.write("dynapm.yaml", "services: {shop: {run: node shop.js}}\n")
	if r := w.run("check"); r.code != 1 || !strings.Contains(r.errors, "dynapm.config.json") || !strings.Contains(r.errors, "dynapm.yaml") {
		t.Errorf("two in the folder: %v; want exit 1 and both names", r)
	}
	if r := w.runWith([]string{"DYNAPM_CONFIG=" + one}, "check"); r.code != 0 || !strings.Contains(r.out, one) {
		t.Errorf("DYNAPM_CONFIG: %v", r)
	}
	if r := w.runWith([]string{"DYNAPM_CONFIG=" + one}, "check", "-config", "dynapm.yaml"); r.code != 0 || !strings.Contains(r.out, "dynapm.yaml") {
		t.Errorf("-config before DYNAPM_CONFIG: %v", r)
	}
}

// TestJSONConfig: the same names in another notation, with a variable from the environment.
func TestJSONConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run, err := json.Marshal([]string{self(), "-name=${WHO:-nobody}"})
	if err != nil {
		t.Fatal(err)
	}
	e := w.launch(w.write("dynapm.config.json", fmt.Sprintf(`{
  "host": "127.0.0.1", "port": %d, "stateDir": "state", "adminApi": {"port": %d},
  "services": {"blog": {"run": %s, "base": "http://127.0.0.1:%d", "idleTimeout": 60000, "env": {"COLOUR": "blue ${HOME}"}}}
}`, w.port("front"), w.port("admin"), run, w.port("blog"))))
	e.ready()
	if got := e.ask("blog", "/"); got.Name != "nobody" {
		t.Errorf("served by %+v", got)
	}
	if env := strings.Join(e.await("nobody", "start", 1).Env, "\n"); !strings.Contains(env, "COLOUR=blue "+w.dir) {
		t.Errorf("its environment:\n%s", env)
	}
	if i := e.inspect("blog"); *i.IdleTimeout != 60000 {
		t.Errorf("idleTimeout %d; want 60000 ms", *i.IdleTimeout)
	}
}

// TestCommandsAsStrings: plain words are executed as they are, anything of the shell goes to sh.
func TestCommandsAsStrings(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  words:
    run: {{self}} -name words
    base: http://127.0.0.1:{{port "words"}}
    idleTimeout: 1h
  shell:
    run: 'GREETING="good morning" exec {{sh "shell"}} > shell.out 2>&1'
    base: http://127.0.0.1:{{port "shell"}}
    cwd: records
    idleTimeout: 1h
`)
	e.ask("words", "/")
	if i := e.inspect("words"); i.Pid != e.await("words", "start", 1).Pid {
		t.Errorf("plain words run behind a shell: the engine's pid is %d, the service's %d", i.Pid, e.await("words", "start", 1).Pid)
	}
	e.ask("shell", "/")
	start := e.await("shell", "start", 1)
	if !strings.Contains(strings.Join(start.Env, "\n"), "GREETING=good morning") || start.Dir != e.records() {
		t.Errorf("it ran in %s with\n%s", start.Dir, strings.Join(start.Env, "\n"))
	}
	if out, err := os.ReadFile(e.records() + "/shell.out"); err != nil || !strings.Contains(string(out), "shell speaks on stdout") {
		t.Errorf("its output went elsewhere: %q (%v)", out, err)
	}
}

func TestCommandLineMistakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("dynapm.yaml", "services: {blog: {run: node server.js}}\n")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"frobnicate"}, 2, "frobnicate"},
		{nil, 2, "dynapm engine"},
		{[]string{"engine", "-nonsense"}, 2, "nonsense"},
		{[]string{"engine", "extra"}, 2, "extra"},
		{[]string{"stop"}, 2, "name"},
		{[]string{"start", "a", "b"}, 2, "b"},
		{[]string{"status", "-config"}, 2, "config"},
	} {
		if r := w.run(c.args...); r.code != c.code || r.out != "" || !strings.Contains(r.errors, c.says) {
			t.Errorf("dynapm %v: %v\nwant exit %d with %q on stderr", c.args, r, c.code, c.says)
		}
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"version"}, "dynapm "},
		{[]string{"help"}, "engine"},
		{[]string{"engine", "-h"}, "-config"},
	} {
		if r := w.run(c.args...); r.code != 0 || r.errors != "" || !strings.Contains(r.out, c.says) {
			t.Errorf("dynapm %v: %v\nwant exit 0 with %q on stdout", c.args, r, c.says)
		}
	}
	if r := w.run("help"); strings.Contains(r.out, "keeper") {
		t.Errorf("the keeper is no command for people: %v", r)
	}
}

// TestAdminAPIOffLoopbackDemandsAToken before anything listens.
func TestAdminAPIOffLoopbackDemandsAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := w.config(`
adminApi: {host: 0.0.0.0, port: {{port "admin"}}}
services:
  blog: {run: {{svc "blog"}}}
`)
	if r := w.run("engine", "-config", file); r.code != 1 || !strings.Contains(r.errors, "authToken") {
		t.Errorf("without a token: %v; want exit 1 and what is missing", r)
	}
	e := w.start(`
adminApi: {host: 0.0.0.0, port: {{port "admin"}}, authToken: "0123456789abcdef"}
services:
  blog: {run: {{svc "blog"}}}
`)
	if r := e.admin("GET", api+"services", "Authorization: Bearer 0123456789abcdef"); r.status != http.StatusOK {
		t.Errorf("with its token: %v", r)
	}
}

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// occupy listens on a port of the world until release is called.
func (w *world) occupy(name string) (release func()) {
	w.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", w.port(name)))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { l.Close() })
	return func() { l.Close() }
}

// refused wants that the engine ended at once with one line that names the port and who has it.
func (e *engine) refused(port, pid int) {
	e.Helper()
	if code := e.wait(); code != 1 {
		e.Errorf("the engine exited with %d; want 1", code)
	}
	said := e.log.String()
	if strings.Count(said, "\n") != 0 || !strings.Contains(said, "cannot listen on ") ||
		!strings.Contains(said, fmt.Sprintf(":%d", port)) || !strings.Contains(said, fmt.Sprintf("pid %d ", pid)) {
		e.Errorf("the engine said %q; want one line with port %d and pid %d", said, port, pid)
	}
}

func TestOwnPortInUse(t *testing.T) {
	t.Parallel()
	const config = `
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", port: {{port "own"}}}
`
	for _, port := range []string{"front", "admin", "own"} {
		t.Run(port, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			file := w.config(config)
			release := w.occupy(port)
			e := w.launch(file)
			e.refused(w.port(port), os.Getpid())
			release()
			e.nothingLeft()
		})
	}
}

// TestASecondEngineIsTurnedAway, by the port or by the state directory, and the first does not notice.
func TestASecondEngineIsTurnedAway(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`)
	first := e.ask("blog", "/")
	second := e.run("engine", "-config", e.config)
	if second.code != 1 || !strings.Contains(second.errors, fmt.Sprintf("pid %d ", e.cmd.Process.Pid)) {
		t.Errorf("a second engine: %v; want exit 1 and the pid of the first, %d", second, e.cmd.Process.Pid)
	}
	file := e.write("other-ports.yaml", e.expand(`
listen: 127.0.0.1:{{port "other-front"}}
stateDir: {{dir}}/state
adminApi: {port: {{port "other-admin"}}}
services: {shop: {run: {{svc "shop"}}}}
`))
	third := e.run("engine", "-config", file)
	if third.code != 1 || !strings.Contains(third.errors, fmt.Sprintf("pid %d)", e.cmd.Process.Pid)) || !strings.Contains(third.errors, "stateDir") {
		t.Errorf("an engine with the same state directory: %v; want exit 1 and the pid of the first, %d", third, e.cmd.Process.Pid)
	}
	if last := e.ask("blog", "/"); last.Pid != first.Pid {
		t.Errorf("the service of the first was restarted: pid %d, then %d", first.Pid, last.Pid)
	}
}

func TestServicePortInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := w.occupy("blog")
	e := w.start(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`)
	r := e.get("blog", "/")
	if r.status != http.StatusBadGateway {
		t.Errorf("the client got %v; want 502", r)
	}
	e.leaksNothing(r)
	e.reach("blog", "failed")
	line := e.logged(`"level":"ERROR"`, `"service":"blog"`, fmt.Sprintf(":%d", e.port("blog")), fmt.Sprintf("pid %d ", os.Getpid()))
	if n := e.starts("blog"); n != 0 {
		t.Errorf("it was launched %d times beside the holder of its port; the log says %v", n, line)
	}
	release()
	e.ask("blog", "/") // the next request tries again at once
}

// TestAPortOfItsOwn: a service without base is told by $PORT where to listen, every time the same.
func TestAPortOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := fmt.Sprintf("own-%d", w.port("number")) // the port depends on the name: let no other run have the same
	e := w.start(`
services:
  ` + name + `: {run: {{svc "` + name + `"}}, idleTimeout: 300ms}
`)
	base := e.inspect(name).Base
	for n := 1; n <= 2; n++ {
		e.ask(name, "/")
		env := strings.Join(e.await(name, "start", n).Env, "\n")
		_, port, _ := strings.Cut(strings.TrimPrefix(base, "http://"), ":")
		if !strings.Contains(env, "PORT="+port) || !strings.Contains(env, "HOST=127.0.0.1") {
			t.Errorf("run %d: the base is %s, the environment\n%s", n, base, env)
		}
		e.reach(name, "stopped")
	}
}

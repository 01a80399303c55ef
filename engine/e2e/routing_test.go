package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// backend is a server of the test itself that answers with its name; the engine only proxies to it.
func backend(t *testing.T, name string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", name, r.RequestURI)
	}))
	t.Cleanup(server.Close)
	return server
}

// routed is the answer of a backend: its name and the target it saw.
func (w *world) routed(r reply, name, target string) {
	w.Helper()
	if want := name + " " + target; r.status != 200 || r.body != want {
		w.Errorf("got %v; want %q", r, want)
	}
}

// routes is a config in which each service is a backend of its own, named in capitals.
func routes(t *testing.T, config string) string {
	for _, name := range []string{"EXACT", "LITERAL", "WILD", "DEEP", "OTHER", "ROOT", "SHORT", "LONG", "PORT", "FIRST", "SECOND", "THIRD", "PREFIX"} {
		if marker := "@" + name; strings.Contains(config, marker) {
			config = strings.ReplaceAll(config, marker, backend(t, name).URL)
		}
	}
	return config
}

func TestRoutesByHost(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(routes(t, `
services:
  exact:   {host: Blog.Example.COM, base: "@EXACT", proxyOnly: true}
  literal: {host: "[::1]", base: "@LITERAL", proxyOnly: true}
  wild:    {host: "*.example.com", base: "@WILD", proxyOnly: true}
  deep:    {host: "*.deep.example.com", base: "@DEEP", proxyOnly: true}
  other:   {base: "@OTHER", proxyOnly: true, default: true}
`))
	conn, in := e.dial()
	for _, c := range []struct{ host, name string }{
		{"blog.example.com", "EXACT"},
		{"BLOG.example.COM", "EXACT"},
		{"blog.example.com:8080", "EXACT"},
		{"[::1]", "LITERAL"},
		{"[::1]:3000", "LITERAL"},
		{"[0:0::1]", "LITERAL"},
		{"shop.example.com", "WILD"},
		{"SHOP.Example.com:80", "WILD"},
		{"a.b.example.com", "WILD"},
		{"a.deep.example.com", "DEEP"},
		{"deep.example.com", "WILD"},
		{"example.com", "OTHER"}, // a wildcard is every name below, not the name itself
		{"notexample.com", "OTHER"},
		{"other.localhost", "OTHER"},
		{"[::2]", "OTHER"},
		{"192.0.2.1:3000", "OTHER"},
	} {
		e.send(conn, "GET /"+c.name+" HTTP/1.1\nHost: "+c.host+"\n\n")
		if r := e.receive(in, "GET"); r.status != 200 || r.body != c.name+" /"+c.name {
			t.Errorf("host %q: %v; want %s", c.host, r, c.name)
		}
	}
}

func TestRoutesByPath(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(routes(t, `
services:
  root:   {host: api.example.com, base: "@ROOT", proxyOnly: true}
  short:  {host: api.example.com, path: /v1, base: "@SHORT", proxyOnly: true}
  long:   {host: api.example.com, path: /v1/users, base: "@LONG", proxyOnly: true}
  prefix: {base: "@PREFIX", proxyOnly: true, routes: [{type: path, value: /static}]}
`))
	for _, c := range []struct{ host, target, name string }{
		{"api.example.com", "/", "ROOT"},
		{"api.example.com", "/v2/users", "ROOT"},
		{"api.example.com", "/v1", "SHORT"},
		{"api.example.com", "/v1/", "SHORT"},
		{"api.example.com", "/v1?x=/users", "SHORT"},
		{"api.example.com", "/v1/user", "SHORT"},
		{"api.example.com", "/v1/users", "LONG"},
		{"api.example.com", "/v1/users/7?full=1", "LONG"},
		{"api.example.com", "/V1/users", "ROOT"}, // paths are case-sensitive
		{"anything.example.org", "/static/a.css", "PREFIX"},
	} {
		e.routed(e.get(c.host, c.target), c.name, c.target)
	}
	if r := e.get("anything.example.org", "/other"); r.status != http.StatusNotFound {
		t.Errorf("a path of nobody on a host of nobody: %v; want 404", r)
	}
}

func TestRoutesByPortAndSeveralOfOneService(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(routes(t, `
services:
  own:
    host: own.example.com
    port: {{port "own"}}
    base: "@PORT"
    proxyOnly: true
  many:
    host: many.localhost
    base: "@FIRST"
    proxyOnly: true
    routes:
      - {type: host, value: many.example.com}
      - {type: host, value: second.example.com, target: "@SECOND"}
      - {type: path, value: /third, target: "@THIRD"}
      - {type: port, value: {{port "many"}}, target: "@SECOND"}
`))
	e.routed(e.get("own.example.com", "/"), "PORT", "/")
	e.routed(e.get("many.example.com", "/"), "FIRST", "/")
	e.routed(e.get("many.localhost", "/"), "FIRST", "/")
	e.routed(e.get("second.example.com", "/x"), "SECOND", "/x")
	e.routed(e.get("whatever.example.org", "/third/x"), "THIRD", "/third/x")
	for port, name := range map[string]string{"own": "PORT", "many": "SECOND"} {
		// A listener of its own takes every host and path.
		client := e.clientOf(e.port(port))
		for _, host := range []string{"own.example.com", "unknown.example.org", "many.example.com"} {
			r, err := finish(client.Get("http://" + host + "/third"))
			if err != nil {
				t.Fatal(err)
			}
			e.routed(r, name, "/third")
		}
		client.CloseIdleConnections()
	}
}

// TestRoutesOfOneServiceShareItsRun: whatever way a request comes, it wakes and meets the same process.
func TestRoutesOfOneServiceShareItsRun(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  app:
    host: app
    run: {{svc "app"}}
    base: http://localhost:{{port "app"}}
    port: {{port "app-front"}}
    idleTimeout: 1h
    routes:
      - {type: host, value: app.example.com}
      - {type: path, value: /app}
`)
	first := e.ask("app.example.com", "/")
	for _, target := range []string{"http://app/", "http://nobody.example.org/app/y"} {
		r, err := finish(e.client.Get(target))
		if err != nil {
			t.Fatal(err)
		}
		if got := e.seen(r); got.Pid != first.Pid {
			t.Errorf("%s reached pid %d; want %d", target, got.Pid, first.Pid)
		}
	}
	r, err := finish(http.Get(fmt.Sprintf("http://127.0.0.1:%d/", e.port("app-front"))))
	if err != nil {
		t.Fatal(err)
	}
	if got := e.seen(r); got.Pid != first.Pid || e.starts("app") != 1 {
		t.Errorf("its own port reached pid %d; want %d; %d starts", got.Pid, first.Pid, e.starts("app"))
	}
}

// TestListensOnIPv4AndIPv6 binds every address of both families, as ":PORT" says.
func TestListensOnIPv4AndIPv6(t *testing.T) {
	t.Parallel()
	server := backend(t, "BOTH")
	e := newWorld(t).start(`
listen: ":{{port "front"}}"
services:
  both: {base: "` + server.URL + `", proxyOnly: true, default: true}
`)
	for _, host := range []string{"127.0.0.1", "::1"} {
		r, err := finish(http.Get("http://" + net.JoinHostPort(host, fmt.Sprint(e.port("front"))) + "/"))
		if err != nil {
			t.Fatal(err)
		}
		e.routed(r, "BOTH", "/")
	}
}

// TestProxyOnlyIsNeverStartedOrStopped: it is always up for the engine, and what it cannot reach is a 502.
func TestProxyOnlyIsNeverStartedOrStopped(t *testing.T) {
	t.Parallel()
	server := backend(t, "OUTSIDE")
	e := newWorld(t).start(`
services:
  outside: {base: "` + server.URL + `", proxyOnly: true, idleTimeout: 100ms}
  nobody:  {base: "http://127.0.0.1:{{port "nobody"}}", proxyOnly: true}
  clock:   {run: {{svc "clock"}}, base: "http://127.0.0.1:{{port "clock"}}", idleTimeout: 300ms}
`)
	e.routed(e.get("outside", "/a"), "OUTSIDE", "/a")
	// Another service's sleep shows that more than the idle timeout has passed.
	e.ask("clock", "/")
	e.reach("clock", "stopped")
	i := e.inspect("outside")
	if i.State != "ready" || i.Status != "online" || !*i.ProxyOnly || i.Pid != 0 {
		t.Errorf("after its idle time it is %+v; want it online", i)
	}
	e.routed(e.get("outside", "/b"), "OUTSIDE", "/b")
	if r := e.admin("POST", api+"services/outside/stop"); r.status == http.StatusOK {
		t.Errorf("stopping it: %v; want a refusal", r)
	}
	if r := e.admin("POST", api+"services/outside/start"); r.status != http.StatusBadRequest {
		t.Errorf("starting it: %v; want 400", r)
	}
	e.routed(e.get("outside", "/c"), "OUTSIDE", "/c")
	if r := e.get("nobody", "/"); r.status != http.StatusBadGateway {
		t.Errorf("a proxied service that is not there: %v; want 502", r)
	}
}

// TestATargetThatHasNoAddress is answered at once, whether or not its service is up.
func TestATargetThatHasNoAddress(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    routes:
      - {type: host, value: blog.localhost}
      - {type: path, value: /elsewhere, target: "http://no-such-name.invalid:8000"}
    idleTimeout: 1h
`)
	for range 2 {
		if r := e.get("other.localhost", "/elsewhere"); r.status != http.StatusBadGateway {
			t.Errorf("got %v; want 502", r)
		}
		e.ask("blog.localhost", "/")
	}
}

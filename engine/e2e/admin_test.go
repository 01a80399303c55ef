package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answers wants an answer of the admin API with exactly this body.
func (e *engine) answers(r reply, status int, body string) {
	e.Helper()
	if r.status != status || strings.TrimSpace(r.body) != body {
		e.Errorf("got %v; want %d %s", r, status, body)
	}
}

const adminServices = `
services:
  blog:
    run: {{svc "blog"}}
    base: http://127.0.0.1:{{port "blog"}}
    idleTimeout: 60000
    startTimeout: 20000
    healthCheck: {type: http, url: /_/health}
  held:    {run: {{svc "held" "-start-gate=held"}}, base: "http://127.0.0.1:{{port "held"}}"}
  silent:  {run: {{svc "silent" "-mute"}}, base: "http://127.0.0.1:{{port "silent"}}", startTimeout: 500ms}
  broken:  {run: {{svc "broken" "-crash=3"}}, base: "http://127.0.0.1:{{port "broken"}}"}
  outside: {proxyOnly: true, base: "http://127.0.0.1:{{port "outside"}}"}
`

func TestAdminAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("held")
	e := w.start(adminServices)
	t.Run("list and detail", func(t *testing.T) { e.in(t).listAndDetail() })
	t.Run("start and stop", func(t *testing.T) { e.in(t).startAndStop() })
	t.Run("everything else is not found", func(t *testing.T) {
		e := e.in(t)
		for _, target := range []string{"GET /", "GET " + api, "GET " + api + "services/", "GET " + api + "nothing", "DELETE " + api + "services",
			"POST " + api + "services", "GET " + api + "services/blog/start", "PUT " + api + "services/blog/stop", "GET " + api + "services/blog/more"} {
			method, path, _ := strings.Cut(target, " ")
			e.answers(e.admin(method, path), http.StatusNotFound, "Not Found")
		}
	})
	t.Run("web pages elsewhere are refused", func(t *testing.T) {
		e := e.in(t)
		for _, header := range []string{"Host: evil.example", "Host: evil.example:4000", "Origin: http://evil.example", "Origin: null",
			"Origin: https://127.0.0.1.evil.example"} {
			if r := e.admin("POST", api+"services/blog/start", header); r.status != http.StatusForbidden {
				t.Errorf("with %s: %v; want 403", header, r)
			}
		}
		own := fmt.Sprintf("Origin: http://127.0.0.1:%d", e.port("admin"))
		if r := e.admin("GET", api+"services", own); r.status != http.StatusOK {
			t.Errorf("with its own %s: %v; want 200", own, r)
		}
	})
}

func (e *engine) listAndDetail() {
	began := time.Now().UnixMilli()
	e.ask("blog", "/")
	var list struct{ Services []map[string]any }
	r := e.admin("GET", api+"services")
	if err := json.Unmarshal([]byte(r.body), &list); err != nil || r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
		e.Fatalf("list: %v (%v)", r, err)
	}
	var names []string
	for _, s := range list.Services {
		names = append(names, s["name"].(string))
		for _, key := range []string{"base", "status", "state", "uptime", "lastAccessTime", "activeConnections", "idleTimeout", "proxyOnly"} {
			if _, found := s[key]; !found {
				e.Errorf("%s has no %s", s["name"], key)
			}
		}
	}
	if got := strings.Join(names, " "); got != "blog held silent broken outside" {
		e.Errorf("services %s; want those of the config in their order", got)
	}
	i := e.rests("blog")
	if i.Status != "online" || i.State != "ready" || i.Base != fmt.Sprintf("http://127.0.0.1:%d", e.port("blog")) || *i.ProxyOnly ||
		i.Pid != e.await("blog", "start", 1).Pid || *i.IdleTimeout != 60000 || *i.StartTimeout != 20000 || i.HealthCheck.Type != "http" ||
		*i.StartCount != 1 || i.TotalUptime == nil || *i.ActiveConnections != 0 {
		e.Errorf("detail of blog: %+v", i)
	}
	if at := *i.LastAccessTime; at < began || at > time.Now().UnixMilli() {
		e.Errorf("lastAccessTime %d is not between %d and now in ms since the epoch", at, began)
	}
	if i := e.inspect("held"); i.Status != "offline" || i.State != "stopped" || *i.Uptime != 0 || *i.LastAccessTime != 0 {
		e.Errorf("one never used is %+v", i)
	}
	if i := e.inspect("outside"); !*i.ProxyOnly || i.Status != "online" {
		e.Errorf("one that is only proxied is %+v", i)
	}
	e.answers(e.admin("GET", api+"services/nobody"), http.StatusNotFound, `{"error":"Service not found"}`)
}

func (e *engine) startAndStop() {
	post := func(action string) reply { return e.admin("POST", api+"services/"+action) }
	success := func(r reply) {
		e.Helper()
		var answer struct {
			Success bool
			Message string
		}
		if err := json.Unmarshal([]byte(r.body), &answer); err != nil || r.status != http.StatusOK || !answer.Success || answer.Message == "" {
			e.Errorf("got %v; want success and a message", r)
		}
	}
	const running, offline = `{"error":"Service is already running or starting"}`, `{"error":"Service is not online"}`

	e.answers(post("blog/start"), http.StatusBadRequest, running)
	success(post("blog/stop"))
	if i := e.inspect("blog"); i.State != "stopped" {
		e.Errorf("after stop it is %s", i.State)
	}
	e.answers(post("blog/stop"), http.StatusBadRequest, offline)
	success(post("blog/start"))
	if i := e.inspect("blog"); i.State != "ready" {
		e.Errorf("after start it is %s", i.State)
	}

	pending := e.later("GET", "held", "/", nil)
	e.parked("held", 1)
	e.answers(post("held/start"), http.StatusBadRequest, running)
	e.open("held")
	e.seen(e.outcome(pending))

	if r := post("silent/start"); r.status != http.StatusServiceUnavailable || !strings.HasPrefix(r.body, `{"error":"Service start timeout","cause":"`) ||
		!strings.Contains(r.body, "nothing listens") {
		e.Errorf("a start that takes too long: %v; want 503 in DynaPM's words, with the cause", r)
	}
	if r := post("broken/start"); r.status != http.StatusInternalServerError || !strings.Contains(r.body, `"error"`) || !strings.Contains(r.body, "exit") {
		e.Errorf("a start that fails: %v; want 500 with the cause", r)
	}
	for _, action := range []string{"nobody/start", "nobody/stop"} {
		e.answers(post(action), http.StatusNotFound, `{"error":"Service not found"}`)
	}
}

func TestAdminAPIEvents(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 300ms}
`)
	greeting := e.admin("GET", api+"events")
	var at struct{ Timestamp int64 }
	data, found := strings.CutPrefix(greeting.body, "event: connected\ndata: ")
	if err := json.Unmarshal([]byte(data), &at); !found || err != nil || at.Timestamp == 0 || greeting.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("a plain GET: %v; want the greeting alone", greeting)
	}

	request, err := http.NewRequestWithContext(t.Context(), "GET", e.adminURL("events"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	seen := newOutput()
	go seen.copy(response.Body)
	e.until("the greeting", func() bool { return seen.find("event: connected") != "" })
	e.ask("blog", "/")
	for _, state := range []string{"starting", "ready", "stopping", "stopped"} {
		e.until("the event "+state, func() bool { return seen.find(`"name":"blog"`, `"state":"`+state+`"`) != "" })
	}
	// A stream that somebody watches does not keep the engine from leaving.
	e.interrupt()
}

func TestAdminAPIWithTokenAndAllowedAddresses(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	e := newWorld(t).start(`
adminApi: {port: {{port "admin"}}, authToken: ` + token + `}
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`)
	for _, headers := range [][]string{nil, {"Authorization: Bearer wrong"}, {"Authorization: Basic " + token}, {"Authorization: " + token},
		{"Authorization: Bearer " + token + "0"}, {"Cookie: token=" + token}} {
		r := e.admin("POST", api+"services/blog/start", headers...)
		if r.status != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("with %q: %v, WWW-Authenticate %q; want 401, Bearer", headers, r, r.header.Get("WWW-Authenticate"))
		}
	}
	if r := e.admin("GET", api+"services?token="+token); r.status != http.StatusUnauthorized {
		t.Errorf("with the token in the URL: %v; want 401", r)
	}
	if r := e.admin("POST", api+"services/blog/start", "Authorization: Bearer "+token); r.status != http.StatusOK {
		t.Errorf("with the token: %v", r)
	}
	// The command line takes it from the config, or from the environment for an engine elsewhere.
	if r := e.run("status"); r.code != 0 || !strings.Contains(r.out, "blog") {
		t.Errorf("dynapm status: %v", r)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", e.port("admin"))
	if r := e.run("status", "-admin", url); r.code != 1 || !strings.Contains(r.errors, "DYNAPM_TOKEN") {
		t.Errorf("dynapm status -admin without a token: %v; want exit 1 and what to set", r)
	}
	if r := e.runWith([]string{"DYNAPM_TOKEN=" + token}, "status", "-admin", url); r.code != 0 || !strings.Contains(r.out, "blog") {
		t.Errorf("dynapm status -admin: %v", r)
	}
}

func TestAdminAPIAllowedAddresses(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
adminApi: {port: {{port "admin"}}, allowedIps: [192.0.2.1, 198.51.100.0/24]}
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}"}
`)
	for _, headers := range [][]string{nil, {"X-Forwarded-For: 192.0.2.1"}, {"X-Real-IP: 198.51.100.7"}} {
		if r := e.admin("GET", api+"services", headers...); r.status != http.StatusForbidden {
			t.Errorf("from 127.0.0.1 with %q: %v; want 403", headers, r)
		}
	}
}

func TestAdminAPISwitchedOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.launch(w.config(`
adminApi: {enabled: false, port: {{port "admin"}}}
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`))
	e.logged(`"msg":"listening"`)
	e.ask("blog", "/")
	if listening()[w.port("admin")] {
		t.Error("the admin API listens though it is switched off")
	}
	if r := w.run("status"); r.code != 1 || !strings.Contains(r.errors, "adminApi") {
		t.Errorf("dynapm status: %v; want exit 1 and why", r)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"dynapm/engine/admin"
)

// fake is an engine with one service, blog, whose verbs end as told.
type fake struct{ err error }

func (f *fake) known(name string) error {
	if name != "blog" {
		return admin.ErrNotFound
	}
	return f.err
}

func (f *fake) List(context.Context) []admin.Service {
	return []admin.Service{{Name: "blog", State: "failed", Reason: "exited with status 3"}}
}

func (f *fake) Inspect(ctx context.Context, name string) (admin.Detail, error) {
	return admin.Detail{Service: f.List(ctx)[0]}, f.known(name)
}

func (f *fake) Why(ctx context.Context, name string) (admin.Why, error) {
	return admin.Why{Service: f.List(ctx)[0]}, f.known(name)
}

func (f *fake) Start(_ context.Context, name string) error        { return f.known(name) }
func (f *fake) Stop(_ context.Context, name string, _ bool) error { return f.known(name) }
func (f *fake) Down(context.Context) error                        { return f.err }
func (f *fake) Events() (<-chan admin.Event, func())              { return nil, func() {} }

func serve(t *testing.T, control admin.Control, token string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(admin.Handler(control, admin.Options{AuthToken: token}))
	t.Cleanup(s.Close)
	return s
}

// dynapm runs a command line in this process.
func dynapm(t *testing.T, args ...string) (code int, out, errors string) {
	t.Helper()
	stdout, stderr := os.Stdout, os.Stderr
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	files := make([]*os.File, 2)
	for i := range files {
		f, err := os.Create(filepath.Join(t.TempDir(), "printed"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	os.Stdout, os.Stderr = files[0], files[1]
	code = run(args)
	var texts [2]string
	for i, f := range files {
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	return code, texts[0], texts[1]
}

// prints wants a command line to end with exactly this.
func prints(t *testing.T, args []string, code int, out, errors string) {
	t.Helper()
	if c, o, e := dynapm(t, args...); c != code || o != out || e != errors {
		t.Errorf("dynapm %s: exit %d\n%s%s\nwant exit %d\n%s%s", strings.Join(args, " "), c, o, e, code, out, errors)
	}
}

func TestWhatRemoteVerbsSay(t *testing.T) {
	const unknown = "there is no service nope; see: dynapm status\n"
	timeout := fmt.Errorf("%w: nothing listens on 127.0.0.1:1", admin.ErrStartTimeout)
	for _, c := range []struct {
		args   string
		err    error
		code   int
		out    string
		errors string
	}{
		{"start nope", nil, 1, "", "dynapm start: " + unknown},
		{"stop nope", nil, 1, "", "dynapm stop: " + unknown},
		{"restart nope", nil, 1, "", "dynapm restart: " + unknown},
		{"why nope", nil, 1, "", "dynapm why: " + unknown},
		{"why blgo", nil, 1, "", "dynapm why: there is no service blgo; did you mean blog?\n"},
		{"status nope", nil, 1, "", "dynapm status: " + unknown},
		{"start blog", timeout, 1, "", "dynapm start: " + timeout.Error() + "; see: dynapm logs blog\n"},
		{"start blog", fmt.Errorf("%w; its last output:\n  oh no", timeout), 1, "",
			"dynapm start: " + timeout.Error() + "; its last output:\n  oh no\nsee: dynapm logs blog\n"},
		{"start blog", errors.New("exit status 3"), 1, "", "dynapm start: exit status 3\n"},
		{"start blog", admin.ErrAlreadyUp, 1, "", "dynapm start: the service is already running or starting\n"},
		{"down", errors.New("cannot stop blog: it is still there"), 1, "",
			"dynapm down: cannot stop blog: it is still there; the engine leaves all the same\n"},
		{"stop -hold blog", nil, 0, "blog is stopped and held down until: dynapm start blog\n", ""},
	} {
		s := serve(t, &fake{c.err}, "")
		prints(t, append(strings.Fields(c.args), "-admin", s.URL), c.code, c.out, c.errors)
	}
}

func TestTokens(t *testing.T) {
	const next = ": set DYNAPM_TOKEN, or name the config with -config\n"
	for _, c := range []struct {
		token  string
		code   int
		errors string
	}{
		{"", 1, "dynapm stop: the admin API wants a token" + next},
		{"guessed", 1, "dynapm stop: the admin API wants a token, another than it got" + next},
		{"secret", 0, ""},
	} {
		t.Setenv("DYNAPM_TOKEN", c.token)
		s := serve(t, &fake{}, "secret")
		out := ""
		if c.code == 0 {
			out = "blog is stopped; the next request starts it\n"
		}
		// Without a scheme, as the config writes addresses.
		prints(t, []string{"stop", "blog", "-admin", s.Listener.Addr().String()}, c.code, out, c.errors)
	}
}

func TestNoEngine(t *testing.T) {
	s := serve(t, &fake{}, "")
	s.Close()
	for _, verb := range []string{"status", "down"} {
		code, _, said := dynapm(t, verb, "-admin", s.URL)
		if code != 1 || !strings.Contains(said, "no engine answers at "+s.URL) || !strings.Contains(said, "start one with") {
			t.Errorf("dynapm %s: exit %d, %s", verb, code, said)
		}
	}
}

// TestDownSpeaksWhenTheEngineHasLeft: the engine leaves only when a second connection, which looks whether it has, came.
func TestDownSpeaksWhenTheEngineHasLeft(t *testing.T) {
	s := httptest.NewUnstartedServer(admin.Handler(&fake{}, admin.Options{}))
	var connections int
	var counting sync.Mutex
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		counting.Lock()
		defer counting.Unlock()
		if state == http.StateNew {
			if connections++; connections == 2 {
				s.Listener.Close()
			}
		}
	}
	s.Start()
	defer s.Close()
	prints(t, []string{"down", "-admin", s.URL}, 0, "all services are stopped, the engine has left\n", "")
	if conn, err := net.Dial("tcp", s.Listener.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it was said to have left, and can be connected to: %v, %v", conn, err)
	}
}

func TestDownOfAnEngineThatDoesNotLeave(t *testing.T) {
	s := serve(t, &fake{}, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := awaitLeft(ctx, admin.Client{Base: s.URL})
	if want := "all services are stopped; the engine is still leaving"; err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

func TestLogs(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "dynapm.yaml")
	write := func(path, text string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, `
stateDir: state
services:
  new:     {run: sleep 1, base: "http://127.0.0.1:9001"}
  silent:  {run: sleep 1, base: "http://127.0.0.1:9002"}
  chatty:  {run: sleep 1, base: "http://127.0.0.1:9003"}
  outside: {proxyOnly: true, base: "http://127.0.0.1:9004"}
`)
	write(filepath.Join(folder, "state", "logs", "silent.log"), "")
	write(filepath.Join(folder, "state", "logs", "chatty.log"), "hello\n")
	for _, c := range []struct {
		name   string
		code   int
		out    string
		errors string
	}{
		{"new", 0, "", "new has printed nothing yet; see: dynapm status new\n"},
		{"silent", 0, "", "silent has printed nothing yet; see: dynapm status silent\n"},
		{"chatty", 0, "hello\n", ""},
		{"outside", 1, "", "dynapm logs: outside is only proxied: the engine does not start it, and has no output of it\n"},
		{"chaty", 1, "", "dynapm logs: there is no service chaty; did you mean chatty?\n"},
		{"nope", 1, "", "dynapm logs: there is no service nope; see: dynapm status\n"},
	} {
		prints(t, []string{"logs", "-config", file, c.name}, c.code, c.out, c.errors)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct{ verb, line, flag string }{
		{"stop", "usage: dynapm stop [-hold] NAME\n", "  -hold\n"},
		{"status", "usage: dynapm status [-json] [NAME]\n", "  -json\n"},
		{"down", "usage: dynapm down\n", "  -admin URL\n"},
	} {
		if code, out, _ := dynapm(t, c.verb, "-h"); code != 0 || !strings.HasPrefix(out, c.line) || !strings.Contains(out, c.flag) {
			t.Errorf("dynapm %s -h: exit %d\n%s\nwant %s%s", c.verb, code, out, c.line, c.flag)
		}
		if code, _, said := dynapm(t, c.verb, "-nope"); code != 2 || !strings.HasSuffix(said, "\n"+c.line) {
			t.Errorf("dynapm %s -nope: exit %d\n%s\nwant at its end %s", c.verb, code, said, c.line)
		}
	}
}

func TestHangupIsLeftIgnored(t *testing.T) {
	hangup := syscall.SIGHUP
	if signal.Ignored(hangup) {
		t.Skip("the tests themselves were started with SIGHUP ignored")
	}
	if !slices.Contains(leavingSignals(), os.Signal(hangup)) {
		t.Error("SIGHUP does not make the engine leave")
	}
	signal.Ignore(hangup)
	defer signal.Reset(hangup)
	if slices.Contains(leavingSignals(), os.Signal(hangup)) {
		t.Error("SIGHUP makes an engine leave that was started with nohup")
	}
}

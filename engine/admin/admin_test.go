package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// fake is a Control with one service, blog, whose start and stop end as told.
type fake struct {
	err    error
	held   bool
	downed bool
	events chan Event
}

func (f *fake) List(context.Context) []Service { return []Service{{Name: "blog", Status: "offline"}} }

func (f *fake) Inspect(_ context.Context, name string) (Detail, error) {
	if name != "blog" {
		return Detail{}, ErrNotFound
	}
	return Detail{Service: Service{Name: name}, StartCount: 3}, nil
}

func (f *fake) Why(_ context.Context, name string) (Why, error) {
	if name != "blog" {
		return Why{}, ErrNotFound
	}
	return Why{Decisions: []Decision{{State: "stopped", Reason: "idle"}}}, nil
}

func (f *fake) Start(_ context.Context, name string) error {
	if name != "blog" {
		return ErrNotFound
	}
	return f.err
}

func (f *fake) Stop(_ context.Context, name string, hold bool) error {
	f.held = hold
	return f.Start(context.Background(), name)
}

func (f *fake) Down(context.Context) error { f.downed = true; return f.err }

func (f *fake) Events() (<-chan Event, func()) { return f.events, func() {} }

func serve(t *testing.T, control Control, o Options) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(Handler(control, o))
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, s *httptest.Server, method, path string, change func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body strings.Builder
	if _, err := bufio.NewReader(res.Body).WriteTo(&body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(body.String()), res.Header
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		method, path string
		err          error
		status       int
		want         string
	}{
		{"GET", "services", nil, 200, `{"services":[{"name":"blog",`},
		{"GET", "services/blog", nil, 200, `"startCount":3`},
		{"GET", "services/none", nil, 404, `{"error":"Service not found"}`},
		{"POST", "services/blog/start", nil, 200, `{"success":true,"message":"service blog started"}`},
		{"POST", "services/none/start", nil, 404, `{"error":"Service not found"}`},
		{"POST", "services/blog/start", ErrAlreadyUp, 400, `{"error":"Service is already running or starting"}`},
		{"POST", "services/blog/start", fmt.Errorf("%w: nothing listens", ErrStartTimeout), 503, `{"error":"Service start timeout","cause":"nothing listens"}`},
		{"POST", "services/blog/start", ErrStartTimeout, 503, `{"error":"Service start timeout"}`},
		{"POST", "services/blog/start", errors.New("exit status 3"), 500, `{"error":"exit status 3"}`},
		{"POST", "services/blog/stop", nil, 200, `{"success":true,"message":"service blog stopped"}`},
		{"POST", "services/blog/stop", fmt.Errorf("blog: %w", ErrNotUp), 400, `{"error":"Service is not online","cause":"blog: the service is not running"}`},
		{"POST", "services/blog/stop", ErrNotUp, 400, `{"error":"Service is not online"}`},
		{"POST", "down", nil, 200, `"success":true`},
		{"GET", "services/blog/start", nil, 404, "Not Found"},
		{"POST", "services", nil, 404, "Not Found"},
		{"GET", "services/", nil, 404, "Not Found"},
		{"GET", "services//start", nil, 404, "Not Found"},
		{"GET", "", nil, 404, "Not Found"},
		{"DELETE", "events", nil, 404, "Not Found"},
		{"GET", "events", nil, 200, "event: connected\ndata: {\"timestamp\":"},
	} {
		s := serve(t, &fake{err: c.err}, Options{})
		status, body, _ := ask(t, s, c.method, prefix+c.path, nil)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s with %v: %d %s, want %d %s", c.method, c.path, c.err, status, body, c.status, c.want)
		}
	}
}

func TestWhoMayAsk(t *testing.T) {
	const path = prefix + "services"
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	for _, c := range []struct {
		name   string
		o      Options
		change func(*http.Request)
		status int
	}{
		{"loopback", Options{}, nil, 200},
		{"localhost", Options{}, host("localhost:4000"), 200},
		{"IPv6", Options{}, host("[::1]:4000"), 200},
		{"a rebound name", Options{}, host("evil.example.com:4000"), 403},
		{"no Host", Options{}, host("evil"), 403},
		{"the configured name", Options{Host: "box.lan"}, host("box.lan:4000"), 200},
		{"a page elsewhere", Options{}, header("Origin", "http://evil.example.com"), 403},
		{"a sandboxed page", Options{}, header("Origin", "null"), 403},
		{"no token", Options{AuthToken: "secret"}, nil, 401},
		{"a wrong token", Options{AuthToken: "secret"}, header("Authorization", "Bearer secre"), 401},
		{"the token without its scheme", Options{AuthToken: "secret"}, header("Authorization", "secret"), 401},
		{"the token", Options{AuthToken: "secret"}, header("Authorization", "Bearer secret"), 200},
		{"the token with its scheme in capitals", Options{AuthToken: "secret"}, header("Authorization", "BEARER  secret"), 200},
		{"the token under another scheme", Options{AuthToken: "secret"}, header("Authorization", "Basic secret"), 401},
		{"an address inside", Options{AllowedIPs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil, 200},
		{"an address outside", Options{AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, nil, 403},
		{"a claimed address", Options{AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, header("X-Forwarded-For", "10.0.0.1"), 403},
	} {
		status, _, answered := ask(t, serve(t, &fake{}, c.o), "GET", path, c.change)
		if status != c.status {
			t.Errorf("%s: %d, want %d", c.name, status, c.status)
		}
		if status == 401 && answered.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: WWW-Authenticate is %q, want Bearer", c.name, answered.Get("WWW-Authenticate"))
		}
	}
}

func TestEventsStream(t *testing.T) {
	control := &fake{events: make(chan Event, 1)}
	s := serve(t, control, Options{})
	control.events <- Event{Service: "blog", Status: "online", State: "ready", At: time.UnixMilli(7)}
	close(control.events)
	_, body, _ := ask(t, s, "GET", prefix+"events", func(r *http.Request) { r.Header.Set("Accept", "text/event-stream") })
	if want := "event: state\ndata: {\"name\":\"blog\",\"status\":\"online\",\"state\":\"ready\",\"timestamp\":7}"; !strings.Contains(body, want) {
		t.Errorf("the stream is\n%s\nwant in it\n%s", body, want)
	}
}

// TestClient shows that the client gives back what Control said.
func TestClient(t *testing.T) {
	control := &fake{}
	s := serve(t, control, Options{AuthToken: "secret"})
	client, ctx := Client{Base: s.URL, Token: "secret"}, t.Context()
	if list, err := client.List(ctx); err != nil || len(list) != 1 || list[0].Name != "blog" {
		t.Errorf("List: %v, %v", list, err)
	}
	if d, err := client.Inspect(ctx, "blog"); err != nil || d.StartCount != 3 {
		t.Errorf("Inspect: %v, %v", d, err)
	}
	if w, err := client.Why(ctx, "blog"); err != nil || len(w.Decisions) != 1 || w.Decisions[0].Reason != "idle" {
		t.Errorf("Why: %v, %v", w, err)
	}
	if _, err := client.Why(ctx, "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Why of an unknown service: %v", err)
	}
	if err := client.Stop(ctx, "blog", true); err != nil || !control.held {
		t.Errorf("Stop with hold: %v, held %v", err, control.held)
	}
	if err := client.Down(ctx); err != nil || !control.downed {
		t.Errorf("Down: %v, down %v", err, control.downed)
	}
	for _, want := range []error{ErrAlreadyUp, ErrStartTimeout, fmt.Errorf("%w: nothing listens", ErrStartTimeout), errors.New("exit status 3")} {
		control.err = want
		var failed *Failure
		if err := client.Start(ctx, "blog"); !errors.As(err, &failed) || err.Error() != want.Error() || failed.Known != nil && !errors.Is(want, failed.Known) {
			t.Errorf("Start: %v, want %v", err, want)
		}
		if err := client.Start(ctx, "blog"); errors.Is(err, ErrStartTimeout) != errors.Is(want, ErrStartTimeout) {
			t.Errorf("Start: %v, want %v", err, want)
		}
	}
	if err := client.Start(ctx, "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Start of an unknown service: %v", err)
	}
	if err := (Client{Base: s.URL}).Down(ctx); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("Down without the token: %v, want it refused", err)
	}
	ended, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("enough"))
	if _, err := client.List(ended); err != context.Cause(ended) {
		t.Errorf("List that is broken off: %v", err)
	}
	if err := client.Left(ended); err != context.Cause(ended) {
		t.Errorf("Left of an engine that stays: %v", err)
	}
	s.Close()
	if err := client.Left(ctx); err != nil {
		t.Errorf("Left of one that is gone: %v", err)
	}
	if _, err := client.List(ctx); !errors.Is(err, ErrNoEngine) {
		t.Errorf("List without an engine: %v", err)
	}
}

package loadtest

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// late is how late the events of the tests' servers are, by their own account.
const late = 200 * time.Millisecond

// holdOf runs hold against a server.
func holdOf(t testing.TB, url string, clients int) *Report {
	t.Helper()
	r := newRun(scenario{name: "hold"}, options{url: url, clients: clients, duration: 500 * time.Millisecond}, nil)
	if err := r.hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r.report
}

// beat calls send with the time of each event until it fails or ctx ends.
func beat(ctx context.Context, send func(due time.Time) error) {
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticks.C:
			if send(now.Add(-late)) != nil {
				return
			}
		}
	}
}

func TestHoldServerSentEvents(t *testing.T) {
	t.Parallel()
	steadily(t, func(t *trial) {
		var opened atomic.Int64
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := opened.Add(1)
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			http.NewResponseController(w).Flush()
			if n == 2 {
				return // it ends
			}
			beat(r.Context(), func(due time.Time) error {
				fmt.Fprintf(w, "event: tick\ndata: {\"n\":12,\"due\":%d}\n\n", due.UnixNano())
				return http.NewResponseController(w).Flush()
			})
		}))
		defer s.Close()
		r := holdOf(t, s.URL, 10)
		if *r.Results[0].Streams != (Streams{Asked: 10, Opened: 9, Held: 8, Outstanding: r.Results[0].Streams.Outstanding}) {
			t.Errorf("streams %+v", *r.Results[0].Streams)
		}
		got := r.Results[0]
		if got.Errors["status 503"] != 1 || got.Errors["a stream that ended"] != 1 || got.Failed != 2 {
			t.Errorf("errors %v", got.Errors)
		}
		if got.Requests-got.Failed < 8 || got.Latency.Min < millis(int64(late))*0.99 {
			t.Errorf("%d events, the least late by %v ms; want %v", got.Requests, got.Latency.Min, late)
		}
	})
}

func TestHoldWebSockets(t *testing.T) {
	t.Parallel()
	steadily(t, func(t *trial) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			ctx := conn.CloseRead(r.Context())
			beat(ctx, func(due time.Time) error {
				return conn.Write(ctx, websocket.MessageText, fmt.Append(nil, due.UnixMicro()))
			})
		}))
		defer s.Close()
		r := holdOf(t, "ws"+strings.TrimPrefix(s.URL, "http"), 8)
		got := r.Results[0]
		if *r.Results[0].Streams != (Streams{Asked: 8, Opened: 8, Held: 8, Outstanding: r.Results[0].Streams.Outstanding}) || got.Failed != 0 || got.Requests < 8 || got.Latency.Min < millis(int64(late))*0.99 {
			t.Errorf("streams %+v, errors %v, %d events, the least late by %v ms", *r.Results[0].Streams, got.Errors, got.Requests, got.Latency.Min)
		}
	})
}

// TestHoldOverTLS: events and WebSockets, of a server whose authority is trusted by the flag.
func TestHoldOverTLS(t *testing.T) {
	t.Parallel()
	steadily(t, func(t *trial) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host != "example.com" || r.TLS.ServerName != "example.com" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			if r.URL.Path == "/socket" {
				if conn, err := websocket.Accept(w, r, nil); err == nil {
					ctx := conn.CloseRead(r.Context())
					beat(ctx, func(due time.Time) error {
						return conn.Write(ctx, websocket.MessageText, fmt.Append(nil, due.UnixMicro()))
					})
				}
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			beat(r.Context(), func(due time.Time) error {
				fmt.Fprintf(w, "data: %d\n\n", due.UnixMicro())
				return http.NewResponseController(w).Flush()
			})
		}))
		s.Config.ErrorLog = quiet
		s.StartTLS()
		defer s.Close()
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		for _, url := range []string{s.URL, "wss" + strings.TrimPrefix(s.URL, "https") + "/socket"} {
			r := newRun(scenario{name: "hold"}, options{url: url, host: "example.com", roots: roots, clients: 4, duration: 500 * time.Millisecond}, nil)
			if err := r.hold(t.Context()); err != nil {
				t.Errorf("%s: %v", url, err)
				continue
			}
			if got := r.report.Results[0]; got.URL != url || got.Streams.Held != 4 || got.Failed != 0 || got.Requests < 4 {
				t.Errorf("%s: %+v, errors %v", url, got.Streams, got.Errors)
			}
		}
	})
}

func TestDueTime(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_800_000_000_123)
	for data, want := range map[string]bool{
		" 1800000000123": true, `{"id":7,"t":1800000000123}`: true, "1800000000123000": true, "12 1800000000123000000": true,
		"": false, "12": false, "180000000012": false, "18000000001230000000001": false,
	} {
		if got, ok := dueTime(data); ok != want || ok && !got.Equal(at) {
			t.Errorf("%q: %v, %v", data, got, ok)
		}
	}
}

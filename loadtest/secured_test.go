package loadtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// crumbs is a listener whose connections write a few bytes at a time, so that no record comes in one piece.
type crumbs struct{ net.Listener }

type crumbled struct{ net.Conn }

func (l crumbs) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return crumbled{c}, err
}

func (c crumbled) Write(data []byte) (int, error) {
	for from := 0; from < len(data); from += 97 {
		if n, err := c.Conn.Write(data[from:min(from+97, len(data))]); err != nil {
			return from + n, err
		}
	}
	return len(data), nil
}

// serveTLS runs a TLS server for a test, and gives it as a target that trusts it. Its certificate is for example.com.
func serveTLS(t *testing.T, handler http.HandlerFunc, change func(*httptest.Server)) *target {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = quiet
	if change != nil {
		change(s)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	to, err := newTarget(s.URL, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	to.tls.RootCAs = x509.NewCertPool()
	to.tls.RootCAs.AddCert(s.Certificate())
	return to
}

// TestTLSKeepsItsConnections: bodies of one record and of many, in pieces of any size, on as many connections as there
// are clients, each with the name of the Host field.
func TestTLSKeepsItsConnections(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789abcdef", 5_000)
	for name, c := range map[string]struct {
		body    string
		trickle bool
	}{"small": {"hello", false}, "large": {large, false}, "trickled": {large[:5000], true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opened, named atomic.Int64
			to := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Host == "example.com" && r.TLS.ServerName == "example.com" {
					named.Add(1)
				}
				io.WriteString(w, c.body)
			}, func(s *httptest.Server) {
				if c.trickle {
					s.Listener = crumbs{s.Listener}
				}
				s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
					if state == http.StateNew {
						opened.Add(1)
					}
				}
			})
			to.expect = &body{[]byte(c.body)}
			rec := load(t, to, 8, closedLoop{bound{requests: 200}})
			if rec.latency.TotalCount() != 200 || rec.failed != 0 || opened.Load() != 8 || named.Load() != 200 {
				t.Errorf("%d answered, %v, %d connections, %d by name", rec.latency.TotalCount(), rec.errors, opened.Load(), named.Load())
			}
		})
	}
}

// TestTLSConnectionsAreReplaced: each request has a handshake of its own where the server closes after each.
func TestTLSConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	to := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }, nil)
	if rec := load(t, to, 4, closedLoop{bound{requests: 50}}); rec.failed != 0 || rec.count() != 50 {
		t.Errorf("%d requests, errors %v", rec.count(), rec.errors)
	}
}

// TestTLSErrors are counted as those of the handshake.
func TestTLSErrors(t *testing.T) {
	t.Parallel()
	strange := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, nil)
	strange.tls.RootCAs = x509.NewCertPool()
	other := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, nil)
	other.tls.ServerName = "example.net"
	client := serveTLS(t, func(http.ResponseWriter, *http.Request) {}, func(s *httptest.Server) {
		s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	})
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	plain.tls = &tls.Config{ServerName: "example.com"}
	for _, c := range []struct {
		to   *target
		kind string
	}{
		{strange, "TLS handshake: tls: failed to verify certificate: x509"},
		{other, "TLS handshake: tls: failed to verify certificate: x509: certificate is valid for example.com"},
		{plain, "TLS handshake: tls: first record does not look like a TLS handshake"},
		{client, "receive: remote error: tls: certificate required"},
	} {
		rec := load(t, c.to, 2, closedLoop{bound{requests: 4}})
		if rec.failed != 4 || len(rec.errors) != 1 {
			t.Errorf("errors %v; want 4 times %q", rec.errors, c.kind)
		}
		for kind := range rec.errors {
			if !strings.HasPrefix(kind, c.kind) {
				t.Errorf("%q; want %q", kind, c.kind)
			}
		}
	}
}

// TestTLSHandshakeWithoutAnswer ends with the patience of the client, or with the run.
func TestTLSHandshakeWithoutAnswer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to := targetOf(t, "https://"+l.Addr().String())
	gen, err := newGenerator(to, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer gen.close()
	gen.patience = 300 * time.Millisecond
	if err := gen.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	rec := newRecorder(now, 0)
	if err := gen.run(t.Context(), closedLoop{bound{requests: 3}}, rec, now); err != nil {
		t.Fatal(err)
	}
	if rec.errors["no answer within 300ms"] != 3 || rec.count() != 3 {
		t.Errorf("errors %v", rec.errors)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	gen.patience = time.Hour
	gen.tick = func(time.Time) {
		if gen.busy == 3 {
			cancel()
		}
	}
	if err := gen.run(ctx, closedLoop{}, rec, time.Now()); err != nil || rec.count() != 3 || gen.cutShort != 3 {
		t.Errorf("interrupted: %v, errors %v, %d cut short", err, rec.errors, gen.cutShort)
	}
}

// TestTrustByFlag: the server's own authority, anybody, or, without a word, nobody that the machine does not know.
func TestTrustByFlag(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	s.Config.ErrorLog = quiet
	s.StartTLS()
	defer s.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ flags, wrong string }{
		{"-cacert " + authority, ""},
		{"-cacert " + authority + " -host example.com", ""},
		{"-cacert " + authority + " -host example.net", "not example.net"},
		{"-insecure -host example.net", ""},
		{"", "-cacert FILE says whom to trust"},
	} {
		r, err := runFlags(t, "latency -n 20 -d 0 -warmup 0 -url "+s.URL+" "+c.flags)
		switch {
		case c.wrong == "" && (err != nil || r.Results[0].Requests != 20 || r.Results[0].Failed != 0):
			t.Errorf("%q: %v", c.flags, err)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%q: %v; want %q", c.flags, err, c.wrong)
		}
	}
}

package probe

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestHTTP(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	port := portOf(t, address)
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/sick":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/head":
			if r.Method != http.MethodHead || r.Host != "blog.example.com" || r.Header.Get("X-Check") != "1" {
				w.WriteHeader(http.StatusTeapot)
			}
		case "/long":
			w.Write(make([]byte, 4*maxBody))
		case "/cut":
			panic(http.ErrAbortHandler)
		}
	})
	for _, tc := range []struct {
		name  string
		check Check
		want  string
	}{
		{"default", Check{}, ""},
		{"path", Check{URL: "/ok"}, ""},
		{"localhost", Check{URL: "http://localhost:" + port + "/ok"}, ""},
		{"no port", Check{URL: "http://localhost/ok"}, ""},
		{"the other loopback", Check{URL: "http://[::1]:" + port + "/ok"}, ""},
		{"below localhost", Check{URL: "http://blog.localhost/ok"}, ""},
		{"long", Check{URL: "/long"}, ""},
		{"method, host and header", Check{URL: "/head", Method: "HEAD", Host: "blog.example.com", Header: http.Header{"X-Check": {"1"}}}, ""},
		{"range", Check{URL: "/sick", StatusMin: 200, StatusMax: 599}, ""},
		{"redirect wanted", Check{URL: "/moved", StatusMin: 302}, ""},
		{"redirect", Check{URL: "/moved"}, "http://" + address + "/moved answered 302, want 200"},
		{"sick", Check{URL: "/sick"}, "http://" + address + "/sick answered 503, want 200"},
		{"out of range", Check{URL: "/sick", StatusMin: 200, StatusMax: 399}, "http://" + address + "/sick answered 503, want 200 to 399"},
		{"cut", Check{URL: "/cut"}, "http://" + address + "/cut closed the connection without an answer"},
		{"another port", Check{URL: "http://localhost:1/"}, "http://localhost:1/ did not answer: "},
	} {
		tc.check.Kind = HTTP
		r := tryOnce(t, []string{address}, tc.check, nil)
		switch {
		case r.Address != address || r.Listening.IsZero():
			t.Errorf("%s: %+v", tc.name, r)
		case tc.want == "" && r.Err != nil, tc.want != "" && (r.Err == nil || !strings.HasPrefix(r.Err.Error(), tc.want)):
			t.Errorf("%s: %v, want %q", tc.name, r.Err, tc.want)
		}
	}
}

// It listens at once and is well only later.
func TestHTTPGetsWell(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	var asked atomic.Int32
	began := time.Now()
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 10 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r := Wait(long(t), []string{l.Addr().String()}, Check{Kind: HTTP}, nil)
	if r.Err != nil || asked.Load() != 10 || r.Listening.Before(began) || r.Listening.After(time.Now()) {
		t.Errorf("%+v after %d", r, asked.Load())
	}
}

// One that accepts and says nothing costs a try its timeout, and no more.
func TestHTTPSilent(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	r := tryOnce(t, []string{l.Addr().String()}, Check{Kind: HTTP, Timeout: 300 * time.Millisecond}, nil)
	if want := "http://" + l.Addr().String() + "/ did not answer within 300ms"; r.Err == nil || r.Err.Error() != want {
		t.Errorf("%v, want %s", r.Err, want)
	}
}

// Two servers, one port, one loopback each: the one that answers well is told,
// and if none does, what the one that listens said.
func TestHTTPOnBothLoopbacks(t *testing.T) {
	needIPv6(t)
	first := listen(t, freeAddress(t))
	port := portOf(t, first.Addr().String())
	second := listen(t, net.JoinHostPort("::1", port))
	serve(t, first, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotFound) })
	serve(t, second, func(w http.ResponseWriter, r *http.Request) {})
	candidates, err := Candidates("localhost:" + port)
	if err != nil {
		t.Fatal(err)
	}
	r := Wait(long(t), candidates, Check{Kind: HTTP}, nil)
	if r.Err != nil || r.Address != second.Addr().String() {
		t.Errorf("%+v", r)
	}
	r = tryOnce(t, []string{second.Addr().String(), first.Addr().String()}, Check{Kind: HTTP, StatusMin: 201}, nil)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "answered 200, want 201") {
		t.Error(r.Err)
	}
	r = tryOnce(t, []string{"127.0.0.1:1", first.Addr().String()}, Check{Kind: HTTP}, nil)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "answered 404, want 200") {
		t.Error(r.Err)
	}
}

// The check is on a port of its own; the address is still the service's.
func TestHTTPOnAnotherPort(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	health := listen(t, "127.0.0.1:0")
	serve(t, health, func(w http.ResponseWriter, r *http.Request) {})
	for _, host := range []string{"localhost", "127.0.0.1", "blog.localhost"} {
		url := "http://" + host + ":" + portOf(t, health.Addr().String()) + "/"
		r := Wait(long(t), []string{l.Addr().String()}, Check{Kind: HTTP, URL: url}, nil)
		if r.Err != nil || r.Address != l.Addr().String() {
			t.Errorf("%s: %+v", url, r)
		}
	}
}

// Who answers an https check is verified, as the service itself is.
func TestHTTPS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	address := server.Listener.Addr().String()
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	for _, tc := range []struct {
		name string
		tls  *tls.Config
		want string
	}{
		{"trusted", &tls.Config{RootCAs: trusted}, ""},
		{"another name that it has", &tls.Config{RootCAs: trusted, ServerName: "example.com"}, ""},
		{"anybody", &tls.Config{InsecureSkipVerify: true, ServerName: "app.internal"}, ""},
		{"nothing said", nil, "certificate signed by unknown authority"},
		{"the system's", &tls.Config{}, "certificate signed by unknown authority"},
		{"another name", &tls.Config{RootCAs: trusted, ServerName: "app.internal"}, "not app.internal"},
	} {
		r := tryOnce(t, []string{address}, Check{Kind: HTTP, URL: "https://" + address + "/", TLS: tc.tls}, nil)
		if tc.want == "" && r.Err != nil || tc.want != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.name, r.Err, tc.want)
		}
	}
	plain := listen(t, "127.0.0.1:0")
	serve(t, plain, func(http.ResponseWriter, *http.Request) {})
	address = plain.Addr().String()
	r := tryOnce(t, []string{address}, Check{Kind: HTTP, URL: "https://" + address + "/"}, nil)
	if r.Err == nil || !strings.Contains(r.Err.Error(), "first record does not look like a TLS handshake") {
		t.Errorf("no TLS: %v", r.Err)
	}
}

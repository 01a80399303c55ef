package netio

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// secureRig is a rig whose backend at address speaks TLS; what it logs can be read.
func secureRig(t *testing.T, address string, config *tls.Config, change ...func(*Options)) (*rig, *lines) {
	t.Helper()
	log := &lines{}
	change = append(change, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(log, nil)) })
	r := newRig(t, address, change...)
	r.service().change(func(b *Backend) { b.TLS = config })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("it logged %q", log)
		}
	})
	return r, log
}

// lines is a log that a test reads.
type lines struct {
	mu   sync.Mutex
	text string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += string(p)
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

// secureHandler starts a net/http server that speaks TLS.
func secureHandler(t testing.TB, config *tls.Config, f http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: f, TLSConfig: config, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go s.ServeTLS(l, "", "")
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// A securePeer is a connection of a backend that speaks TLS. Its TCPConn is what lies below.
type securePeer struct {
	*peer
	secure *tls.Conn
}

func (p *securePeer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.secure, text); err != nil {
		p.t.Fatalf("cannot send %.80q: %v", text, err)
	}
}

// secureScripted is scripted for a backend that speaks TLS.
func secureScripted(t testing.TB, config *tls.Config) (address string, accept func() *securePeer) {
	address, plain := scripted(t)
	return address, func() *securePeer {
		t.Helper()
		return plain().secured(config)
	}
}

// secured makes the handshake of a server.
func (p *peer) secured(config *tls.Config) *securePeer {
	p.t.Helper()
	secure := tls.Server(p.TCPConn, config)
	if err := secure.Handshake(); err != nil {
		p.t.Fatalf("the handshake failed: %v", err)
	}
	p.r.Reset(secure)
	return &securePeer{p, secure}
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	seen := make(chan *tls.ConnectionState, 8)
	address := secureHandler(t, a.good("app.internal"), func(w http.ResponseWriter, q *http.Request) {
		seen <- q.TLS
		io.WriteString(w, q.Header.Get("X-Forwarded-Proto")+" ")
		tell(w, q)
	})
	r, _ := secureRig(t, address, a.trusted("app.internal"), func(o *Options) { o.Splicers = 1 })
	c := r.dial()
	for n := range 3 {
		if n > 0 {
			bridgesAtRest(t, 1)
		}
		c.send("POST /a? HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi")
		c.wantReply("POST", 200, "http POST a.example /a? [hi]")
		if s := <-seen; s.ServerName != "app.internal" || s.NegotiatedProtocol != "http/1.1" {
			t.Errorf("it was asked for %q and %q", s.ServerName, s.NegotiatedProtocol)
		}
	}
	if n := r.Counters(); n.BackendConnects != 1 || n.BackendReuses != 2 {
		t.Errorf("got %+v", n)
	}
}

// TestTLSIsVerified: whoever answers in the place of the backend gets nothing of the request, and the log says once
// what is wrong.
func TestTLSIsVerified(t *testing.T) {
	a := newAuthority(t)
	past, later := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	other := a.good()
	other.NextProtos = []string{"imap"}
	for name, tc := range map[string]struct {
		server, client *tls.Config
		want           string
	}{
		"trusted by nobody": {a.issue(later), &tls.Config{ServerName: "127.0.0.1"}, "x509: certificate signed by unknown authority"},
		"another authority": {newAuthority(t).issue(later), a.trusted("127.0.0.1"), "x509: certificate signed by unknown authority"},
		"expired":           {a.issue(past), a.trusted("127.0.0.1"), "x509: certificate has expired or is not yet valid: it is for "},
		"another name":      {a.issue(later, "other.internal"), a.trusted("app.internal"), "x509: certificate is valid for other.internal, not app.internal"},
		"another protocol":  {other, a.trusted("127.0.0.1"), "remote error: tls: no application protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			address := backend(t, func(p *peer) {
				// The client judges behind the server's back: to that the handshake may have gone well.
				if n, err := tls.Server(p.TCPConn, tc.server).Read(make([]byte, 1)); n > 0 || err == nil {
					t.Error("the request was sent")
				}
			})
			r, log := secureRig(t, address, tc.client)
			r.service().change(func(b *Backend) { b.RetryUntil = time.Now().Add(patience) }) // no time makes it good
			c := r.dial()
			for range 2 {
				c.send(get("/"))
				c.wantReply("GET", 502, "502 Bad Gateway\n")
			}
			if got := r.service().backend.Load().Trouble(); !strings.Contains(got, tc.want) {
				t.Errorf("the trouble is %q, want %q", got, tc.want)
			}
			r.Close()
			if got := log.String(); strings.Count(got, tc.want) != 1 || strings.Count(got, "\n") != 1 {
				t.Errorf("logged %q, want one line with %q", got, tc.want)
			}
			if n := r.Counters(); n.Errors.Connect != 2 || n.Retries != 0 {
				t.Errorf("got %+v", n)
			}
		})
	}
}

func TestTLSUnverified(t *testing.T) {
	a := newAuthority(t)
	address := secureHandler(t, a.issue(time.Now().Add(-time.Hour), "other.internal"), tell)
	r, _ := secureRig(t, address, &tls.Config{ServerName: "app.internal", InsecureSkipVerify: true})
	c := r.dial()
	c.send(get("/"))
	c.wantReply("GET", 200, "GET a.example / []")
}

// TestTLSFails with backends that do not get as far as a certificate.
func TestTLSFails(t *testing.T) {
	for name, tc := range map[string]struct {
		address string
		status  int
		body    string
		want    string
	}{
		"nobody listens":  {freeAddress(t), 502, "502 Bad Gateway\n", "the connection failed: connect: connection refused"},
		"no TLS":          {echo(t), 502, "502 Bad Gateway\n", "the TLS handshake failed: the other side does not speak TLS"},
		"closes at once":  {shy(t, 1), 502, "502 Bad Gateway\n", "the TLS handshake failed: the other side closed the connection"},
		"says nothing":    {backend(t, func(p *peer) { io.Copy(io.Discard, p) }), 504, "504 Gateway Timeout\n", "the TLS handshake took longer than"},
		"speaks nonsense": {backend(t, func(p *peer) { p.send(strings.Repeat("nonsense", 1000)) }), 502, "502 Bad Gateway\n", "the other side does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			r, log := secureRig(t, tc.address, newAuthority(t).trusted("127.0.0.1"), func(o *Options) {
				if tc.status == 504 {
					o.Timeouts.Connect = short
				}
			})
			c, tries := r.dial(), int64(0)
			eventually(t, "the handshake was begun in time", func() bool {
				tries++
				c.send(get("/"))
				c.wantReply("GET", tc.status, tc.body)
				r.settle() // the trouble is noted behind the answer
				return !strings.Contains(r.service().backend.Load().Trouble(), "the connection took longer")
			})
			n, failed := r.Counters().Errors, tries
			if tc.status == 504 {
				failed = 0
			}
			if n.ConnectTimeout != tries-failed || n.Connect != failed {
				t.Errorf("got %+v", n)
			}
			r.Close()
			if got := log.String(); !strings.Contains(got, tc.want) {
				t.Errorf("logged %q, want %q", got, tc.want)
			}
		})
	}
}

// TestTLSRecovers: a backend that can be reached again is in no trouble any more, and new trouble is told anew.
func TestTLSRecovers(t *testing.T) {
	a := newAuthority(t)
	config := a.issue(time.Now().Add(-time.Hour))
	var mu sync.Mutex
	address := secureHandler(t, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		return config, nil
	}}, func(w http.ResponseWriter, q *http.Request) { w.Header().Set("Connection", "close"); tell(w, q) })
	use := func(c *tls.Config) {
		mu.Lock()
		defer mu.Unlock()
		config = c
	}
	r, log := secureRig(t, address, a.trusted("127.0.0.1"), func(o *Options) { o.Splicers = 1 })
	b := r.service().backend.Load()
	expired := config
	for range 2 {
		use(expired)
		c := r.dial()
		c.send(get("/"))
		c.wantReply("GET", 502, "502 Bad Gateway\n")
		use(a.good())
		c.send(get("/"))
		c.wantReply("GET", 200, "GET a.example / []")
		if b.Trouble() != "" {
			t.Errorf("it still is in trouble: %s", b.Trouble())
		}
	}
	r.Close()
	if got := log.String(); strings.Count(got, "expired") != 2 {
		t.Errorf("logged %q, want two lines", got)
	}
}

func TestTLSWebSocket(t *testing.T) {
	a := newAuthority(t)
	closed := make(chan websocket.StatusCode, 1)
	r, _ := secureRig(t, secureHandler(t, a.good(), echoMessages(closed)), a.trusted("127.0.0.1"))
	speakWebSocket(t, r, closed)
}

// TestTLSComingUp: a service that is coming up is waited for, also with a request that may not be repeated, since
// nothing of it has been sent.
func TestTLSComingUp(t *testing.T) {
	a := newAuthority(t)
	address, accept := scripted(t)
	r, log := secureRig(t, address, a.trusted("127.0.0.1"))
	r.service().change(func(b *Backend) { b.RetryUntil = time.Now().Add(patience) })
	c := r.dial()
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
	for range 3 {
		accept().Close()
	}
	p := accept().secured(a.good())
	p.head()
	p.expect("x")
	p.send(ok2)
	c.wantReply("POST", 200, "ok")
	if n := r.Counters(); n.Retries != 3 {
		t.Errorf("%d retries are counted, want 3", n.Retries)
	}
	if log.String() != "" {
		t.Errorf("logged %q of what was to be expected", log)
	}
}

// TestTLSLargeBodies goes both ways at once, with what is received compared to what was sent.
func TestTLSLargeBodies(t *testing.T) {
	const size = 4 << 20
	body := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	a := newAuthority(t)
	r, _ := secureRig(t, secureHandler(t, a.good(), func(w http.ResponseWriter, q *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, q.Body)
	}), a.trusted("127.0.0.1"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, "POST", "http://"+r.listener.Addr().String()+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("got %d bytes, %v; want the %d that were sent", len(got), err, size)
	}
}

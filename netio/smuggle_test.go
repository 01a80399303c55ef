package netio

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// A recorder is a backend that keeps every byte it is sent, in the order of arrival, and answers each request with what
// it understood. It reads by net/http: a second opinion on where a request ends.
type recorder struct {
	mu    sync.Mutex
	bytes []byte
}

func record(t testing.TB) (*recorder, string) {
	rec := &recorder{}
	return rec, backend(t, func(p *peer) {
		in := bufio.NewReader(io.TeeReader(p.TCPConn, rec))
		for {
			q, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			body, err := io.ReadAll(q.Body)
			if err != nil {
				return
			}
			text := fmt.Sprintf("%s %s %s [%s]", q.Method, q.Host, q.RequestURI, body)
			head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(text))
			if q.Method == "HEAD" {
				text = ""
			}
			if _, err := io.WriteString(p, head+text); err != nil {
				return
			}
		}
	})
}

func (rec *recorder) Write(p []byte) (int, error) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.bytes = append(rec.bytes, p...)
	return len(p), nil
}

// take returns what has arrived since the last take.
func (rec *recorder) take() string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	taken := string(rec.bytes)
	rec.bytes = nil
	return taken
}

// before and after are requests that surround a hostile one. What the backend gets of after shows that nothing was left
// on the connection to it.
const (
	before = "GET /before HTTP/1.1\r\nHost: a\r\n\r\n"
	after  = "GET /after HTTP/1.1\r\nHost: a\r\n\r\n"
)

// forwarded is the form in which the backend must see those.
func forwarded(plain string) string { return strings.TrimSuffix(plain, "\r\n") + xf + "\r\n" }

// xf is what is added to a request for the host a.
const xf = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"

// deliveries are the ways in which bytes can come to be a request.
var deliveries = []struct {
	name    string
	deliver func(c *peer, bytes string) (served string) // served: what the backend has seen beside those bytes
}{
	{"on a new connection", func(c *peer, bytes string) string {
		c.send(bytes)
		return ""
	}},
	{"on a kept connection", func(c *peer, bytes string) string {
		c.send(before)
		c.wantReply("GET", 200, "GET a /before []")
		c.send(bytes)
		return forwarded(before)
	}},
	// What follows a complete request is judged when that has been answered, and not earlier.
	{"behind another request", func(c *peer, bytes string) string {
		c.send(before + bytes)
		c.wantReply("GET", 200, "GET a /before []")
		return forwarded(before)
	}},
	{"byte by byte", func(c *peer, bytes string) string {
		for _, b := range []byte(bytes) {
			if _, err := c.Write([]byte{b}); err != nil {
				c.t.Fatalf("reset while it was sent: %v", err)
			}
		}
		return ""
	}},
}

const byteByByte = 3 // the last of them

// A smuggler is a hostile client's stream of bytes, with what must become of it.
type smuggler struct {
	name   string
	sent   string
	seen   []string // what the backend gets, request by request; each is answered
	status int      // of the refusal that follows; 0: there is none
	ends   bool     // the connection is closed; else it goes on
	inBody bool     // the fault is found in the body: by then a head that came alone is on its way
}

// check sends a smuggler's bytes in one of the ways and looks at both ends.
func (s *smuggler) check(r *rig, rec *recorder, way int) {
	c := r.dial()
	defer c.Close()
	want := deliveries[way].deliver(c, s.sent)
	for _, seen := range s.seen {
		want += seen
		method, _, _ := strings.Cut(seen, " ")
		if resp, body := c.reply(method); resp.StatusCode != 200 {
			r.Fatalf("got %d %q", resp.StatusCode, body)
		}
	}
	if s.status != 0 {
		resp, body := c.reply("GET")
		if resp.StatusCode != s.status || !resp.Close {
			r.Fatalf("got %d %q, close %v; want %d and the end", resp.StatusCode, body, resp.Close, s.status)
		}
	}
	if s.status != 0 || s.ends {
		c.wantEnd()
		c.Close()
		c = r.dial()
	}
	c.send(after)
	c.wantReply("GET", 200, "GET a /after []")
	want += forwarded(after)
	if got := rec.take(); got != want {
		r.Fatalf("the backend saw\n%q, want\n%q", got, want)
	}
}

// TestSmuggling sends each hostile stream in each way. The backend must see nothing of it, or exactly the canonical form.
func TestSmuggling(t *testing.T) {
	rec, address := record(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	names := make(map[string]bool)
	for i := range smugglers {
		s := &smugglers[i]
		if names[s.name] {
			t.Errorf("two are called %s", s.name)
		}
		names[s.name] = true
		for way := range deliveries {
			if way == byteByByte && (s.inBody || len(s.sent) > 4096) {
				continue
			}
			ok := t.Run(s.name+"/"+deliveries[way].name, func(t *testing.T) {
				s.check(r.in(t), rec, way)
			})
			if !ok {
				eventually(t, "the connection to the backend has aged", func() bool { return r.Counters().BackendIdle == 0 })
				rec.take()
			}
		}
	}
	if len(smugglers) < 60 {
		t.Errorf("there are only %d", len(smugglers))
	}
}

// in is the same rig for a subtest.
func (r *rig) in(t *testing.T) *rig {
	sub := *r
	sub.T = t
	return &sub
}

// TestRefusedHeadsOnASocket sends the heads that the parser refuses, with a request behind each that must stay hidden.
func TestRefusedHeadsOnASocket(t *testing.T) {
	rec, address := record(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	for _, c := range refusedRequests {
		s := smuggler{name: c.name, sent: c.head + hidden, status: c.want.status}
		for way := range deliveries {
			if way == byteByByte && len(s.sent) > 4096 {
				continue
			}
			t.Run(c.name+"/"+deliveries[way].name, func(t *testing.T) {
				s.check(r.in(t), rec, way)
			})
		}
	}
}

// TestBodyFaultsOnASocket sends chunked bodies that go wrong when their head is already with the backend. It must get
// what was right of them, then a break, and never what follows.
func TestBodyFaultsOnASocket(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Splicers = 1 })
	for _, c := range chunkedBodies {
		if c.want == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			p := r.in(t).dial()
			p.send(head)
			b := accept()
			b.expect(forwarded(head))
			p.send(c.body + hidden)
			resp, _ := p.reply("POST")
			if resp.StatusCode != 400 || !resp.Close {
				t.Errorf("got %d, close %v", resp.StatusCode, resp.Close)
			}
			p.wantEnd()
			p.Close()
			got, _ := io.ReadAll(b.r)
			if !strings.HasPrefix(c.body, string(got)) || c.at > 0 && len(got) > c.at {
				t.Errorf("the backend got %q of %q, whose fault is at %d", got, c.body, c.at)
			}
		})
	}
}

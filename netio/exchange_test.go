package netio

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// echo is a backend that tells what it got.
func echo(t testing.TB) string { return handler(t, tell) }

func tell(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s %s [%s]", q.Method, q.Host, q.RequestURI, body)
}

func TestKeepAlive(t *testing.T) {
	r := newRig(t, echo(t))
	c := r.dial()
	for range 3 {
		c.send(get("/a?"))
		c.wantReply("GET", 200, "GET a.example /a? []")
	}
	if n := r.Counters(); n.Requests != 3 || n.BackendConnects != 1 || n.BackendReuses != 2 {
		t.Errorf("got %+v", n)
	}
}

// TestRoutedByRequest checks that each request of a connection goes by its own Host.
func TestRoutedByRequest(t *testing.T) {
	r := newRig(t, "")
	for _, host := range []string{"a.example", "b.example"} {
		r.gates.add(t, host, handler(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, host) }))
	}
	c := r.dial()
	for _, host := range []string{"a.example", "B.example:3000", "a.example", "b.example."} {
		c.send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		c.wantReply("GET", 200, strings.TrimRight(strings.ToLower(strings.TrimSuffix(host, ":3000")), "."))
	}
	c.send("GET / HTTP/1.1\r\nHost: c.example\r\n\r\n")
	c.wantReply("GET", 404, noRouteAnswer.Body)
	c.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n") // a 404 does not end the connection
	c.wantReply("GET", 200, "a.example")
}

// several is what a client may send in one go, with what comes back.
var several = []struct{ method, request, reply string }{
	{"GET", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET a /1 []"},
	{"POST", "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST a /2 [hello]"},
	{"PUT", "PUT /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX: y\r\n\r\n", "PUT a /3 [hello!]"},
	{"HEAD", "HEAD /4 HTTP/1.1\r\nHost: a\r\n\r\n", ""},
	{"POST", "POST /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST a /5 []"},
	{"GET", "\r\nGET /6 HTTP/1.1\r\nHost: a\r\n\r\n", "GET a /6 []"},
}

func wantSeveral(c *peer) {
	c.t.Helper()
	for _, s := range several {
		c.wantReply(s.method, 200, s.reply)
	}
}

func allOfSeveral() string {
	var all strings.Builder
	for _, s := range several {
		all.WriteString(s.request)
	}
	return all.String()
}

// TestPipelined sends several requests in one go, as the first bytes of a connection and later.
func TestPipelined(t *testing.T) {
	r := newRig(t, echo(t))
	c := r.dial()
	for range 3 {
		c.send(allOfSeveral())
		wantSeveral(c)
	}
}

// TestSplit cuts several pipelined requests in two at every byte. The second part is sent when the first was read.
func TestSplit(t *testing.T) {
	r := newRig(t, echo(t))
	c := r.dial()
	all := allOfSeveral()
	c.send(all)
	wantSeveral(c)
	for i := 1; i < len(all); i++ {
		before := r.Counters().BytesIn
		c.send(all[:i])
		eventually(t, "the first part was read", func() bool { return r.Counters().BytesIn == before+int64(i) })
		c.send(all[i:])
		wantSeveral(c)
	}
}

// TestTrickle sends every byte by itself, from the first of the connection on.
func TestTrickle(t *testing.T) {
	r := newRig(t, echo(t))
	c := r.dial()
	for _, b := range []byte(allOfSeveral()) {
		c.send(string(b))
	}
	wantSeveral(c)
}

// TestRequestReachesBackend compares the bytes that the backend gets.
func TestRequestReachesBackend(t *testing.T) {
	const forwarded = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n"
	for name, c := range map[string]struct{ sent, got string }{
		"plain":    {"GET //x/../%2e? HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n", "GET //x/../%2e? HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n" + forwarded + "\r\n"},
		"length":   {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" + forwarded + "\r\nabc"},
		"chunks":   {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + forwarded + "\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n"},
		"hops":     {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x-mine, close\r\nX-Mine: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" + forwarded + "\r\n"},
		"version":  {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" + forwarded + "\r\n"},
		"expected": {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n" + forwarded + "\r\nx"},
	} {
		t.Run(name, func(t *testing.T) {
			address, accept := scripted(t)
			r := newRig(t, address)
			p := r.dial()
			p.send(c.sent)
			accept().expect(c.got)
		})
	}
}

// TestHostHeader checks that a Backend's Host takes the place of the client's.
func TestHostHeader(t *testing.T) {
	r := newRig(t, echo(t))
	b, err := NewBackend(r.service().backend.Load().Address, "inside:81", 0)
	if err != nil {
		t.Fatal(err)
	}
	r.service().backend.Store(b)
	c := r.dial()
	c.send(get("/"))
	c.wantReply("GET", 200, "GET inside:81 / []")
}

// TestUnixBackend serves from a backend on a unix socket, which is another kind of sockaddr and of socket.
func TestUnixBackend(t *testing.T) {
	path := t.TempDir() + "/app.sock"
	r := newRig(t, "unix:"+path)
	c := r.dial()
	c.send(get("/"))
	c.wantReply("GET", 502, "502 Bad Gateway\n")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(tell)}
	go s.Serve(l)
	defer s.Close()
	for range 2 {
		body := strings.Repeat("x", 1_000_000)
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + body)
		c.wantReply("POST", 200, "POST a / ["+body+"]")
	}
}

// TestBackendNotThere checks the answer for a refused connection, and that the client's goes on.
func TestBackendNotThere(t *testing.T) {
	r := newRig(t, freeAddress(t))
	c := r.dial()
	for range 2 {
		c.send(get("/"))
		c.wantReply("GET", 502, "502 Bad Gateway\n")
	}
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
	c.wantReply("POST", 502, "502 Bad Gateway\n")
	c.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
	if resp := c.wantReply("HEAD", 502, ""); resp.ContentLength != int64(len("502 Bad Gateway\n")) {
		t.Errorf("Content-Length of the answer to a HEAD: %d", resp.ContentLength)
	}
	if n := r.Counters().Errors.Connect; n != 4 {
		t.Errorf("%d failed connects were counted, want 4", n)
	}
}

// TestSelfConnect shows that a socket can be connected to itself, and that this is seen.
func TestSelfConnect(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	own, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBackend(addrPortOf(own).String(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if !b.selfConnect {
		t.Error("a port that the kernel has chosen is not seen as ephemeral")
	}
	if errno := sysConnect(fd, b); errno != 0 {
		t.Fatal(errno)
	}
	if !metItself(fd, b) {
		t.Error("a connection to itself is not seen")
	}
}

// TestOldClients checks clients of HTTP/1.0: with keep-alive, and with a chunked reply, which they are not to see.
func TestOldClients(t *testing.T) {
	chunks := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x\r\ncde\r\n0\r\nT: x\r\n\r\n"
	r := newRig(t, backend(t, func(p *peer) {
		for {
			head, err := p.r.ReadString('\n')
			if err != nil {
				return
			}
			p.head()
			if strings.Contains(head, "chunks") {
				p.send(chunks)
			} else {
				p.send(ok2)
			}
		}
	}))
	c := r.dial()
	for range 2 {
		c.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
		if resp := c.wantReply("GET", 200, "ok"); resp.Header.Get("Connection") != "keep-alive" {
			t.Errorf("a client of 1.0 is not told that the connection goes on: %v", resp.Header)
		}
	}
	c.send("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	if head := c.head(); strings.Contains(head, "chunked") || !strings.Contains(head, "Connection: close") {
		t.Errorf("the head is %q", head)
	}
	c.expect("abcde")
	c.wantEnd()

	c = r.dial()
	c.send("GET / HTTP/1.0\r\n\r\n")
	c.wantReply("GET", 200, "ok")
	c.wantEnd()
}

// TestConnectionClose checks that a client that asks for it is closed after its reply.
func TestConnectionClose(t *testing.T) {
	r := newRig(t, echo(t))
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if resp := c.wantReply("GET", 200, "GET a / []"); !resp.Close {
		t.Errorf("got %v", resp.Header)
	}
	c.wantEnd()
}

// TestMalformedBody checks a chunked body that goes wrong: at once, later, and after its reply has begun.
func TestMalformedBody(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	address, accept := scripted(t)
	r := newRig(t, address)
	for _, parts := range [][]string{{head + "x\r\n"}, {head, "x\r\n"}, {head + "2\r\nab", "c"}} {
		c := r.dial()
		for i, part := range parts {
			before := r.Counters().BytesIn
			c.send(part)
			if i < len(parts)-1 {
				eventually(t, "it was read", func() bool { return r.Counters().BytesIn > before })
			}
		}
		if resp, _ := c.reply("POST"); resp.StatusCode != 400 || !resp.Close {
			t.Errorf("got %d %v", resp.StatusCode, resp.Header)
		}
		c.wantEnd()
		if len(parts) > 1 {
			b := accept()
			b.head()
			b.wantOver()
		}
	}
	c := r.dial()
	c.send(head)
	b := accept()
	b.head()
	b.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
	c.head()
	c.expect("half")
	c.send("nonsense")
	c.wantBreak()
}

package netio

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/evio"
	"golang.org/x/sys/unix"
)

// TestDetachedFd fails when evio no longer keeps a connection, or gives a detached one, in the form that connFd and
// detachedFd know.
func TestDetachedFd(t *testing.T) {
	var address atomic.Value
	got := make(chan string, 2)
	tell := func(fd int) {
		sa, err := unix.Getpeername(fd)
		if err != nil {
			got <- err.Error()
			return
		}
		got <- addrPortOf(sa).String()
	}
	events := evio.Events{
		NumLoops: 1,
		Serving: func(s evio.Server) evio.Action {
			address.Store(s.Addrs[0].String())
			return evio.None
		},
		Opened: func(c evio.Conn) ([]byte, evio.Options, evio.Action) {
			tell(connFd(c))
			return nil, evio.Options{}, evio.Detach
		},
		Detached: func(c evio.Conn, rwc io.ReadWriteCloser) evio.Action {
			defer rwc.Close()
			tell(detachedFd(rwc))
			return evio.None
		},
	}
	go evio.Serve(events, "tcp://127.0.0.1:0") // it cannot be ended safely (see round), and goes with the process
	eventually(t, "evio listens", func() bool { return address.Load() != nil })
	c, err := net.Dial("tcp", address.Load().(string))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, what := range []string{"connFd", "detachedFd"} {
		if peer := <-got; peer != c.LocalAddr().String() {
			t.Errorf("%s gave a socket whose peer is %s, want %s: evio has changed", what, peer, c.LocalAddr())
		}
	}
}

// TestPlacesOf fails when evio no longer watches one of the two descriptors that placesOf finds.
func TestPlacesOf(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	opened := make(chan netip.AddrPort, 1)
	events := evio.Events{
		NumLoops: 1,
		Serving: func(s evio.Server) evio.Action {
			fds, err := placesOf(s.Addrs[0])
			for _, fd := range fds {
				if err == nil {
					err = l.over(fd)
				}
			}
			if err != nil {
				t.Errorf("evio has changed: %v", err)
				return evio.Shutdown
			}
			return evio.None
		},
		Opened: func(c evio.Conn) ([]byte, evio.Options, evio.Action) {
			opened <- c.RemoteAddr().(*net.TCPAddr).AddrPort()
			return nil, evio.Options{}, evio.None
		},
	}
	go evio.Serve(events, "tcp://127.0.0.1:0") // it cannot be ended safely (see round), and goes with the process
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	select {
	case from := <-opened:
		if from.String() != c.LocalAddr().String() {
			t.Errorf("evio accepted %s, want %s", from, c.LocalAddr())
		}
	case <-time.After(patience):
		t.Fatal("evio does not accept from the listener that was put under it")
	}
}

// TestHandedOverSocket checks the flags of a client's socket once a splicer has it.
func TestHandedOverSocket(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address)
	c := r.dial()
	c.send(get("/"))
	accept().head()
	fd := r.fdOf(c)
	if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Error("children would inherit it")
	}
	if on, _ := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); on == 0 {
		t.Error("Nagle is on")
	}
}

// fdOf returns the server's end of a client's connection.
func (r *rig) fdOf(c *peer) int {
	r.Helper()
	for fd := range 1 << 14 {
		if sa, err := unix.Getpeername(fd); err == nil && addrPortOf(sa).String() == c.LocalAddr().String() {
			return fd
		}
	}
	r.Fatal("the server has no such connection")
	return -1
}

func TestHeadInPieces(t *testing.T) {
	r := newRig(t, backend(t, func(p *peer) { p.head(); p.send(ok2) }))
	c := r.dial()
	for _, b := range get("/") {
		c.send(string(b))
	}
	c.wantReply("GET", 200, "ok")
}

// TestBadFirstHeads checks that the splicers answer what the front could not take.
func TestBadFirstHeads(t *testing.T) {
	for name, c := range map[string]struct {
		head   string
		status int
	}{
		"no HTTP":       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		"no Host":       {"GET / HTTP/1.1\r\n\r\n", 400},
		"bare LF":       {"GET / HTTP/1.1\nHost: a\n\n", 400},
		"CONNECT":       {"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501},
		"HTTP/2":        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
		"too large":     {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", maxHead) + "\r\n\r\n", 431},
		"no end":        {"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 200_000), 431},
		"many fields":   {"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", maxFields) + "\r\n", 431},
		"both framings": {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			p := r.dial()
			go io.WriteString(p, c.head)
			resp, _ := p.reply("GET")
			if resp.StatusCode != c.status && !(name == "HTTP/2" && resp.StatusCode == 505) {
				t.Errorf("got %d, want %d", resp.StatusCode, c.status)
			}
			if !resp.Close {
				t.Error("the answer does not say that the connection closes")
			}
			p.wantEnd()
			if e := r.Counters().Errors; e.BadRequest+e.HeadTooLarge != 1 {
				t.Errorf("counted as %+v", e)
			}
		})
	}
}

// TestSlowFirstHead checks that a head that does not become whole is ended, and that others are not.
func TestSlowFirstHead(t *testing.T) {
	r := newRig(t, plainBackend(t, ok2), func(o *Options) { o.Timeouts.Head = 2 * short })
	good := r.kept("a")
	before := r.Counters().Errors.HeadTimeout
	silent, slow := r.dial(), r.dial()
	slow.send("GET / HTTP/1.1\r\n")
	silent.wantEnd()
	slow.wantEnd()
	eventually(t, "both are counted", func() bool {
		n := r.Counters()
		return n.Errors.HeadTimeout == before+2 && n.Connections == 1
	})
	good.send(get("/"))
	good.wantReply("GET", 200, "ok")
}

// TestCaps checks the soft cap, above which requests are answered 503, and the hard one, above which connections close.
func TestCaps(t *testing.T) {
	r := newCappedRig(t, handler(t, func(http.ResponseWriter, *http.Request) {}), 4, func(o *Options) { o.MaxConnections = 2 })
	first, second := r.dial(), r.dial()
	eventually(t, "both are counted", func() bool { return r.Counters().Connections == 2 })
	third := r.dial()
	third.send(get("/"))
	if resp := third.wantReply("GET", 503, "503 Service Unavailable\n"); !resp.Close || resp.Header.Get("Retry-After") == "" {
		t.Errorf("got %v", resp.Header)
	}
	third.wantEnd()
	eventually(t, "the third is gone", func() bool { return r.Counters().Connections == 2 })
	first.send(get("/"))
	first.wantReply("GET", 200, "")
	eventually(t, "a backend connection is pooled", func() bool { return r.Counters().BackendIdle == 1 })
	fourth := r.dial() // two clients and one backend connection: there is room for one more
	eventually(t, "the fourth is counted", func() bool { return r.Counters().Connections == 3 })
	fifth := r.dial()
	fifth.wantEnd()
	if n := r.Counters(); n.Refused != 1 || n.Overloaded != 1 {
		t.Errorf("got %+v", n)
	}
	_, _ = second, fourth
}

// TestNoRoomForBackend checks that a request for which no socket is left is answered.
func TestNoRoomForBackend(t *testing.T) {
	r := newCappedRig(t, echo(t), 1)
	c := r.dial()
	for range 2 {
		c.send(get("/"))
		c.wantReply("GET", 503, "503 Service Unavailable\n")
	}
}

// TestListenersAreTold checks that Admission learns which listener a request came by.
func TestListenersAreTold(t *testing.T) {
	var listeners []*Listener
	for range 3 {
		l, err := Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
	}
	told := make(chan int, 1)
	r := newRig(t, "", func(o *Options) {
		o.Listeners[0].Close()
		o.Listeners = listeners
		o.Admission.(*gates).routed = func(listener int, _, _ string) { told <- listener }
	})
	for i, l := range listeners {
		r.listener = l
		c := r.dial()
		c.send(get("/"))
		c.wantReply("GET", 404, noRouteAnswer.Body)
		if got := <-told; got != i {
			t.Errorf("listener %d was told as %d", i, got)
		}
	}
}

// TestPanicInFront checks that a panic in a callback of evio costs the connection and no more.
func TestPanicInFront(t *testing.T) {
	r := newRig(t, "")
	var stranger evio.Conn // every use of it panics
	f := &round{front: &front{server: &Server{options: r.options}}}
	if _, action := f.onData(stranger, []byte("x")); action != evio.Close {
		t.Errorf("onData: %v", action)
	}
	if action := f.onClosed(stranger, nil); action != evio.None {
		t.Errorf("onClosed: %v", action)
	}
	mine, theirs := net.Pipe()
	if action := f.onDetached(stranger, mine); action != evio.None {
		t.Errorf("onDetached: %v", action)
	}
	if _, err := theirs.Write([]byte("x")); err == nil {
		t.Error("a connection that could not be handed over stays open")
	}
}

package netio

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// short is a deadline that a test lets pass.
const short = 150 * time.Millisecond

func TestKeepAliveDeadline(t *testing.T) {
	r := newRig(t, echo(t), func(o *Options) { o.Timeouts.KeepAlive = short })
	c := r.dial()
	c.send(get("/"))
	c.reply("GET")
	c.wantEnd()
}

// TestLaterHeadDeadline checks a second head that does not become whole.
func TestLaterHeadDeadline(t *testing.T) {
	r := newRig(t, echo(t), func(o *Options) { o.Timeouts.Head = short })
	c := r.kept("a")
	before := r.Counters().Errors.HeadTimeout
	c.send("GET / HT")
	c.wantEnd()
	if n := r.Counters().Errors.HeadTimeout - before; n != 1 {
		t.Errorf("%d are counted, want 1", n)
	}
}

func TestResponseDeadline(t *testing.T) {
	for name, partial := range map[string]string{"nothing": "", "half a head": "HTTP/1.1 200 OK\r\n", "interim": "HTTP/1.1 102 Processing\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			address, accept := scripted(t)
			r := newRig(t, "")
			b, err := NewBackend(address, "", short)
			if err != nil {
				t.Fatal(err)
			}
			r.gates.add(t, "", address).backend.Store(b)
			c, tries := r.dial(), int64(0)
			eventually(t, "the backend was in time with what it says", func() bool {
				tries++
				c.send(get("/"))
				p := accept()
				p.head()
				io.WriteString(p, partial)
				resp, _ := c.reply("GET")
				timely := name != "interim" || resp.StatusCode == 102
				if resp.StatusCode == 102 {
					resp, _ = c.reply("GET")
				}
				if resp.StatusCode != 504 {
					t.Fatalf("got %s", resp.Status)
				}
				p.wantOver()
				return timely
			})
			if n := r.Counters().Errors.ResponseTimeout; n != tries {
				t.Errorf("%d are counted, want %d", n, tries)
			}
		})
	}
}

// TestResponseDeadlineIsOfTheHead checks that a reply may take its time once its head is here.
func TestResponseDeadlineIsOfTheHead(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, "", func(o *Options) { o.Timeouts.Write, o.Timeouts.KeepAlive = short, 4*short })
	b, err := NewBackend(address, "", short)
	if err != nil {
		t.Fatal(err)
	}
	r.gates.add(t, "", address).backend.Store(b)
	r.gates.add(t, "witness", echo(t))
	witness := r.dial()
	var c, p *peer
	eventually(t, "the head was in time", func() bool {
		c = r.dial()
		c.send(get("/"))
		p = accept()
		p.head()
		io.WriteString(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
		return strings.HasPrefix(c.head(), "HTTP/1.1 200 ")
	})
	witness.send("GET / HTTP/1.1\r\nHost: witness\r\n\r\n")
	witness.reply("GET")
	witness.wantEnd() // its deadline was a later one
	p.send("ok")
	c.expect("ok")
}

// TestConnectDeadline dials a backend that does not accept: its queue is full.
func TestConnectDeadline(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := addrPortOf(sa).String()
	first, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	eventually(t, "its queue is full", func() bool {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err == nil && info.Unacked > info.Sacked // of a listening socket: who waits, and how many may
	})
	r := newRig(t, address, func(o *Options) { o.Timeouts.Connect = short })
	c := r.dial()
	c.send(get("/"))
	c.wantReply("GET", 504, "504 Gateway Timeout\n")
	if n := r.Counters().Errors.ConnectTimeout; n != 1 {
		t.Errorf("%d are counted, want 1", n)
	}
}

// TestSlowReader checks that a client that takes nothing of its reply is ended.
func TestSlowReader(t *testing.T) {
	r := newRig(t, backend(t, func(p *peer) {
		p.head()
		io.WriteString(p, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
		io.CopyN(p, zeros{}, 100_000_000)
	}), func(o *Options) { o.Timeouts.Write = short })
	c := r.dial()
	c.send(get("/"))
	eventually(t, "it is ended", func() bool { return r.Counters().Errors.Stalled == 1 })
	c.wantBreak()
}

// TestSlowBody checks that a client that owes a body and sends none is answered.
func TestSlowBody(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Timeouts.Write = short })
	c := r.dial()
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
	b := accept()
	b.head()
	resp := c.wantReply("POST", 408, "408 Request Timeout\n")
	if !resp.Close {
		t.Errorf("got %v", resp.Header)
	}
	b.wantOver()
}

// TestLateContinue: a backend may tell a client late that it wants the body. The client's time to send it begins then.
func TestLateContinue(t *testing.T) {
	t.Parallel() // a client on a busy machine is to have the time
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Timeouts.Write, o.Timeouts.KeepAlive = 10*short, 12*short })
	r.gates.add(t, "witness", echo(t))
	c, witness := r.dial(), r.dial()
	c.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
	b := accept()
	b.head()
	witness.send("GET / HTTP/1.1\r\nHost: witness\r\n\r\n")
	witness.reply("GET")
	witness.wantEnd() // its deadline was a later one than that of a body that nobody waits with
	b.send("HTTP/1.1 100 Continue\r\n\r\n")
	c.expect("HTTP/1.1 100 Continue\r\n\r\n")
	c.send("abc")
	b.expect("abc")
	b.send(ok2)
	c.wantReply("PUT", 200, "ok")
}

// TestDeafBackend checks a backend that takes nothing of a large request. The body is made as it is sent: one that was
// made whole took longer on a busy machine than the test waits for anything.
func TestDeafBackend(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address, func(o *Options) { o.Timeouts.Write = 4 * short })
	r.wantDeaf(accept, zeros{}, 100_000_000)
}

// wantDeaf sends a request of that size to a backend that reads nothing of it, and wants the answer that is for that. A
// client that was held up before the backend's sockets were full gets the one for a slow client: then another comes.
func (r *rig) wantDeaf(accept func() *peer, body io.Reader, size int64) {
	r.Helper()
	tries := int64(0)
	eventually(r.T, "it is the backend that is late", func() bool {
		tries++
		c := r.dial()
		defer c.Close()
		c.send(fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
		go io.CopyN(c, body, size)
		defer accept().Close()
		resp, text := c.reply("PUT")
		if resp.StatusCode != 408 && (resp.StatusCode != 504 || text != "504 Gateway Timeout\n") {
			r.Fatalf("got %s %q", resp.Status, text)
		}
		return resp.StatusCode == 504
	})
	if n := r.Counters().Errors.Stalled; n != tries {
		r.Errorf("%d are counted, want %d", n, tries)
	}
}

// TestLingerEnds checks that a client that goes on sending after an answer does not do so for ever, and that one that
// falls silent is closed.
func TestLingerEnds(t *testing.T) {
	t.Parallel() // it takes as long as the silence that is allowed
	r := newRig(t, "")
	c := r.dial()
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
	c.wantReply("POST", 404, noRouteAnswer.Body)
	eventually(t, "it is closed", func() bool { return r.Counters().Connections == 0 })
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

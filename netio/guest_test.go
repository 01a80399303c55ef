package netio

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asleep tells whether an evio loop sleeps in its callback.
func asleep() bool {
	all := make([]byte, 1<<20)
	all = all[:runtime.Stack(all, true)]
	return strings.Contains(string(all), "netio.(*lodging).host(")
}

// TestQuietFront checks that a front that nobody calls goes to sleep, and that it wakes for everything that may come: a new
// client, the end of a head, the deadline of one, the end of the server.
func TestQuietFront(t *testing.T) {
	r := newRig(t, echo(t), func(o *Options) { o.Timeouts.Head = 2 * short })
	eventually(t, "the front sleeps", asleep)
	eventually(t, "a client whose head ends in time is served", func() bool {
		before := r.Counters().Accepted
		c := r.dial()
		c.send("GET / HTTP/1.1\r\n")
		eventually(t, "it was accepted", func() bool { return r.Counters().Accepted == before+1 })
		eventually(t, "the front sleeps again", asleep)
		io.WriteString(c, "Host: a\r\n\r\n")
		resp, err := http.ReadResponse(c.r, nil)
		return err == nil && resp.StatusCode == 200
	})
	before := r.Counters().Errors.HeadTimeout
	silent := r.dial()
	silent.wantEnd()
	if n := r.Counters().Errors.HeadTimeout - before; n != 1 {
		t.Errorf("%d heads came too late, want 1", n)
	}
	eventually(t, "the front sleeps at the end", asleep)
	r.Close()
	if asleep() {
		t.Error("the front still sleeps after the end")
	}
}

// guestIsIn waits until the guest turns within evio's loop: it answers what is no request itself.
func (r *rig) guestIsIn() {
	r.Helper()
	before := r.guest().tally.badRequest.Load()
	eventually(r.T, "the guest has moved in", func() bool {
		c := r.dial()
		c.send("NONSENSE\r\n\r\n")
		c.reply("GET")
		c.Close()
		return r.guest().tally.badRequest.Load() > before
	})
}

// atGuest has a client of that host whose request the guest has sent to its backend. A head that is late, as that of this
// test is on a busy machine, is another loop's: then another client comes.
func (r *rig) atGuest(host string, accept func() *peer) (c, b *peer) {
	r.Helper()
	eventually(r.T, "the guest has the request", func() bool {
		before := r.guest().tally.requests.Load()
		c = r.dial()
		c.send("GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		b = accept()
		b.head()
		if r.guest().tally.requests.Load() > before {
			return true
		}
		b.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
		c.wantReply("GET", 200, "ok")
		return false
	})
	return c, b
}

// ask sends a request and wants a good reply. It tells how many requests the guest has had meanwhile.
func (r *rig) ask(request string) int64 {
	r.Helper()
	before := r.guest().tally.requests.Load()
	p := r.dial()
	p.send(request)
	if resp, _ := p.reply(request[:4]); resp.StatusCode != 200 {
		r.Fatalf("%q: got %s", request, resp.Status)
	}
	return r.guest().tally.requests.Load() - before
}

const oneRequest = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

// TestGuestServes checks whom the guest serves, and that all are served.
func TestGuestServes(t *testing.T) {
	r := newRig(t, echo(t))
	r.guestIsIn()
	for _, c := range []struct {
		request string
		guest   int64
	}{
		{oneRequest, 1},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 1},
		{"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 1},
		{"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", 0},
		{get("/"), 0},
		{"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 0},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: x\r\n\r\n", 0},
	} {
		if c.guest == 0 {
			if n := r.ask(c.request); n != 0 {
				t.Errorf("%q: the guest has served %d", c.request, n)
			}
			continue
		}
		// A head that is late, as this test is on a busy machine, is another loop's.
		eventually(t, fmt.Sprintf("the guest has served %q", c.request), func() bool { return r.ask(c.request) == c.guest })
	}
}

// TestGuestNotices checks that a client of the guest, of whom epoll does not tell at first, is noticed when it leaves.
func TestGuestNotices(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address)
	r.guestIsIn()
	c, b := r.atGuest("a", accept)
	c.Close()
	b.wantOver()
	r.wantNothingLeft()
}

// TestGuestSlowReader checks that a client of the guest gets all of a reply that it does not take at once.
func TestGuestSlowReader(t *testing.T) {
	const size = 16 << 20
	r := newRig(t, handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		io.Copy(w, newNoise(size))
	}))
	r.guestIsIn()
	c := r.dial()
	c.send(oneRequest)
	eventually(t, "it waits for the client", func() bool {
		before := r.Counters().BytesOut
		<-time.After(short)
		return before > 0 && r.Counters().BytesOut == before
	})
	if resp, body := c.reply("GET"); sum(strings.NewReader(body)) != sum(newNoise(size)) {
		t.Errorf("got %s and %d bytes", resp.Status, len(body))
	}
}

// TestHouseFull checks that the guest keeps no more clients than it should, and that the others are served, too.
func TestHouseFull(t *testing.T) {
	speak := make(chan struct{})
	r := newRig(t, backend(t, func(p *peer) {
		p.head()
		<-speak
		p.send(ok2)
	}))
	r.guestIsIn()
	var clients []*peer
	eventually(t, "the guest has enough of them", func() bool {
		for range 3 * guestClients {
			clients = append(clients, r.dial())
			clients[len(clients)-1].send(oneRequest)
		}
		eventually(t, "all wait", func() bool { return r.Counters().Leases == int64(len(clients)) })
		return r.guest().handed.Load() >= guestClients // a head that is late is another loop's
	})
	if n := r.guest().handed.Load(); n != guestClients {
		t.Errorf("the guest has %d clients, want %d", n, guestClients)
	}
	close(speak)
	for _, c := range clients {
		c.wantReply("GET", 200, "ok")
		c.wantEnd()
	}
}

// TestStolenConnection has somebody else accept a connection that has woken evio: evio then finds nothing, calls nobody
// back, and still its loop must go on for the guest.
func TestStolenConnection(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address)
	r.guestIsIn()
	for stolen := false; !stolen; {
		c := r.dial()
		c.send(oneRequest)
		b := accept()
		b.head()
		r.dial()
		if fd, _, err := unix.Accept(r.listener.fd); err == nil {
			stolen = true
			defer unix.Close(fd)
		}
		b.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
		c.wantReply("GET", 200, "ok")
	}
}

// TestGuestOutlivesItsRound ends a round of evio under a client of the guest, who is still served, as are those of the
// next round.
func TestGuestOutlivesItsRound(t *testing.T) {
	lowerFileLimit(t)
	address, accept := scripted(t)
	r := newRig(t, address)
	r.guestIsIn()
	c, b := r.atGuest("a", accept)
	_, sa := sockaddrOf(r.listener.Addr())
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	restore := takeFiles(t, fewFiles)
	if err := unix.Connect(fd, sa); err != nil {
		t.Fatal(err)
	}
	eventually(t, "evio has given up", func() bool { return r.Counters().Errors.Accept > 0 })
	b.send(ok2)
	c.wantReply("GET", 200, "ok")
	restore()
	r.guestIsIn()
	r.gates.add(t, "a", echo(t))
	eventually(t, "the guest serves in the next round", func() bool { return r.ask(oneRequest) == 1 })
}

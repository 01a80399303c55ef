package netio

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// wantKeepAlive checks the options of the server's end of a connection.
func wantKeepAlive(t *testing.T, what string, fd int, want bool) {
	t.Helper()
	for _, o := range tcpKeepAlive {
		if got, err := unix.GetsockoptInt(fd, o.level, o.option); err != nil || (got == int(o.value)) != want {
			t.Errorf("%s: option %d is %d (%v), and to be %d is %v", what, o.option, got, err, o.value, want)
		}
	}
}

// ownEnd is the server's descriptor of the connection whose other end is p.
func (r *rig) ownEnd(p *peer) int {
	r.Helper()
	for fd := range r.limits.lastFile {
		c := r.table.get(fd)
		if c == nil {
			continue
		}
		if sa, err := unix.Getpeername(fd); err == nil && addrPortOf(sa).String() == p.LocalAddr().String() {
			return fd
		}
	}
	r.Fatalf("the server has no connection to %v", p.LocalAddr())
	return -1
}

// TestClientsAreProbed checks that the accepted sockets have what was set on the listener: on ours, and on one that
// was opened by another, who has set nothing.
func TestClientsAreProbed(t *testing.T) {
	plain, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(plain)
	if err := unix.Bind(plain, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(plain, 1); err != nil {
		t.Fatal(err)
	}
	activated, err := Inherit(plain)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, echo(t))
	others := newRig(t, echo(t), func(o *Options) {
		o.Listeners[0].Close()
		o.Listeners[0] = activated
	})
	others.listener = activated
	for name, r := range map[string]*rig{"our listener": r, "another's listener": others} {
		c := r.dial()
		c.send(get("/"))
		c.reply("GET")
		wantKeepAlive(t, name, r.ownEnd(c), true)
	}
}

// TestVanishedClient has clients vanish in the middle of what may last for ever: what comes to their sockets is dropped
// by a filter that lets nothing in, and no FIN leaves them.
func TestVanishedClient(t *testing.T) {
	for name, begin := range map[string]struct{ request, reply string }{
		"tunnel":         {upgrade, upgraded},
		"reply":          {get("/"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		"reply to await": {get("/"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the kernel counts in seconds
			address, accept := scripted(t)
			r := newRig(t, address)
			for _, option := range []int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL, unix.TCP_KEEPCNT} {
				if err := unix.SetsockoptInt(r.listener.fd, unix.IPPROTO_TCP, option, 1); err != nil {
					t.Fatal(err)
				}
			}
			c := r.dial()
			c.send(begin.request)
			b := accept()
			b.head()
			b.send(begin.reply)
			c.expect(begin.reply)
			if n := r.service().out.Load(); n != 1 {
				t.Fatalf("%d leases are held, want 1", n)
			}
			vanish(t, c)
			eventually(t, "the lease is released", func() bool { return r.service().out.Load() == 0 })
			eventually(t, "the connection is closed", func() bool { return r.Counters().Connections == 0 })
			b.wantOver()
		})
	}
}

// vanish has the kernel drop whatever comes to a socket, acknowledgements and probes included (SO_ATTACH_FILTER,
// socket(7)).
func vanish(t *testing.T, p *peer) {
	t.Helper()
	raw, err := p.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	none := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &none})
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

// TestBackendsAreProbed checks that a connection to a backend elsewhere is, and that one to a backend on this machine
// costs no call for that: its kernel vanishes with ours.
func TestBackendsAreProbed(t *testing.T) {
	for _, distant := range []bool{false, true} {
		t.Run(fmt.Sprint(distant), func(t *testing.T) {
			address, accept := scripted(t)
			r := newRig(t, address)
			r.service().change(func(b *Backend) { b.distant = distant })
			c := r.dial()
			c.send(get("/"))
			b := accept()
			b.head()
			wantKeepAlive(t, "the backend's connection", r.ownEnd(b), distant)
			b.send(ok2)
			c.wantReply("GET", 200, "ok")
		})
	}
	for address, want := range map[string]bool{
		"127.0.0.1:80": false, "127.1.2.3:80": false, "[::1]:80": false, "[::ffff:127.0.0.1]:80": false, "unix:/run/app.sock": false,
		"10.0.0.1:80": true, "[2001:db8::1]:80": true,
	} {
		if b, err := NewBackend(address, "", 0); err != nil || b.distant != want {
			t.Errorf("%s is distant: %+v, %v", address, b, err)
		}
	}
}

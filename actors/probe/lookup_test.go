package probe

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLookUp: the kernel finds a listener as it does for a packet, and none where it would refuse one.
func TestLookUp(t *testing.T) {
	needLookUp(t)
	needIPv6(t)
	for listening, want := range map[string][2]finding{
		"127.0.0.1:0": {somebody, nobody},
		"[::1]:0":     {nobody, somebody},
		"0.0.0.0:0":   {somebody, somebody}, // Go listens on :: for both
		"[::]:0":      {somebody, somebody},
	} {
		l := listen(t, listening)
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		both := [2]netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), netip.AddrPortFrom(netip.IPv6Loopback(), port)}
		if got := [2]finding{lookUp(both[0]), lookUp(both[1])}; got != want {
			t.Errorf("%s: %v, want %v", listening, got, want)
		}
		l.Close()
		if got := [2]finding{lookUp(both[0]), lookUp(both[1])}; got != [2]finding{nobody, nobody} {
			t.Errorf("%s closed: %v", listening, got)
		}
	}
}

// TestLookUpSeesNoConnection: a connection on the port is no listener.
func TestLookUpSeesNoConnection(t *testing.T) {
	needLookUp(t)
	l := listen(t, "127.0.0.1:0")
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	l.Close()
	for _, at := range []net.Addr{conn.LocalAddr(), peer.LocalAddr()} {
		if got := lookUp(at.(*net.TCPAddr).AddrPort()); got != nobody {
			t.Errorf("%v: %v", at, got)
		}
	}
}

// TestReadInetDiag: what is not understood is not known.
func TestReadInetDiag(t *testing.T) {
	reply := func(kind uint16, body ...uint32) []byte {
		b := make([]byte, unix.SizeofNlMsghdr, 100)
		binary.NativeEndian.PutUint16(b[4:], kind)
		for _, word := range body {
			b = binary.NativeEndian.AppendUint32(b, word)
		}
		return b
	}
	listener := func(state byte, waiting, most uint32) []byte {
		b := reply(sockDiagFamily, make([]uint32, 18)...)
		b[unix.SizeofNlMsghdr+1] = state
		binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+56:], waiting)
		binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+60:], most)
		return b
	}
	refusal := func(errno unix.Errno) uint32 { return uint32(-int32(errno)) }
	for name, c := range map[string]struct {
		reply []byte
		want  finding
	}{
		"no such socket":    {reply(unix.NLMSG_ERROR, refusal(unix.ENOENT)), nobody},
		"not permitted":     {reply(unix.NLMSG_ERROR, refusal(unix.EPERM)), unknown},
		"an error cut off":  {reply(unix.NLMSG_ERROR), unknown},
		"a listener":        {listener(tcpListen, 1, 1), somebody},
		"its queue is full": {listener(tcpListen, 2, 1), unknown},
		"a connection":      {listener(1, 0, 0), unknown},
		"a listener cut":    {listener(tcpListen, 1, 1)[:40], unknown},
		"something else":    {reply(unix.NLMSG_DONE, 0), unknown},
	} {
		if got := readInetDiag(c.reply); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestTrusts: a try that believes the kernel makes no connection; one that does not, does, and so does a check that is
// to connect.
func TestTrusts(t *testing.T) {
	needLookUp(t)
	l := listen(t, "127.0.0.1:0").(*net.TCPListener)
	for _, c := range []struct {
		trusting, connect, connects bool
	}{{true, false, false}, {false, false, true}, {true, true, true}} {
		w := newWaiter([]string{l.Addr().String()}, Check{Connect: c.connect}, nil)
		w.trusting = c.trusting
		if err := w.tryConnect(t.Context()); err != nil || w.result.Listening.IsZero() {
			t.Errorf("%+v: %v, %v", c, err, w.result)
		}
		if got := hasArrived(t, l); got != c.connects {
			t.Errorf("%+v: connected: %v", c, got)
		}
	}
}

// TestInsists: now and then a try does not believe the kernel.
func TestInsists(t *testing.T) {
	w := newWaiter(nil, Check{}, nil)
	last := time.Duration(0)
	for elapsed := shortStep; elapsed < 100*insistEvery; elapsed += step(elapsed) {
		if w.insist(elapsed); w.trusting {
			continue
		}
		if gap := elapsed - last; gap < insistEvery || gap > insistEvery+elapsed/5 {
			t.Fatalf("%v after %v", elapsed, last)
		}
		last = elapsed
	}
	if last == 0 {
		t.Error("no try insists")
	}
}

// TestVain: a try that would find nobody is not made. It ends as it would have.
func TestVain(t *testing.T) {
	needLookUp(t)
	address := freeAddress(t)
	for _, kind := range []Kind{TCP, GRPC, Redis} {
		w := newWaiter([]string{address}, Check{Kind: kind}, nil)
		try, _ := w.try()
		for _, trusting := range []bool{false, true} {
			w.trusting = trusting
			made := false
			err := w.once(t.Context(), func(ctx context.Context) error { made = true; return try(ctx) })
			if made == trusting || !w.result.Decided || err == nil || err.Error() != "nothing listens on "+address {
				t.Errorf("%s: trusting %v, made %v: %v", kind, trusting, made, err)
			}
		}
	}
}

// hasArrived takes the connection that has arrived, if there is one.
func hasArrived(t *testing.T, l *net.TCPListener) (arrived bool) {
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		if conn, _, err := unix.Accept(int(fd)); err == nil {
			unix.Close(conn)
			arrived = true
		}
	}); err != nil {
		t.Fatal(err)
	}
	return arrived
}

func needLookUp(t *testing.T) {
	if l := listen(t, "127.0.0.1:0"); lookUp(l.Addr().(*net.TCPAddr).AddrPort()) != somebody {
		t.Skip("this kernel does not look listeners up")
	}
}

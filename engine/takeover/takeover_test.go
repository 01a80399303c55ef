package takeover

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dynapm/actors/keeper/statedir"

	"golang.org/x/sys/unix"
)

// older is an engine with one listening socket and one client.
type older struct {
	t        *testing.T
	listener *net.TCPListener
	leaving  atomic.Bool
	yielded  chan *Successor
}

func publish(t *testing.T) (*older, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	o := &older{t: t, listener: l.(*net.TCPListener), yielded: make(chan *Successor, 1)}
	dir := t.TempDir()
	offer, err := Publish(dir, o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(offer.Withdraw)
	return o, dir
}

func (o *older) Listeners() ([]Listener, error) {
	return []Listener{{Address: o.listener.Addr().String(), FD: dup(o.t, o.listener)}}, nil
}

func (o *older) Supervisor() Supervisor {
	return Supervisor{Socket: "@manager", Watchdog: time.Minute}
}

func (o *older) Yield(s *Successor) error {
	if o.leaving.Load() {
		return errors.New("it is leaving")
	}
	o.yielded <- s
	return nil
}

// dup duplicates the descriptor of a socket.
func dup(t *testing.T, socket interface {
	SyscallConn() (syscall.RawConn, error)
}) int {
	t.Helper()
	raw, err := socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if err := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func meet(t *testing.T, dir string) *Predecessor {
	t.Helper()
	p, err := Meet(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// TestTakeover follows one from the meeting to the end, with a client that passes before the place is free and one after.
func TestTakeover(t *testing.T) {
	o, dir := publish(t)
	p := meet(t, dir)
	if len(p.Listeners) != 1 || p.Listeners[0].Address != o.listener.Addr().String() || p.Listeners[0].Admin ||
		p.Supervisor != o.Supervisor() {
		t.Fatalf("met %+v", p)
	}
	near, far := pair(t)
	go func() {
		s := <-o.yielded
		s.Hand(Client{Listener: 3, Bytes: []byte("GET / HT"), FD: dup(t, near)})
		s.Yours([]Use{{"blog", 1, 0}, {"shop", 2, 3}})
		s.Free(Use{"shop", 0, 1})
		s.Hand(Client{FD: dup(t, near)})
		s.Close()
		s.Free(Use{Service: "blog"}) // too late, and no harm
	}()
	shared, err := p.Take()
	if err != nil || !slices.Equal(shared, []Use{{"blog", 1, 0}, {"shop", 2, 3}}) {
		t.Fatalf("took %v, %v", shared, err)
	}
	var told []string
	err = p.Follow(func(c Client) {
		told = append(told, string(c.Bytes))
		if c.Listener == 3 {
			if _, err := unix.Write(c.FD, []byte("hello")); err != nil {
				t.Error(err)
			}
		}
		unix.Close(c.FD)
	}, func(left Use) { told = append(told, fmt.Sprint(left)) })
	if got := strings.Join(told, ","); err != nil || got != "GET / HT,{shop 0 1}," {
		t.Errorf("followed %q, %v", got, err)
	}
	greeting := make([]byte, 5)
	if _, err := io.ReadFull(far, greeting); err != nil || string(greeting) != "hello" {
		t.Errorf("the client got %q, %v", greeting, err)
	}
}

// TestRefusals: whoever cannot take over is told why, and the older engine stays.
func TestRefusals(t *testing.T) {
	_, dir := publish(t)
	t.Run("another one is at it", func(t *testing.T) {
		first := meet(t, dir)
		if _, err := Meet(dir); err == nil || !strings.Contains(err.Error(), "another engine is taking over") {
			t.Errorf("got %v", err)
		}
		first.Close()
	})
	t.Run("another version", func(t *testing.T) {
		m, err := answered(t, dir, func(w *wire) { w.say(packet{Do: doHello, Version: version + 1}) })
		if err != nil || m.Do != doRefused || !strings.Contains(m.Reason, "it speaks version 2 and this engine version 1") {
			t.Errorf("got %+v, %v", m, err)
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		m, err := answered(t, dir, func(w *wire) { w.conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")) })
		if !errors.Is(err, io.EOF) {
			t.Errorf("got %+v, %v", m, err)
		}
	})
	t.Run("it is leaving", func(t *testing.T) {
		o, dir := publish(t)
		o.leaving.Store(true)
		p := meet(t, dir)
		if _, err := p.Take(); err == nil || !strings.Contains(err.Error(), "it is leaving") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nobody is there", func(t *testing.T) {
		if _, err := Meet(t.TempDir()); !errors.Is(err, ErrAbsent) {
			t.Errorf("got %v", err)
		}
	})
}

// TestYoungerDies: clients that were on their way to it see an end, and nothing waits for ever.
func TestYoungerDies(t *testing.T) {
	o, dir := publish(t)
	p := meet(t, dir)
	near, far := pair(t)
	var told sync.WaitGroup
	told.Go(func() {
		s := <-o.yielded
		s.Yours(nil)
		for range 10_000 { // more than a socket takes
			s.Hand(Client{Bytes: make([]byte, 1024), FD: dup(t, near)})
		}
		near.Close()
		s.Close()
	})
	if _, err := p.Take(); err != nil {
		t.Fatal(err)
	}
	p.Close()
	told.Wait()
	if n, err := far.Read(make([]byte, 1)); err == nil {
		t.Errorf("the client got %d bytes", n)
	}
}

// TestYoungerGoesBeforeItIsAnswered: an older engine that comes to the request late can tell that nobody waits any more.
func TestYoungerGoesBeforeItIsAnswered(t *testing.T) {
	o, dir := publish(t)
	p := meet(t, dir)
	if err := p.wire.say(packet{Do: doTake}); err != nil {
		t.Fatal(err)
	}
	s := <-o.yielded
	defer s.Close()
	if s.Gone() {
		t.Error("it is said to have gone while it waits")
	}
	p.Close()
	if !s.Gone() {
		t.Error("it is not seen that it has gone")
	}
}

// TestYoungerStandsStill: an engine that takes nothing in does not hold the one before it for ever.
func TestYoungerStandsStill(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1]) // which nobody reads
	file := os.NewFile(uintptr(fds[0]), "older")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWire(conn.(*net.UnixConn))
	if err != nil {
		t.Fatal(err)
	}
	w.patience = 50 * time.Millisecond
	s := newSuccessor(w)
	near, far := pair(t)
	for range 10_000 { // more than a socket takes
		s.say(packet{Do: doFree, Service: strings.Repeat("x", 1024)})
	}
	s.Hand(Client{FD: dup(t, near)})
	near.Close()
	s.Close()
	if n, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client got %d bytes, %v", n, err)
	}
}

// answered is what a stranger is answered that says something, once the one before it has gone.
func answered(t *testing.T, dir string, say func(*wire)) (packet, error) {
	t.Helper()
	d, err := statedir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for end := time.Now().Add(4 * answerTimeout); ; {
		conn, err := d.Dial("unixpacket", socketName)
		if err != nil {
			t.Fatal(err)
		}
		w, err := newWire(conn)
		if err != nil {
			t.Fatal(err)
		}
		say(w) // perhaps to an end that is closed already: the answer tells
		m, err := w.receive(answerTimeout)
		conn.Close()
		if busy := err == nil && m.Do == doRefused && strings.Contains(m.Reason, "another engine is taking over"); !busy || time.Now().After(end) {
			return m, err
		}
	}
}

// pair is a connection.
func pair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	dialled.SetDeadline(time.Now().Add(20 * time.Second))
	return accepted.(*net.TCPConn), dialled.(*net.TCPConn)
}

// TestUsesAreBounded: what is counted comes from another process.
func TestUsesAreBounded(t *testing.T) {
	got := packet{Service: "blog", Holding: -1, Passive: 1 << 40}.use()
	if want := (Use{Service: "blog", Passive: maxLeases}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

package keeper

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dynapm/actors/keeper/statedir"

	"golang.org/x/sys/unix"
)

// notifies is what a service of a test does: it waits for a file, and says text.
func notifies(file, text string) {
	for {
		if _, err := os.Stat(file); err == nil {
			break
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		panic(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		panic(err)
	}
}

func withNotify(c *Command) { c.Notify = true }

// heard gives the processes that said that they are ready, as they say it.
func (b *bench) heard() <-chan Process {
	b.t.Helper()
	b.Close()
	heard := make(chan Process, 100)
	o := b.options()
	o.OnReady = func(p Process) { heard <- p }
	c, err := Open(o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Client = c
	return heard
}

func (b *bench) let(file string) {
	b.t.Helper()
	if err := os.WriteFile(b.dir+"/"+file, nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) next(heard <-chan Process) (p Process) {
	b.t.Helper()
	b.until("a service to say that it is ready", func() bool {
		select {
		case p = <-heard:
			return true
		default:
			return false
		}
	})
	return p
}

func TestServiceSaysThatItIsReady(t *testing.T) {
	b := newBench(t)
	heard := b.heard()
	silent := b.launch(self("notify", b.dir+"/a", "STATUS=READY=1\nREADY=0"), withNotify, ofRun(1))
	own := b.launch(self("notify", b.dir+"/b", "READY=1\nSTATUS=up"), withNotify, ofRun(2))
	// Its child in a session of its own speaks for it.
	childs := b.launch(self("notifychild", b.dir+"/c", "READY=1"), withNotify, ofRun(3))
	b.let("a")
	b.let("b")
	if p := b.next(heard); p.Pid != own.Pid || !p.Ready {
		t.Errorf("heard of %+v, not %+v", p, own)
	}
	b.let("c")
	if p := b.next(heard); p.Pid != childs.Pid {
		t.Errorf("heard of %+v, not %+v", p, childs)
	}
	all, err := b.List()
	for _, p := range all {
		if err != nil || p.Ready != (p.Pid != silent.Pid) {
			t.Errorf("listed %+v, %v", p, err)
		}
	}
}

// Who is no service says nothing, and a descriptor that comes with a message is
// closed, as systemd-notify waits for.
func TestStrangerSaysThatItIsReady(t *testing.T) {
	b := newBench(t)
	heard := b.heard()
	b.launch(self("pause"), withNotify)
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: b.marker().notifySocket()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		err = unix.Sendmsg(int(fd), []byte("READY=1\nBARRIER=1"), unix.UnixRights(int(w.Fd())), nil, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if n, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %d, %v from the barrier", n, err)
	}
	b.until("the log to tell of the stranger", func() bool {
		return strings.Contains(b.read(logName), "belongs to no service")
	})
	if len(heard) > 0 {
		t.Errorf("heard %+v", <-heard)
	}
}

// What was said while no engine was there, and what a killed keeper had heard, is
// known; and the next keeper hears who was launched by the one before. (What is
// said between the two of them is lost.)
func TestReadyIsKnownToTheNext(t *testing.T) {
	b := newBench(t)
	early := b.launch(self("notify", b.dir+"/a", "READY=1"), withNotify, ofRun(1))
	late := b.launch(self("notify", b.dir+"/b", "READY=1"), withNotify, ofRun(2))
	b.Close()
	b.let("a")
	b.until("the keeper to hear it", func() bool { return strings.Contains(b.read(logName), "msg=ready") })
	b.open()
	heard := b.heard()
	if p := b.next(heard); p.Pid != early.Pid {
		t.Errorf("heard of %+v, not %+v", p, early)
	}
	b.killKeeper()
	b.isKept(late) // by the next one
	b.let("b")
	if p := b.next(heard); p.Pid != late.Pid {
		t.Errorf("heard of %+v, not %+v", p, late)
	}
	all, err := b.List()
	if err != nil || len(all) != 2 || !all[0].Ready || !all[1].Ready {
		t.Errorf("listed %+v, %v", all, err)
	}
}

// The socket is given to whom it was asked for, and never that of the engine.
func TestNotifySocketInTheEnvironment(t *testing.T) {
	b := newBench(t)
	for run, want := range map[uint64]string{1: "", 2: b.marker().notifySocket()} {
		p := b.launch(self("pause"), ofRun(run), func(c *Command) {
			c.Notify, c.Env = want != "", append(os.Environ(), "NOTIFY_SOCKET=/the/engine's")
		})
		environ, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/environ")
		if err != nil {
			t.Fatal(err)
		}
		env := strings.Split(string(bytes.TrimRight(environ, "\x00")), "\x00")
		if got, _ := lookup(env, "NOTIFY_SOCKET"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A keeper of a version that hears nothing is not asked to, or the start would wait in vain.
func TestOldKeeperIsNotAskedToHear(t *testing.T) {
	dir := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/" + socketName})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.AcceptUnix()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(conn, `{"do":"hello","hello":{"oldest":1,"newest":1,"instance":"x"}}`+"\n")
		io.Copy(io.Discard, conn)
		conn.Close()
	}()
	c, err := Open(Options{Dir: dir, Executable: []string{executable, "keeper"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Launch(Command{Service: "blog", Run: 1, Role: RoleService, Argv: []string{"true"}, Notify: true})
	if err == nil || !strings.Contains(err.Error(), "is of an older version, which does not hear") {
		t.Error(err)
	}
}

// Who has bound the name first, between two keepers, keeps the next one from hearing
// what was launched before, and no other.
func TestNotifyNameIsTaken(t *testing.T) {
	b := newBench(t)
	b.launch(self("pause"), func(c *Command) { c.Output = "" })
	keeper := b.keeperPid()
	b.Close()
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.until("the name to be free", func() bool {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: b.marker().notifySocket()})
		if err == nil {
			t.Cleanup(func() { conn.Close() })
		}
		return err == nil
	})
	b.open()
	heard := b.heard()
	p := b.launch(self("notify", b.dir, "READY=1"), withNotify, ofRun(2))
	if q := b.next(heard); q.Pid != p.Pid {
		t.Errorf("heard of %+v, not %+v", q, p)
	}
}

// An error that lasts is told once, and what is said after it is heard.
func TestHearGoesOnAfterErrors(t *testing.T) {
	dir, err := statedir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	path := dir.Join("log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := newServer(dir, slog.New(slog.NewTextHandler(log, nil)))
	defer s.linger.Stop()
	if err := s.listenNotify(); err != nil {
		t.Fatal(err)
	}
	defer s.notify.Close()
	said := func(text string) (n int) {
		b, _ := os.ReadFile(path)
		return strings.Count(string(b), text)
	}
	b := &bench{t: t}
	for times := range 2 {
		s.notify.SetReadDeadline(time.Unix(1, 0))
		b.until("the error", func() bool { return said("cannot read") > times })
		s.notify.SetReadDeadline(time.Time{})
		conn, err := net.Dial("unixgram", s.notifyName)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "READY=1")
		conn.Close()
		b.until("it to be heard", func() bool { return said("READY=1 came from") > times })
		if n := said("cannot read"); n != times+1 {
			t.Errorf("the error was told %d times, want %d", n, times+1)
		}
	}
}

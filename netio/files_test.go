package netio

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What happens when descriptors run out.

// TestAcceptFailure takes all descriptors away: evio gives up, and must be serving again when there are some. Who waited
// in the queue meanwhile is served, or closed, and not forgotten.
func TestAcceptFailure(t *testing.T) {
	lowerFileLimit(t)
	r := newRig(t, backend(t, func(p *peer) { p.head(); p.send(ok2) }))
	_, sa := sockaddrOf(r.listener.Addr())
	var early []int
	for range 3 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		early = append(early, fd)
	}
	restore := takeFiles(t, fewFiles)
	for _, fd := range early {
		if err := unix.Connect(fd, sa); err != nil {
			t.Fatal(err)
		}
		unix.Write(fd, []byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
	}
	eventually(t, "evio has given up", func() bool { return r.Counters().Errors.Accept > 0 })
	restore()
	p := r.dial()
	p.send(get("/"))
	p.wantReply("GET", 200, "ok")
	for _, fd := range early {
		text, err := io.ReadAll(connOf(t, fd))
		if errors.Is(err, os.ErrDeadlineExceeded) || len(text) > 0 && !strings.Contains(string(text), " 200 ") && !strings.Contains(string(text), " 503 ") {
			t.Errorf("who waited got %q, %v", text, err)
		}
	}
}

// TestFewFilesLeft leaves fewer descriptors than evio needs to accept in safety: new clients are closed, requests that
// need a new connection to a backend are answered, whoever needs none feels nothing, and evio never sees that they run
// out.
func TestFewFilesLeft(t *testing.T) {
	lowerFileLimit(t)
	r := newRig(t, handler(t, func(http.ResponseWriter, *http.Request) {}), func(o *Options) { o.Splicers = 1 })
	r.gates.add(t, "fresh", echo(t))
	bystander, c := r.dial(), r.dial()
	bystander.send(get("/"))
	bystander.wantReply("GET", 200, "")
	c.send("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
	c.wantReply("GET", 200, "")
	restore := takeFiles(t, r.limits.lastFile)
	r.dial().wantOver()
	c.send("GET / HTTP/1.1\r\nHost: fresh\r\n\r\n")
	c.wantReply("GET", 503, "503 Service Unavailable\n")
	bystander.send(get("/"))
	bystander.wantReply("GET", 200, "")
	restore()
	late := r.dial()
	late.send("GET / HTTP/1.1\r\nHost: fresh\r\n\r\n")
	late.wantReply("GET", 200, "GET fresh / []")
	if n := r.Counters(); n.Errors.Accept != 0 || n.Refused == 0 {
		t.Errorf("got %+v", n)
	}
}

// TestRoundWithoutFiles checks that evio is not begun when there is less than it needs, and that nothing stays open.
func TestRoundWithoutFiles(t *testing.T) {
	lowerFileLimit(t)
	r := newRig(t, "")
	before := openFiles(t)
	restore := takeFiles(t, fewFiles-decoys)
	_, err := startRound(&front{server: r.Server})
	restore()
	if !outOfFiles(err) {
		t.Errorf("got %v", err)
	}
	if after := openFiles(t); after > before { // what is left of other tests may end meanwhile
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestDeadRound has a round wait for a word of evio's that does not come. What it leaves open then is evio's: two
// descriptors of each listener, an epoll and its eventfd, and the end of the bell.
func TestDeadRound(t *testing.T) {
	r := newRig(t, "")
	before := openFiles(t)
	x, err := startRound(&front{server: r.Server, quit: make(chan struct{})})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.await(make(chan error)); err != errDeaf { // nor has it been heard before: what it did is not known either
		t.Errorf("got %v", err)
	}
	if after := openFiles(t); after > before+7 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestDecoysComeFirst checks that the descriptors that are given up before evio closes its own have the lower numbers:
// whatever is opened while evio closes twice gets one of them.
func TestDecoysComeFirst(t *testing.T) {
	r := newRig(t, "")
	fds, err := listenersAt(r.listener.Addr())
	if err != nil || len(fds) != 3 {
		t.Fatalf("listeners: %v, %v", fds, err)
	}
	fds = slices.DeleteFunc(fds, func(fd int) bool { return fd == r.listener.fd })
	lower := 0
	for fd := 3; fd < slices.Min(fds); fd++ {
		if path, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); path == os.DevNull {
			lower++
		}
	}
	if lower < decoys {
		t.Errorf("%d decoys are below evio's listeners, want %d", lower, decoys)
	}
}

// fewFiles lowers RLIMIT_NOFILE for the length of a test.
const fewFiles = 256

func lowerFileLimit(t *testing.T) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: fewFiles, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}

// takeFiles leaves no free descriptor below a number until restore is called.
func takeFiles(t *testing.T, below int) (restore func()) {
	t.Helper()
	var held []int
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			break
		}
		if fd >= below {
			unix.Close(fd)
			break
		}
		held = append(held, fd)
	}
	restore = sync.OnceFunc(func() {
		for _, fd := range held {
			unix.Close(fd)
		}
	})
	t.Cleanup(restore)
	return restore
}

// connOf makes a descriptor a connection of Go's.
func connOf(t *testing.T, fd int) net.Conn {
	t.Helper()
	f := os.NewFile(uintptr(fd), "")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// openFiles counts this process's descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

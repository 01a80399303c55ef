package takeover

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// firstLine is a log of which the first line is waited for.
type firstLine chan string

func (l firstLine) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}

// TestNoDescriptorForAYounger: an engine that has no descriptor for one that comes hears it when it has one again.
func TestNoDescriptorForAYounger(t *testing.T) {
	o, dir := publish(t)
	logged := make(firstLine, 1)
	other := t.TempDir()
	offer, err := Publish(other, o, slog.New(slog.NewTextHandler(logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer offer.Withdraw()
	meet(t, dir).Close() // so that all is open that stays open
	folder, err := os.Open(other)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	restore := noMoreDescriptors(t)
	defer restore()
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: filepath.Join(fmt.Sprintf("/proc/self/fd/%d", folder.Fd()), socketName)}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-logged:
	case <-time.After(answerTimeout):
		t.Fatal("the connection was taken, although there was no descriptor")
	}
	restore()
	meet(t, other)
}

// noMoreDescriptors has this process get none until restore.
func noMoreDescriptors(t *testing.T) (restore func()) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: 0, Max: limit.Max} // what is open stays so
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	return func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }
}

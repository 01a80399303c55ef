package netio

import (
	"testing"

	"golang.org/x/sys/unix"
)

// filledPair returns the end of a socket from which much can be read, and how much; or, with 0, to which much can be
// written.
func filledPair(t *testing.T, size int) (*conn, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	filled := 0
	for filled < size {
		n, err := unix.Write(fds[1], make([]byte, min(bufferSize, size-filled)))
		if err != nil {
			break
		}
		filled += n
	}
	return &conn{fd: fds[0], readable: true, writable: true}, filled
}

// TestGuestShare checks that a flow of the guest moves little before evio gets its loop back, by reads and by splice, and
// one of another loop more.
func TestGuestShare(t *testing.T) {
	const little = 96 << 10
	s, err := newSplicer(&Server{limits: limits{soft: 100, pipes: 10, lastFile: 1 << 20}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.end()
	for _, c := range []struct {
		name  string
		inner int
		bulk  bool
	}{{"the guest reads", 0, false}, {"the guest splices", 0, true}, {"another reads", -1, false}, {"another splices", -1, true}} {
		s.inner = c.inner
		src, filled := filledPair(t, 2*little)
		dst, _ := filledPair(t, 0)
		f := flow{bulk: c.bulk, body: body{kind: fixedLength, left: 1 << 30}}
		verdict := s.move(&f, src, dst)
		taken := 1<<30 - f.body.left
		if c.inner >= 0 && (verdict != moveAgain || taken > little) || c.inner < 0 && taken <= little {
			t.Errorf("%s: %d of %d bytes, then %v", c.name, taken, filled, verdict)
		}
		f.drop(s)
	}
}

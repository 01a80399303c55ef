package netio

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestIdleClientsAreSmall counts the memory of clients between two requests. They are raw sockets at the other end, so
// that what is counted is the server's.
func TestIdleClientsAreSmall(t *testing.T) {
	if invariants {
		t.Skip("the race detector makes everything larger")
	}
	const clients, most = 400, 512 // bytes
	r := newRig(t, plainBackend(t, ok2))
	_, address := sockaddrOf(r.listener.Addr())
	sent, got := []byte(get("/")), make([]byte, len(ok2))
	fds := make([]int, 0, 2*clients)
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	connect := func(n int) {
		for range n {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			fds = append(fds, fd)
			if err := unix.Connect(fd, address); err != nil {
				t.Fatal(err)
			}
			if _, err := unix.Write(fd, sent); err != nil {
				t.Fatal(err)
			}
			for n := 0; n < len(got); {
				m, err := unix.Read(fd, got[n:])
				if m <= 0 {
					t.Fatalf("got %q, %v", got[:n], err)
				}
				n += m
			}
		}
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what the first has freed of pools
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	connect(50)
	before := heap()
	connect(clients)
	if each := (heap() - before) / clients; each > most {
		t.Errorf("an idle client takes %d bytes, more than %d", each, most)
	} else {
		t.Logf("an idle client takes %d bytes", each)
	}
}

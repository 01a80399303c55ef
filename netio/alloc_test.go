package netio

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// TestNothingIsAllocated counts the allocations of the whole process, both ends of each connection included, over some
// thousand requests on warm connections.
func TestNothingIsAllocated(t *testing.T) {
	if invariants {
		t.Skip("the race detector allocates")
	}
	const requests = 5000
	const head = "GET /index.html?q=1 HTTP/1.1\r\nHost: hello.localhost:3000\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
	const post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	for name, request := range map[string]string{"GET": head, "POST": post} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, plainBackend(t, ok2))
			c, err := net.Dial("tcp", r.listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			sent, got := []byte(request), make([]byte, len(ok2))
			exchange := func(n int) {
				for range n {
					if _, err := c.Write(sent); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(c, got); err != nil || string(got) != ok2 {
						t.Fatalf("got %q, %v", got, err)
					}
				}
			}
			exchange(100)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			exchange(requests)
			runtime.ReadMemStats(&after)
			// The runtime itself allocates a little now and then, for timers and threads.
			if n := after.Mallocs - before.Mallocs; n > requests/50 {
				t.Errorf("%d allocations in %d requests", n, requests)
			}
		})
	}
}

// plainBackend answers each read with the same bytes. It allocates nothing.
func plainBackend(t testing.TB, reply string) string {
	out := []byte(reply)
	return backend(t, func(p *peer) {
		p.SetDeadline(time.Time{})
		in := make([]byte, 4096)
		for {
			if n, err := p.Read(in); n == 0 || err != nil {
				return
			}
			if _, err := p.Write(out); err != nil {
				return
			}
		}
	})
}

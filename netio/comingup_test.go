package netio

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shy is a backend that closes its first connections without a word and answers the others.
func shy(t *testing.T, closes int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if n < closes {
				c.Close()
				continue
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// comesUp is a rig whose backend is in the time of its start.
func comesUp(t *testing.T, address string) *rig {
	t.Helper()
	r := newRig(t, address)
	r.service().backend.Load().RetryUntil = time.Now().Add(patience)
	return r
}

func TestAConnectionClosedWithoutAWordWhileComingUp(t *testing.T) {
	const get, post = "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
	p := comesUp(t, shy(t, 5)).dial()
	p.send(get)
	p.wantReply("GET", 200, "up")

	// What may have been done must not be done twice.
	p = comesUp(t, shy(t, 1)).dial()
	p.send(post)
	if resp, _ := p.reply("POST"); resp.StatusCode != 502 {
		t.Errorf("a POST that the backend may have seen: %d, want 502", resp.StatusCode)
	}

	// A service that has been up for long has no such excuse.
	p = newRig(t, shy(t, 1)).dial()
	p.send(get)
	if resp, _ := p.reply("GET"); resp.StatusCode != 502 {
		t.Errorf("a service that is not coming up: %d, want 502", resp.StatusCode)
	}
}

func TestARefusedConnectionWhileComingUp(t *testing.T) {
	address := freeAddress(t)
	r := comesUp(t, address)
	p := r.dial()
	p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
	eventually(t, "the request has been tried again", func() bool { return r.Counters().Retries > 2 })
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup"); err != nil {
		t.Fatal(err)
	}
	p.wantReply("POST", 200, "up")
}

// A run that has ended is not waited for, nor is a client that has left.
func TestComingUpEnds(t *testing.T) {
	r := comesUp(t, freeAddress(t))
	p, gone := r.dial(), r.dial()
	for _, c := range []*peer{p, gone} {
		c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	eventually(t, "both have been tried again", func() bool { return r.Counters().Retries > 4 })
	gone.Close()
	eventually(t, "the client's leaving was seen", func() bool { return r.Counters().Errors.ClientGone == 1 })
	<-r.Retire(r.service().backend.Load(), true)
	if resp, _ := p.reply("GET"); resp.StatusCode != 502 {
		t.Errorf("after the end of the run: %d, want 502", resp.StatusCode)
	}
}

// TestWhatHasAnsweredIsNotComingUp: a service that ends soon after it came up is not waited for, and its end is told.
func TestWhatHasAnsweredIsNotComingUp(t *testing.T) {
	address := freeAddress(t)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		l.Close() // before the answer: whoever has it finds nobody
		if err == nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nup")
			c.Close()
		}
	}()
	r := comesUp(t, address)
	p := r.dial()
	p.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	p.wantReply("GET", 200, "up")
	p.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if resp, _ := p.reply("GET"); resp.StatusCode != 502 {
		t.Errorf("got %d, want 502", resp.StatusCode)
	}
	if told, tries := r.service().unreachable.Load(), r.Counters().Retries; told != 1 || tries != 0 {
		t.Errorf("told %d times, tried again %d times; want 1 and 0", told, tries)
	}
}

// freeAddress is one where nothing listens until the test does. A socket that never listens has it to the test's end, so
// that the kernel gives it to nobody else.
func freeAddress(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil { // as the listener has
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return addrPortOf(sa).String()
}

// What cannot be reached is told, once it has no more time to come up.
func TestUnreachableIsTold(t *testing.T) {
	for _, address := range []string{freeAddress(t), "unix:" + t.TempDir() + "/none"} {
		r := newRig(t, address)
		p := r.dial()
		p.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if resp, _ := p.reply("GET"); resp.StatusCode != 502 {
			t.Errorf("%s: %d, want 502", address, resp.StatusCode)
		}
		if n := r.service().unreachable.Load(); n != 1 {
			t.Errorf("%s: told %d times", address, n)
		}
	}
	// One that answers badly is there.
	r := newRig(t, shy(t, 1))
	p := r.dial()
	p.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if resp, _ := p.reply("GET"); resp.StatusCode != 502 || r.service().unreachable.Load() != 0 {
		t.Errorf("%d, told %d times", resp.StatusCode, r.service().unreachable.Load())
	}
}

package netio

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// noise is a body that is the same for the same seed.
type noise struct {
	r    *rand.ChaCha8
	left int64
}

func newNoise(size int64) io.Reader { return &noise{rand.NewChaCha8([32]byte{1}), size} }

func (n *noise) Read(p []byte) (int, error) {
	if n.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), n.left)]
	n.r.Read(p)
	n.left -= int64(len(p))
	return len(p), nil
}

func sum(r io.Reader) string {
	var h hash.Hash = sha256.New()
	n, err := io.Copy(h, r)
	return fmt.Sprintf("%d %v %x", n, err, h.Sum(nil))
}

// TestLargeBodies moves much more than any memory of ours could hold, both ways, with a length and in chunks, and looks
// at how the heap grows meanwhile.
func TestLargeBodies(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() || invariants {
		size = 32 << 20
	}
	want := sum(newNoise(size))
	r := newRig(t, handler(t, func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/up":
			io.WriteString(w, sum(q.Body))
		case "/length":
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			io.Copy(w, newNoise(size))
		default:
			io.Copy(w, newNoise(size))
		}
	}))
	base := "http://" + r.listener.Addr().String()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	stop := make(chan struct{})
	peak := heapPeak(stop)
	for _, path := range []string{"/length", "/chunks"} {
		resp, err := client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		if got := sum(resp.Body); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
		resp.Body.Close()
	}
	for _, length := range []int64{size, -1} {
		q, _ := http.NewRequest("PUT", base+"/up", newNoise(size))
		q.ContentLength = length
		resp, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(resp.Body); string(got) != want {
			t.Errorf("length %d: got %s, want %s", length, got, want)
		}
		resp.Body.Close()
	}
	close(stop)
	if grown := <-peak; grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// heapPeak watches how far the heap grows until stop is closed, then tells.
func heapPeak(stop chan struct{}) chan int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, grown := int64(m.HeapAlloc), int64(0)
	result := make(chan int64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				result <- grown
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				grown = max(grown, int64(m.HeapAlloc)-before)
			}
		}
	}()
	return result
}

// TestBackPressure checks that a client that reads nothing stops its backend, and a backend that reads nothing its
// client, after as much as sockets and one buffer hold; and that all of it arrives when they read on.
func TestBackPressure(t *testing.T) {
	const size = 64 << 20
	var pushed atomic.Int64
	count := func(p *peer) error {
		chunk := make([]byte, 64<<10)
		for n := 0; n < size; n += len(chunk) {
			if _, err := p.Write(chunk); err != nil {
				return err
			}
			pushed.Add(int64(len(chunk)))
		}
		return nil
	}
	stands := func() {
		t.Helper()
		last, since := int64(-1), time.Now()
		eventually(t, "nothing moves any more", func() bool {
			if n := pushed.Load(); n != last {
				last, since = n, time.Now()
			}
			return last > 0 && time.Since(since) > 300*time.Millisecond
		})
		if last >= size {
			t.Errorf("all %d bytes went somewhere", last)
		}
	}
	address, accept := scripted(t)
	r := newRig(t, address)
	c := r.dial()
	c.send(get("/"))
	b := accept()
	b.head()
	b.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size))
	go count(b)
	stands()
	c.head()
	if n, err := io.CopyN(io.Discard, c.r, size); err != nil {
		t.Fatalf("got %d bytes, %v", n, err)
	}
	pushed.Store(0)
	c.send(fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
	go count(c)
	b.head()
	stands()
	if n, err := io.CopyN(io.Discard, b.r, size); err != nil {
		t.Fatalf("got %d bytes, %v", n, err)
	}
	b.send(ok2)
	c.wantReply("PUT", 200, "ok")
}

// TestNoDescriptorLeaks counts this process's descriptors before a server and after.
func TestNoDescriptorLeaks(t *testing.T) {
	address := echo(t)
	before := openFiles(t)
	t.Run("", func(t *testing.T) {
		r := newRig(t, address)
		var peers []*peer
		for i := range 100 {
			c := r.dial()
			peers = append(peers, c)
			switch i % 4 {
			case 0:
				c.send(get("/"))
				c.reply("GET")
			case 1:
				c.send("nonsense\r\n\r\n")
				c.reply("GET")
			case 2:
				c.send("GET / HT")
			}
		}
		r.service().open.Store(false)
		for i := range 20 {
			peers[4*i].send(get("/"))
		}
		r.service().take(t, 20)
		r.Close()
	})
	eventually(t, "all descriptors are closed", func() bool { return openFiles(t) <= before })
}

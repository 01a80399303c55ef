package netio

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
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

// TestStress has many clients send all kinds of requests while gates open and shut at random, backends close their
// connections at random and clients leave in the middle. Every reply that comes must be the right one.
func TestStress(t *testing.T) {
	length := 2 * time.Second
	if testing.Short() {
		length = time.Second
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := newRig(t, "")
	var gates []*gate
	for i := range 4 {
		address := serveHandler(t, &http.Server{Handler: http.HandlerFunc(stressBackend), IdleTimeout: 3 * time.Millisecond})
		gates = append(gates, r.gates.add(t, fmt.Sprintf("s%d", i), address))
	}
	stop := make(chan struct{})
	time.AfterFunc(length, func() { close(stop) })
	var openers, clients sync.WaitGroup
	for i, g := range gates {
		openers.Go(func() { shutAndOpen(t, r, g, rand.New(rand.NewPCG(seed, uint64(i))), stop) })
	}
	var answered, left, unlucky atomic.Int64
	for i := range 48 {
		clients.Go(func() {
			s := &stressClient{T: t, rig: r, random: rand.New(rand.NewPCG(seed, uint64(1000+i))), answered: &answered, left: &left, unlucky: &unlucky}
			s.run(stop)
		})
	}
	clients.Wait()
	openers.Wait()
	eventually(t, "all leases are released", func() bool { n := r.Counters(); return n.Leases == 0 && n.Waiting == 0 })
	n := r.Counters()
	t.Logf("%d answered, %d left, %d unlucky; %+v", answered.Load(), left.Load(), unlucky.Load(), n)
	if answered.Load() < 200 || left.Load() == 0 {
		t.Errorf("too little happened: %d answered, %d left", answered.Load(), left.Load())
	}
	if n.Answers != unlucky.Load() {
		t.Errorf("%d answers are ours", n.Answers)
	}
}

// stressBackend echoes, in chunks or with a length, and closes its connection after some of the replies. Its server closes
// idle connections about when they are used again.
func stressBackend(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	n := rand.IntN(20)
	if n == 0 {
		w.Header().Set("Connection", "close")
	}
	if n%2 == 0 {
		w.(http.Flusher).Flush()
	}
	fmt.Fprintf(w, "%s %s %d ", q.Host, q.RequestURI, len(body))
	w.Write(body)
}

// shutAndOpen plays the actor of one service: a gate shuts at random, and opens when somebody has waited for a moment.
// Each opening is a new run, so what was pooled for the last one is retired.
func shutAndOpen(t *testing.T, r *rig, g *gate, random *rand.Rand, stop chan struct{}) {
	for running := true; running; {
		select {
		case <-stop:
			running = false
		case <-time.After(time.Duration(random.IntN(100)) * time.Millisecond):
		}
		g.open.Store(false)
		old := g.backend.Load()
		b, err := NewBackend(old.Address, "", 0)
		if err != nil {
			t.Error(err)
			return
		}
		<-r.Retire(old, false)
		g.backend.Store(b)
		g.open.Store(true)
		g.grantAll()
	}
	// Who read the gate as shut just before it opened for good asks later.
	for {
		select {
		case <-g.changed:
			g.grantAll()
		case <-time.After(200 * time.Millisecond):
			return
		}
	}
}

func (g *gate) grantAll() {
	g.mu.Lock()
	all := g.waiters
	g.waiters = nil
	g.mu.Unlock()
	for _, w := range all {
		w.Grant()
	}
}

type stressClient struct {
	*testing.T
	*rig
	random                  *rand.Rand
	answered, left, unlucky *atomic.Int64
}

func (s *stressClient) run(stop chan struct{}) {
	for {
		c, err := net.Dial("tcp", s.listener.Addr().String())
		if err != nil {
			s.T.Error(err)
			return
		}
		c.SetDeadline(time.Now().Add(patience))
		in := bufio.NewReader(c)
		for range 1 + s.random.IntN(30) {
			select {
			case <-stop:
				c.Close()
				return
			default:
			}
			if !s.exchange(c, in) {
				break
			}
		}
		c.Close()
	}
}

// exchange sends one request and checks its reply. It returns false when the connection is to be given up.
func (s *stressClient) exchange(c net.Conn, in *bufio.Reader) bool {
	body := bytes.Repeat([]byte{byte('a' + s.random.IntN(26))}, s.random.IntN(3)*s.random.IntN(30_000))
	host, path := fmt.Sprintf("s%d", s.random.IntN(4)), fmt.Sprintf("/%x", s.random.Uint64())
	var out bytes.Buffer
	fmt.Fprintf(&out, "PUT %s HTTP/1.1\r\nHost: %s\r\n", path, host)
	if s.random.IntN(2) == 0 {
		fmt.Fprintf(&out, "Content-Length: %d\r\n\r\n%s", len(body), body)
	} else {
		fmt.Fprintf(&out, "Transfer-Encoding: chunked\r\n\r\n")
		if len(body) > 0 {
			fmt.Fprintf(&out, "%x\r\n%s\r\n", len(body), body)
		}
		out.WriteString("0\r\n\r\n")
	}
	if s.random.IntN(25) == 0 { // leave in the middle
		c.Write(out.Bytes()[:s.random.IntN(out.Len())])
		if s.random.IntN(2) == 0 {
			c.(*net.TCPConn).SetLinger(0)
		}
		s.left.Add(1)
		return false
	}
	if _, err := c.Write(out.Bytes()); err != nil {
		s.T.Errorf("cannot send: %v", err)
		return false
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		s.T.Errorf("no reply: %v", err)
		return false
	}
	got, err := io.ReadAll(resp.Body)
	want := fmt.Sprintf("%s %s %d %s", host, path, len(body), body)
	if resp.StatusCode == 502 && out.Len() > bufferSize/2 {
		s.unlucky.Add(1) // it met a close by the backend, and was too large to be sent again
		return !resp.Close
	}
	if err != nil || resp.StatusCode != 200 || string(got) != want {
		s.T.Errorf("got %d %.100q (%d bytes), %v; want %.100q (%d bytes)", resp.StatusCode, got, len(got), err, want, len(want))
		return false
	}
	s.answered.Add(1)
	return !resp.Close
}

// TestNoDescriptorLeaks counts this process's descriptors before a server and after.
func TestNoDescriptorLeaks(t *testing.T) {
	address := echo(t)
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
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
	eventually(t, "all descriptors are closed", func() bool { return count() <= before })
}

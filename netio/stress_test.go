package netio

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

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
	over := make(chan struct{}) // all clients have gone
	var openers, clients sync.WaitGroup
	for i, g := range gates {
		openers.Go(func() { shutAndOpen(t, r, g, rand.New(rand.NewPCG(seed, uint64(i))), stop, over) })
	}
	var answered, left, unlucky atomic.Int64
	for i := range 48 {
		clients.Go(func() {
			s := &stressClient{T: t, rig: r, random: rand.New(rand.NewPCG(seed, uint64(1000+i))), answered: &answered, left: &left, unlucky: &unlucky}
			s.run(stop)
		})
	}
	func() {
		defer close(stop)
		<-time.After(length)
		eventually(t, "enough has happened", func() bool { return answered.Load() >= 200 && left.Load() > 0 })
	}()
	clients.Wait()
	close(over)
	openers.Wait()
	eventually(t, "all leases are released", func() bool { n := r.Counters(); return n.Leases == 0 && n.Waiting == 0 })
	n := r.Counters()
	t.Logf("%d answered, %d left, %d unlucky; %+v", answered.Load(), left.Load(), unlucky.Load(), n)
	if n.Answers > unlucky.Load()+left.Load() { // who has left may have been as unlucky
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
func shutAndOpen(t *testing.T, r *rig, g *gate, random *rand.Rand, stop, over chan struct{}) {
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
		case <-over:
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

package netio

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. Nothing is asserted about how fast it does.
const patience = 20 * time.Second

// unhurried are deadlines that do not pass while a test waits, however long its process stands still in between: those
// of a rig, but for what a test changes.
var unhurried = Timeouts{Head: 2 * patience, KeepAlive: 2 * patience, Connect: 2 * patience, Write: 2 * patience}

// A rig is a Server on loopback with an Admission that a test can steer. Its end checks that no lease and no waiter is
// left.
type rig struct {
	*testing.T
	*Server
	listener *Listener
	gates    *gates
}

// newRig starts a server whose one service, for every host, is the backend at address ("" for none yet).
func newRig(t *testing.T, address string, change ...func(*Options)) *rig {
	t.Helper()
	return newLimitedRig(t, address, func(*limits) {}, change...)
}

// newCappedRig does so with one hard cap on all sockets.
func newCappedRig(t *testing.T, address string, hard int64, change ...func(*Options)) *rig {
	t.Helper()
	return newLimitedRig(t, address, func(l *limits) {
		l.soft, l.hard, l.all = hard, hard, hard
	}, change...)
}

// newLimitedRig does so with caps of its own.
func newLimitedRig(t *testing.T, address string, limit func(*limits), change ...func(*Options)) *rig {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gates{services: make(map[string]*gate)}
	if address != "" {
		g.add(t, "", address)
	}
	o := Options{Listeners: []*Listener{l}, Admission: g, Splicers: 2, Timeouts: unhurried, Log: slog.New(slog.NewTextHandler(testWriter{t}, nil))}
	for _, f := range change {
		f(&o)
	}
	caps := o.limits()
	limit(&caps)
	s, err := serve(o.withDefaults(), caps)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, Server: s, listener: l, gates: g}
	t.Cleanup(r.end)
	return r
}

func (r *rig) end() {
	r.Server.Close()
	c := r.Counters()
	if c.Leases != 0 || c.Waiting != 0 || c.Connections != 0 || c.BackendIdle != 0 || c.Tunnels != 0 || c.Errors.Panics != 0 {
		r.Errorf("after Close: %+v", c)
	}
	if p, s := r.pipes.Load(), r.sockets.Load(); p != 0 || s != 0 {
		r.Errorf("after Close: %d pipes, %d sockets", p, s)
	}
	r.gates.each(func(g *gate) {
		if n := g.out.Load(); n != 0 {
			r.Errorf("%d leases were not released", n)
		}
		if n := g.relaxed.Load(); n != 0 {
			r.Errorf("%d relaxed leases were not released", n)
		}
	})
}

// service is the gate of the one service.
func (r *rig) service() *gate { return r.gates.services[""] }

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Helper()
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// gates is an Admission. A host without a service of its own gets the one called "".
type gates struct {
	mu       sync.Mutex
	services map[string]*gate
	routed   func(listener int, host, path string)
	looked   func(Fields)
}

func (g *gates) add(t *testing.T, host, address string) *gate {
	t.Helper()
	b, err := NewBackend(address, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	gt := &gate{changed: make(chan struct{}, 1)}
	gt.backend.Store(b)
	gt.open.Store(true)
	g.mu.Lock()
	g.services[host] = gt
	g.mu.Unlock()
	return gt
}

func (g *gates) each(f func(*gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, gt := range g.services {
		f(gt)
	}
}

func (g *gates) Route(listener int, host, path []byte, fields Fields) Route {
	if g.looked != nil {
		g.looked(fields)
	}
	if g.routed != nil {
		g.routed(listener, string(host), string(path))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if gt := g.services[string(host)]; gt != nil {
		return gt
	}
	if gt := g.services[""]; gt != nil {
		return gt
	}
	return nil
}

// A gate is a Route, and the one Lease that it gives out again and again.
type gate struct {
	backend     atomic.Pointer[Backend]
	open        atomic.Bool
	out         atomic.Int64 // leases
	acquired    atomic.Int64
	relaxed     atomic.Int64 // leases that do not hold it up
	canceled    atomic.Int64
	unreachable atomic.Int64
	served      atomic.Pointer[Timing]
	added       string // to the replies of those who have waited

	mu      sync.Mutex
	waiters []*Waiter
	changed chan struct{} // a waiter came or went
	onWait  func(*Waiter)
}

func (g *gate) Acquire(*Waiter) (Lease, *Backend) {
	if !g.open.Load() {
		return nil, nil
	}
	g.out.Add(1)
	g.acquired.Add(1)
	return g, g.backend.Load()
}

// change changes the backend before it is used. The loops, which run, see that by the pointer.
func (g *gate) change(f func(*Backend)) {
	b := g.backend.Load()
	f(b)
	g.backend.Store(b)
}

func (g *gate) Release() {
	if g.out.Add(-1) < 0 {
		panic("a lease was released twice")
	}
}

func (g *gate) Relax() Lease {
	g.Release()
	g.relaxed.Add(1)
	return relaxed{g}
}

// relaxed is a lease that has been relaxed.
type relaxed struct{ *gate }

func (r relaxed) Release() {
	if r.relaxed.Add(-1) < 0 {
		panic("a relaxed lease was released twice")
	}
}
func (r relaxed) Relax() Lease { panic("a lease was relaxed twice") }

func (g *gate) Wait(w *Waiter) {
	if g.onWait != nil {
		g.onWait(w)
		return
	}
	g.mu.Lock()
	g.waiters = append(g.waiters, w)
	g.mu.Unlock()
	g.signal()
}

func (g *gate) Cancel(w *Waiter) {
	g.canceled.Add(1)
	g.mu.Lock()
	for i := range g.waiters {
		if g.waiters[i] == w {
			g.waiters = append(g.waiters[:i], g.waiters[i+1:]...)
			break
		}
	}
	g.mu.Unlock()
	g.signal()
}

func (g *gate) Unreachable(*Backend) { g.unreachable.Add(1) }

func (g *gate) Served(l Lease, t Timing) string {
	if l != Lease(g) {
		panic("it was served by another's lease")
	}
	g.served.Store(&t)
	return g.added
}

func (g *gate) signal() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// take returns the waiters, once there are n of them.
func (g *gate) take(t testing.TB, n int) []*Waiter {
	t.Helper()
	for deadline := time.After(patience); ; {
		g.mu.Lock()
		if len(g.waiters) >= n {
			all := g.waiters
			g.waiters = nil
			g.mu.Unlock()
			return all
		}
		g.mu.Unlock()
		select {
		case <-g.changed:
		case <-deadline:
			t.Fatalf("%d waiters did not come", n)
		}
	}
}

// eventually waits until a condition holds that no event tells of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// dial connects a client. What the test has written before, the loops see: gates.Route takes the same lock later.
func (r *rig) dial() *peer {
	r.Helper()
	r.gates.each(func(*gate) {})
	c, err := net.Dial("tcp", r.listener.Addr().String())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { c.Close() })
	return newPeer(r.T, c)
}

// kept connects a client that has been answered once. Where heads have a short deadline, one that was held up before its
// request has been closed: then another comes.
func (r *rig) kept(host string) (c *peer) {
	r.Helper()
	eventually(r.T, "a client is answered", func() bool {
		c = r.dial()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		resp, err := http.ReadResponse(c.r, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		if err != nil {
			c.Close()
		}
		return err == nil
	})
	return c
}

func get(path string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: a.example\r\n\r\n", path)
}

const ok2 = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

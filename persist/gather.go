package persist

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// maxName is the longest name of a service, in bytes. Host names end at 253.
const maxName = 1024

const (
	gatherFor = 20 * time.Millisecond // from the first record that nobody waits for to its batch: a start makes four
	useEvery  = time.Second           // how often last uses are written
)

// gathered is what is known of every service, and which keys of the store may
// say something else. It is bounded by the number of services whatever the disk
// does: what is put twice is known once.
type gathered struct {
	wake chan struct{} // somebody waits for the writer; holds one
	due  *time.Timer   // the writer is to come: runs while something is pending that nobody waits for

	mu       sync.Mutex
	services map[string]known
	pending  map[string]stale // to be written soon
	touched  map[string]bool  // services whose last use is to be written with the next batch, or within a second
	waiting  []chan error     // each PutSync: told how the batch that holds its record ended
	closed   bool
}

// known is what the store should hold on one service.
type known struct {
	body []byte // of the record, encoded; nil: only the last use is known
	used time.Time
}

// stale is which keys of a service differ from what is known.
type stale uint8

const (
	staleRecord stale = 1 << iota
	staleUse
)

func newGathered() gathered {
	due := time.NewTimer(time.Hour)
	due.Stop()
	return gathered{
		wake:     make(chan struct{}, 1),
		due:      due,
		services: make(map[string]known),
		pending:  make(map[string]stale),
		touched:  make(map[string]bool),
	}
}

// Put keeps a record in place of what was known of the service. It never
// blocks and keeps nothing of r. A zero or older LastUse leaves the known one.
func (s *Store) Put(r Record) {
	if err := s.gathered.put(r, nil); err != nil && !errors.Is(err, ErrClosed) {
		s.log.Warn("a record is not kept", "service", cut(r.Service), "cause", err.Error())
	}
}

// PutSync is Put, and returns when the record is durable. On an error the
// record is kept in memory and written as soon as that works, as Put would have
// done; the caller decides whether to go on without it. While the disk fails it
// returns the fault at once.
func (s *Store) PutSync(ctx context.Context, r Record) error {
	if _, fault := s.health.get(); fault != nil {
		s.Put(r) // for the first batch after the fault
		return fault
	}
	done := make(chan error, 1)
	if err := s.gathered.put(r, done); err != nil {
		return fmt.Errorf("cannot keep the record of %s: %w", cut(r.Service), err)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("cannot tell whether the record of %s is durable: %w", r.Service, context.Cause(ctx))
	}
}

// Forget drops what is known of a service.
func (s *Store) Forget(service string) {
	s.gathered.change(func(g *gathered) {
		delete(g.services, service)
		delete(g.touched, service)
		g.pending[service] = staleRecord | staleUse
	})
}

// Used says that a service was in use at that time. It never blocks, and is
// written within a second, in one batch for all services. One that is not known
// becomes known by it: no use may follow its Forget.
func (s *Store) Used(service string, at time.Time) {
	g := &s.gathered
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.services[service]
	at = later(k.used, at.Round(0), time.Now())
	if g.closed || at.Equal(k.used) || checkName(service) != nil {
		return
	}
	k.used = at
	g.services[service] = k
	if len(g.touched) == 0 && len(g.pending) == 0 { // else it is due already, and not to be put off
		g.due.Reset(useEvery)
	}
	g.touched[service] = true
}

// put takes a record. done, if any, is told how the batch that holds it ended.
func (g *gathered) put(r Record, done chan error) error {
	if err := checkName(r.Service); err != nil {
		return err
	}
	body := appendRecord(nil, &r)
	now := time.Now()
	return g.change(func(g *gathered) {
		k := g.services[r.Service]
		what := staleRecord
		if used := later(k.used, r.LastUse.Round(0), now); !used.Equal(k.used) {
			k.used = used
			what |= staleUse
		}
		k.body = body
		g.services[r.Service] = k
		g.pending[r.Service] |= what
		if done != nil {
			g.waiting = append(g.waiting, done)
		}
	})
}

func checkName(service string) error {
	if service == "" || len(service) > maxName {
		return fmt.Errorf("a service's name has 1 to %d bytes", maxName)
	}
	return nil
}

// change applies what makes something pending, and sees to it that it is written: at
// once if somebody waits, else soon. The timer costs a start less than to wake the
// writer, so that it waits.
func (g *gathered) change(apply func(*gathered)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	known := len(g.pending) > 0
	apply(g)
	switch {
	case len(g.waiting) > 0:
		g.signal()
	case !known:
		g.due.Reset(gatherFor)
	}
	return nil
}

func (g *gathered) signal() {
	select {
	case g.wake <- struct{}{}:
	default: // the writer has not come yet to what it was woken for
	}
}

// batch is what is taken to be written in one go.
type batch struct {
	stale   map[string]stale
	writes  []write
	waiting []chan error
}

// write is one key: set to the body, or deleted where there is none.
type write struct {
	key  string
	body []byte
}

// take hands over all that is pending, as it is known now. It must be given
// back if it is not written.
func (g *gathered) take() batch {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := batch{stale: g.pending, waiting: g.waiting}
	for name := range g.touched {
		b.stale[name] |= staleUse
	}
	g.pending, g.touched, g.waiting = make(map[string]stale), make(map[string]bool), nil
	for name, what := range b.stale {
		k := g.services[name]
		if what&staleRecord != 0 {
			b.writes = append(b.writes, write{recordPrefix + name, k.body})
		}
		if what&staleUse != 0 {
			b.writes = append(b.writes, write{usePrefix + name, encodeUse(k.used)})
		}
	}
	return b
}

func encodeUse(at time.Time) []byte {
	if at.IsZero() {
		return nil
	}
	return binary.AppendVarint(nil, at.UnixNano())
}

// giveBack makes what was not written pending again. What was put since is
// newer, and is what the next take finds.
func (g *gathered) giveBack(b batch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, what := range b.stale {
		g.pending[name] |= what
	}
}

// leave hands over who waits and nothing else.
func (g *gathered) leave() []chan error {
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting := g.waiting
	g.waiting = nil
	return waiting
}

// close ends the gathering: what is pending stays for one last batch.
func (g *gathered) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

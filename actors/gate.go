package actors

import (
	"sync/atomic"
	"time"
)

// Gate is how requests meet one run of a service without a message to its
// actor. It says where the run is reached, lets requests in while it is open,
// and counts the leases that are out. Safe for concurrent use.
//
// All that decides is in one word: the open bit, the mark that requests queue for a
// lease, the leases that hold the service up, and the passive ones that do not. To
// ask whether the service is idle and to shut its gate is one compare-and-swap.
type Gate struct {
	word    atomic.Uint64
	limit   int          // leases at one time; 0: any number
	queue   *queue       // for one of them; nil without a limit
	lastUse atomic.Int64 // in the time of nanos
	run     Run
	address string
	since   time.Time
	start   StartClock
	ended   atomic.Bool
	drained func() // set before the gate is first opened; may be nil
}

const (
	openBit    = 1 << 63
	queuedBit  = 1 << 62
	onePassive = 1
	oneHolding = 1 << 31
	countMask  = 1<<31 - 1
)

func holding(word uint64) int { return int(word >> 31 & countMask) }
func passive(word uint64) int { return int(word & countMask) }

// NewGate returns the gate of a run that is reached at address. It is shut.
func NewGate(run Run, address string) *Gate {
	g := &Gate{run: run, address: address, since: time.Now()}
	g.lastUse.Store(nanos(time.Now()))
	return g
}

// Run is the run the gate belongs to.
func (g *Gate) Run() Run { return g.run }

// Address is where the run is reached: "ip:port" or "unix:/path". It is fixed
// for the life of the gate.
func (g *Gate) Address() string { return g.address }

// Since is when the gate was made, which is when its run was found to be
// usable.
func (g *Gate) Since() time.Time { return g.since }

// Start is the clock of the start of the run, up to Ready; zero where not known.
func (g *Gate) Start() StartClock { return g.start }

// Ended is true once the connections to the run are being closed: whoever opens
// another after that closes it again.
func (g *Gate) Ended() bool { return g.ended.Load() }

// hasRoom tells whether there may be another lease.
func (g *Gate) hasRoom(word uint64) bool {
	return g.limit == 0 || holding(word)+passive(word) < g.limit
}

// Acquire takes a lease that holds the service up. It is false if the gate is
// shut, or there is no room or a queue for it. It is one compare-and-swap and allocates nothing. Each success is paired
// with one Release.
func (g *Gate) Acquire() bool { return g.enter(oneHolding) }

// AcquirePassive takes a lease that does not hold the service up: it is cut
// when the service sleeps. Each success is paired with one ReleasePassive.
func (g *Gate) AcquirePassive() bool { return g.enter(onePassive) }

func (g *Gate) enter(lease uint64) bool {
	for {
		w := g.word.Load()
		if w&(openBit|queuedBit) != openBit || !g.hasRoom(w) {
			return false
		}
		if g.word.CompareAndSwap(w, w+lease) {
			return true
		}
	}
}

// admit counts leases that another has given, whether there is room for them or not.
func (g *Gate) admit(out Leases) {
	g.word.Add(uint64(out.Holding)*oneHolding + uint64(out.Passive)*onePassive)
}

// Release gives back what Acquire took. The use is stamped before the lease is
// subtracted, so that whoever sees the count at zero sees the last use too.
func (g *Gate) Release() {
	g.lastUse.Store(nanos(time.Now()))
	g.left(g.word.Add(^uint64(oneHolding - 1)))
}

// touch counts as a use.
func (g *Gate) touch() { g.lastUse.Store(nanos(time.Now())) }

// left is called with the word that a holding lease has left behind.
func (g *Gate) left(w uint64) {
	if holding(w) == countMask {
		panic("actors: a lease was released twice")
	}
	if w&(openBit|queuedBit) == openBit {
		return
	}
	if w&queuedBit != 0 {
		g.queue.serve(g)
	}
	if w&openBit == 0 && holding(w) == 0 && g.drained != nil {
		g.drained()
	}
}

// Relax exchanges what Acquire took for what AcquirePassive takes. The service was
// used until now.
func (g *Gate) Relax() {
	g.lastUse.Store(nanos(time.Now()))
	g.left(g.word.Add(^uint64(oneHolding - onePassive - 1)))
}

// ReleasePassive gives back what AcquirePassive took. It is no use of the
// service: the idle clock goes on.
func (g *Gate) ReleasePassive() {
	w := g.word.Add(^uint64(onePassive - 1))
	if passive(w) == countMask {
		panic("actors: a passive lease was released twice")
	}
	if w&queuedBit != 0 {
		g.queue.serve(g)
	}
}

// Counts returns how many leases are out.
func (g *Gate) Counts() (holdingLeases, passiveLeases int) {
	w := g.word.Load()
	return holding(w), passive(w)
}

// LastUse is when the last holding lease was released, or else when the gate
// was opened, or the run last used before that.
func (g *Gate) LastUse() time.Time { return at(g.lastUse.Load()) }

// used is LastUse in the time of nanos, but now while a lease holds the service
// up.
func (g *Gate) used() int64 {
	if holding(g.word.Load()) > 0 {
		return nanos(time.Now())
	}
	return g.lastUse.Load()
}

// Open lets requests in. Opening counts as a use: the idle clock starts here.
func (g *Gate) Open() { g.open(time.Time{}) }

// open is Open for a run whose idle clock goes on from an earlier life. A zero
// lastUse, or one in the future, is now.
func (g *Gate) open(lastUse time.Time) {
	used := nanos(time.Now())
	if !lastUse.IsZero() {
		used = min(used, nanos(lastUse))
	}
	g.lastUse.Store(used)
	g.word.Or(openBit)
}

// Shut lets no more requests in. It is true if no lease holds the service up;
// otherwise the release of the last one tells the owner.
func (g *Gate) Shut() bool { return holding(g.word.And(^uint64(openBit))) == 0 }

// isOpen tells whether the gate lets requests in now.
func (g *Gate) isOpen() bool { return g.word.Load()&openBit != 0 }

// isDrained tells whether the gate is shut with no lease that holds it up.
func (g *Gate) isDrained() bool {
	w := g.word.Load()
	return w&openBit == 0 && holding(w) == 0
}

// shutIdle shuts the gate if no lease holds the service up and the last use was
// not after unusedSince, but after expected if that is not zero. Otherwise it
// returns the last use, which is now while a lease is out.
func (g *Gate) shutIdle(unusedSince, expected time.Time) (lastUse time.Time, shut bool) {
	last := g.lastUse.Load()
	for {
		w := g.word.Load()
		if holding(w) > 0 || w&queuedBit != 0 {
			return time.Now(), false
		}
		if last > nanos(unusedSince) || !expected.IsZero() && last <= nanos(expected) {
			return at(last), false
		}
		if g.word.CompareAndSwap(w, w&^openBit) { // passive leases may be out
			break
		}
	}
	return g.confirm(last)
}

// confirm is the second half of shutIdle. A request may have come and gone
// between the two loads: the word is then as it was, but the use is stamped, and
// the gate opens again.
func (g *Gate) confirm(last int64) (lastUse time.Time, shut bool) {
	if now := g.lastUse.Load(); now != last {
		g.word.Or(openBit)
		return at(now), false
	}
	return time.Time{}, true
}

// epoch makes a monotonic time fit into an integer.
var epoch = time.Now()

func nanos(t time.Time) int64 { return int64(t.Sub(epoch)) }

// at is the inverse of nanos. The wall clock of the result is that of today: it
// may have been set since epoch.
func at(nanos int64) time.Time {
	now := time.Now()
	return now.Add(time.Duration(nanos) - now.Sub(epoch))
}

package actors

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dynapm/actors/keeper"
	"dynapm/actors/probe"
)

// tenant is a service of the room, as the world knows it.
type tenant struct {
	room *room
	name string
	kind string // managed, daemon, foreground
	spec Spec
	v    *Service
	of   int // the engine that v is of

	former []*Service // that were retired: a command of theirs may yet run

	door    int       // the socket that it listens on; -1: none
	daemon  int       // what its start command has left: a number; 0: nothing
	stored  []Last    // what the store was told, the last is the last
	durable int       // so many of these would survive
	unsure  []Run     // whose intent was not made durable
	doomed  Run       // whose stop has failed: what was sent may yet arrive, though it is taken up again
	last    Record    // what was recorded last by this engine
	used    time.Time // the end of the last lease
	usedBy  Run
	leases  []*lease
	waiting []*guest
	leaving *guest // who wants it to be gone
	panics  int    // that were to be
	reborn  bool   // another instance of its actor has begun, and has recorded nothing yet
	fragile bool   // the next record has the actor panic
	foreign int    // leases of the engine before
}

// newTenant is one of the ways in which a service can be run and be ready.
func (r *room) newTenant(name string) *tenant {
	t := &tenant{room: r, name: name, door: -1, kind: []string{"managed", "managed", "daemon", "foreground"}[r.IntN(4)]}
	s := &t.spec
	*s = Spec{Name: name, Address: "unix:" + filepath.Join(r.dir, name), StartTimeout: 100*time.Millisecond + r.upTo(20*time.Second),
		StopTimeout: 50*time.Millisecond + r.upTo(5*time.Second), DrainTimeout: r.upTo(5 * time.Second), MaxPending: 3}
	check := probe.Check{Kind: probe.Command, Command: "check", Timeout: time.Second}
	if t.kind == "managed" {
		s.Managed = &Managed{Argv: []string{"serve"}, Dir: "/"}
		s.Check = []probe.Check{{Kind: probe.Notify}, {Kind: probe.None}, check}[r.IntN(3)]
	} else {
		s.Delegated = &Delegated{Start: "start", Stop: "stop", Dir: "/"}
		s.Check = check
		if r.chance(50) {
			s.Delegated.Check = "check"
		}
	}
	if s.Always = r.chance(20); !s.Always && r.chance(80) {
		s.IdleTimeout = leastIdle + r.upTo(time.Minute)
	}
	if r.chance(30) {
		s.MinUptime = r.upTo(time.Minute)
	}
	return t
}

// specOf is what the present engine is told of it.
func (t *tenant) specOf(shared bool) Spec {
	spec := t.spec
	if t.durable > 0 {
		last := t.stored[t.durable-1]
		last.Memory.Down, last.Memory.LastSeq = false, 0 // which no store is told
		spec.Last = &last
		t.stored, t.durable = []Last{last}, 1
	}
	t.foreign = 0
	if shared && spec.Last != nil {
		t.foreign = len(t.leases)
		spec.Shared = t.foreign > 0
	}
	spec.Found = t.room.kept(t)
	t.last, t.panics, t.fragile, t.used, t.usedBy = Record{State: StateStopped}, 0, false, time.Time{}, 0
	return spec
}

// kept is the process of it that the keeper would list.
func (r *room) kept(t *tenant) *keeper.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.procs {
		if p.tenant == t && p.alive && (p.Role == keeper.RoleService || p.Role == keeper.RoleStart) {
			found := p.Process
			found.Ready = p.said
			return &found
		}
	}
	return nil
}

// alive names what runs of it.
func (t *tenant) alive() string {
	t.room.mu.Lock()
	defer t.room.mu.Unlock()
	return t.aliveLocked()
}

func (t *tenant) aliveLocked() string {
	var list []string
	for _, p := range t.room.procs {
		if p.tenant == t && p.alive && (p.Role == keeper.RoleService || p.Role == keeper.RoleStart) {
			list = append(list, fmt.Sprintf("pid %d of run %d", p.Pid, p.Run))
		}
	}
	if t.daemon != 0 {
		list = append(list, fmt.Sprintf("daemon of run %d", t.daemon))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func (t *tenant) hasEnded() bool {
	select {
	case <-t.v.ended:
		return true
	default:
		return false
	}
}

// launching counts the commands that the keeper has been asked for.
func (t *tenant) launching() int {
	t.v.children.mu.Lock()
	defer t.v.children.mu.Unlock()
	return t.v.children.launching
}

// children counts the processes of which the service waits for the end.
func (t *tenant) children() (n int) {
	t.room.mu.Lock()
	defer t.room.mu.Unlock()
	t.v.children.mu.Lock()
	defer t.v.children.mu.Unlock()
	for id := range t.v.children.alive {
		if !t.room.unheard[id.pid] {
			n++
		}
	}
	return n
}

// rests tells whether nothing is under way, and nobody waits.
func (t *tenant) rests() bool {
	if len(t.waiting) > 0 || len(t.leases) > 0 || t.launching() > 0 {
		return false
	}
	switch l := t.v.legacy.last; l.State {
	case StateStopped, StateFailed:
		return l.Run == 0 && (!t.spec.Always || l.Memory.Held || l.Memory.Down)
	case StateStarting: // it waited for its turn when the engine before left, and nobody has asked since
		return l.Run == 0 && t.last.State == StateStopped && !t.spec.Always
	case StateReady:
		return t.spec.IdleTimeout == 0 || t.spec.Always
	}
	return false
}

// guest is a waiter.
type guest struct {
	t       *tenant
	number  int
	down    bool
	settled bool // answered
	left    bool // an answer may be on its way all the same
	request bool
}

func (g *guest) String() string { return fmt.Sprintf("guest %d", g.number) }

func (r *room) newcomer(t *tenant, down bool) *guest {
	r.guests++
	g := &guest{t: t, number: r.guests, down: down}
	t.waiting = append(t.waiting, g)
	return g
}

func (g *guest) answered() {
	if g.settled {
		g.t.room.fail("%v was answered twice", g)
	}
	g.settled = true
	g.depart()
}

func (g *guest) depart() {
	g.left = true
	g.t.waiting = slices.DeleteFunc(g.t.waiting, func(o *guest) bool { return o == g })
}

// order is Service.call, but for the waiting.
func (g *guest) order(e Event) {
	if !g.t.v.tell(e) {
		g.Refuse(*ErrClosing)
	}
}

func (g *guest) Refuse(x Refusal) {
	g.t.room.note("%v of %s is refused: %v", g, g.t.name, x.Reason)
	g.answered()
}

func (g *guest) Grant() {
	g.t.room.note("%v of %s is granted", g, g.t.name)
	gone := g.left
	g.answered()
	if gone {
		return
	}
	if left := g.t.alive(); g.down && left != "" {
		g.t.room.fail("%v was told that %s is down, and there is %s", g, g.t.name, left)
	}
	if g.request {
		t, engine := g.t, g.t.room.engine
		g.t.room.in(g.t.room.upTo(1500*time.Millisecond), func() {
			if t.room.engine == engine {
				t.ask()
			}
		})
	}
}

// ask goes through the gate, or waits for it to be opened.
func (t *tenant) ask() {
	if g := t.v.Acquire(); g != nil {
		t.hold(g)
		return
	}
	p := t.room.newcomer(t, false)
	p.request = true
	t.room.note("%v asks for %s", p, t.name)
	t.v.Wait(p)
}

// lease is one that is out.
type lease struct {
	gate   *Gate
	engine int
}

// hold gives the lease back after a while.
func (t *tenant) hold(g *Gate) {
	l := &lease{gate: g, engine: t.room.engine}
	t.room.mu.Lock()
	t.leases = append(t.leases, l)
	t.room.mu.Unlock()
	t.room.note("%s is used, run %d", t.name, g.Run())
	t.room.in(t.room.upTo(20*time.Second), func() { t.release(l) })
}

func (t *tenant) release(l *lease) {
	if !slices.Contains(t.leases, l) {
		return // it was cut
	}
	t.drop(l)
	t.room.note("%s is released, run %d", t.name, l.gate.Run())
	l.gate.Release()
	t.used, t.usedBy = time.Now(), l.gate.Run()
	if l.engine != t.room.engine {
		if t.foreign--; t.foreign == 0 {
			t.v.Unshare()
		}
	}
}

// drop forgets a lease. Goroutines of runs look at them too.
func (t *tenant) drop(l *lease) {
	t.room.mu.Lock()
	defer t.room.mu.Unlock()
	t.leases = slices.DeleteFunc(t.leases, func(o *lease) bool { return o == l })
}

// holding are the leases that are out through a gate.
func (t *tenant) holding(g *Gate) (n int) {
	for _, l := range t.leases {
		if l.gate == g {
			n++
		}
	}
	return n
}

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

	dependsOn  []*tenant
	dependants []*tenant
	hours      *hours     // nil: none
	former     []*Service // that were retired: a command of theirs may yet run

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
	coming  int    // requests that were granted their wait
	leaving *guest // who wants it to be gone
	panics  int    // that were to be
	reborn  bool   // another instance of its actor has begun, and has recorded nothing yet
	fragile bool   // the next record has the actor panic

	// What the present engine knows:
	starts    int       // launches
	asked     int       // the record by which the last start has begun to wait for its needs
	leftReady int       // the record by which it was last ready no more
	told      bool      // by the clock, that it is to be up
	kept      bool      // and its actor has heard that
	letGo     time.Time // when that has heard, as it was ready, that the hours are over
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
	if r.chance(30) {
		s.MaxConcurrent = 1 + r.IntN(2)
	}
	if r.chance(25) {
		t.hours = r.newHours()
	}
	for _, other := range r.tenants {
		if r.chance(25) {
			s.DependsOn, t.dependsOn = append(s.DependsOn, other.name), append(t.dependsOn, other)
			other.dependants = append(other.dependants, t)
		}
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
	if shared && spec.Last != nil {
		spec.SharedLeases = t.foreign()
		spec.Shared = spec.SharedLeases.Holding > 0
	}
	spec.Found = t.room.kept(t)
	if t.isOnTime() {
		spec.KeptUp = onTime
	}
	t.told, t.kept, t.letGo = spec.KeptUp != "", spec.KeptUp != "", time.Time{}
	t.starts, t.asked, t.leftReady = 0, 0, 0
	if spec.Last != nil {
		t.starts = spec.Last.Memory.StartCount
	}
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
	if len(t.waiting) > 0 || t.coming > 0 || len(t.leases) > 0 || t.launching() > 0 {
		return false
	}
	wanted := t.spec.Always || t.kept || t.isNeeded()
	switch l := t.v.legacy.last; l.State {
	case StateStopped, StateFailed:
		return l.Run == 0 && (!wanted || l.Memory.Down)
	case StateReady:
		return t.spec.IdleTimeout == 0 || wanted
	}
	return false
}

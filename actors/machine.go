package actors

import "time"

// Limits is what a machine knows of the service's configuration.
type Limits struct {
	IdleTimeout  time.Duration // 0: never idle
	MinUptime    time.Duration // ready for so long before it is stopped as idle
	StartTimeout time.Duration // from the launch to the passed check
	DrainTimeout time.Duration // for the last requests, at a stop by order
	StopTimeout  time.Duration // from Term to Kill
	MaxPending   int           // requests that may wait at one time
	Always       bool          // it is to be up although nobody asks; never idle
}

const (
	// launchGrace is what the timer of a start gives beyond StartTimeout. The
	// prober has its own deadline and knows what was wrong; the timer is there
	// for a launch or a prober that is never heard of again.
	launchGrace = time.Second
	// killGrace is how long a killed run may take to be gone.
	killGrace = 5 * time.Second
	// settled is how long a run must have been ready for its exit not to count
	// as a failed start: a service that listens and dies must not be started
	// over and over by one request.
	settled = time.Second
	// proven is how long a run must have been ready to clear earlier failures.
	proven = time.Minute
	// backoffStep and backoffLimit bound the time between tries.
	backoffStep  = time.Second
	backoffLimit = 30 * time.Second
	// expectation is how long a run waits for the requests that it has let in before
	// it can be idle: they may be slow to come on a busy machine, and would begin
	// another start.
	expectation = time.Second
	// recentStarts bounds Memory.RecentStarts.
	recentStarts = 10
)

// Memory is what is known of a service beyond its present run: it outlives an
// instance of the actor, and the engine. It may be copied: what its slice holds
// is never written again.
type Memory struct {
	LastRun      Run // the highest ever used
	LastSeq      Seq
	Held         bool
	Retiring     bool
	Down         bool          // by order, until somebody wants it; not told to the next engine
	Failures     int           // starts failed since a run was proven
	RetryAt      time.Time     // end of the backoff
	StartCount   int           // launches
	TotalUptime  time.Duration // ready, summed over the runs that ended
	LastStart    StartClock    // of LastRun
	RecentStarts []PastStart   // at most ten, the latest last
}

// process is how far the process of the present run has come.
type process uint8

const (
	absent    process = iota
	asking            // its start has not begun
	launching         // Launch was begun: there may be a process or not
	running
	killed
)

// before is what an earlier life knew of the present run, for when that is ready
// again; zero for a run that was launched in this one.
type before struct{ readySince, lastUse, began time.Time }

// GateState is what was done last with the gate of the present run.
type GateState uint8

const (
	GateAbsent GateState = iota // there is none, or its connections are closed
	GateOpen
	GateShut
)

// Machine decides when a service runs. It is a plain value: the clock comes
// with the events, and processes, sockets and timers are touched by whoever
// carries out the effects. Not for concurrent use.
type Machine struct {
	Memory
	limits Limits

	state  State
	since  time.Time
	reason string

	// The present run. Its number stays until nothing of it is left: also in
	// failed, if it could not be stopped.
	run        Run
	process    process
	verifying  bool // it was not launched now, but taken up
	pid        int
	gate       GateState
	address    string
	readySince time.Time
	doubted    bool   // ready, and it is being looked at again
	before     before // of its adoption
	cause      string // of its start
	failure    string // why it is being stopped, if that is a failure

	stopFailures int // of this run

	waiting []Waiter  // for the service to be up, in the order of arrival
	asked   bool      // one of them is, or was, a request
	ordered bool      // one of them is an operator, who need not wait for a backoff
	leaving []Waiter  // for it to be down
	grounds []Ground  // for it to be up although no request asks
	let     time.Time // when requests were let in last, if none has come through yet; zero: nobody is expected

	timer Seq // the one that is armed; 0: none

	now     time.Time
	effects []Effect
}

// NewMachine returns the machine of a service that is stopped as far as known.
func NewMachine(limits Limits, memory Memory) *Machine {
	if limits.Always {
		limits.IdleTimeout = 0
	}
	return &Machine{limits: limits, Memory: memory}
}

// Step tells the machine an event and returns what is to be done about it. The
// result is valid until the next Step.
func (m *Machine) Step(e Event) []Effect {
	m.effects = m.effects[:0]
	if m.stale(e) {
		return m.effects
	}
	m.now = e.when()
	switch e := e.(type) {
	case Cancel:
		m.cancel(e.Waiter)
		return m.effects
	case Served:
		m.served(e)
		return m.effects
	case Queued:
		m.queue(e.For)
		return m.effects
	case TurnCame:
		m.begin(e.Reason)
		return m.effects
	case Lacking:
		m.lack(e)
		return m.effects
	case LetGo:
		m.letGo(e)
		return m.effects
	case KeepUp:
		if e.Waiter == nil && m.explain(e) {
			return m.effects
		}
		m.addGround(e)
	case Stop:
		if by := m.neededBy(); by != "" {
			m.refuse(e.Waiter, Refusal{Reason: Needed, Detail: "stop " + by + " first, which depends on it"})
			return m.effects
		}
	case Panicked:
		m.giveUpOnPanic(e.Reason)
		return m.effects
	}
	switch m.state {
	case StateStopped:
		m.stopped(e)
	case StateStarting:
		m.starting(e)
	case StateReady:
		m.ready(e)
	case StateDraining:
		m.draining(e)
	case StateStopping:
		m.stopping(e)
	case StateFailed:
		m.failed(e)
	}
	return m.effects
}

// stale is the one place where facts about a run or a timer that is no longer
// the present one are told apart, to be dropped. Of a run whose turn has not come
// there is nothing to tell but that.
func (m *Machine) stale(e Event) bool {
	switch e := e.(type) {
	case interface{ about() Run }:
		return e.about() != m.run || m.run == 0 || isOfTurn(e) != (m.process == asking)
	case TimerFired:
		return e.Seq != m.timer || m.timer == 0
	}
	return false
}

// become is the only writer of the state.
func (m *Machine) become(s State, reason string) {
	from := m.state
	m.state, m.since, m.reason = s, m.now, reason
	m.timer = 0 // that of the state left behind, if any, is stale now
	m.emit(m.record(from, reason))
}

// note records what is worth knowing and changes no state.
func (m *Machine) note(reason string) { m.emit(m.record(m.state, reason)) }

// remember records what only a later life is to know.
func (m *Machine) remember() {
	r := m.record(m.state, m.reason)
	r.Aside = true
	m.emit(r)
}

func (m *Machine) record(from State, reason string) Record {
	last := m.last()
	return Record{Memory: last.Memory, At: m.now, From: from, State: m.state, Since: m.since, Run: last.Run, Pid: m.pid,
		Address: m.address, ReadySince: last.ReadySince, Reason: reason}
}

// last is what a later life is to know: of a start that has not begun there is
// nothing to be looked for.
func (m *Machine) last() Last {
	run := m.run
	if m.process == asking {
		run = 0
	}
	return Last{Memory: m.Memory, State: m.state, Reason: m.reason, Run: run, Since: m.since,
		ReadySince: or(m.readySince, m.before.readySince), LastUse: m.before.lastUse, Address: m.address}
}

// arm sets the one timer of the service.
func (m *Machine) arm(at time.Time) {
	m.LastSeq++
	m.timer = m.LastSeq
	m.emit(Arm{m.timer, at})
}

func (m *Machine) emit(e Effect) { m.effects = append(m.effects, e) }

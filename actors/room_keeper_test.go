package actors

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"dynapm/actors/keeper"
)

// line is an engine's hold on the keeper of the room, as *keeper.Client is. The keeper answers late, fails to execute
// things, and vanishes; what it launches stalls, dies, ignores signals and is slow to say that it is ready.
type line struct {
	*room
	gone    bool     // the engine has ended
	born    []string // the actors, in order
	pending []*asked
}

// asked is a launch that has not come back.
type asked struct {
	name   string
	chance *rand.Rand
	do     func() *proc
}

// proc is a process in the care of the keeper.
type proc struct {
	keeper.Process
	tenant *tenant
	alive  bool
	said   bool // that it is ready
	ended  chan struct{}
	chance *rand.Rand
}

// of makes what happens to a call depend on the call alone, not on which of two goroutines was faster.
func (r *room) of(what string) *rand.Rand {
	r.calls[what]++
	sum := fnv.New64a()
	fmt.Fprintf(sum, "%s %d", what, r.calls[what])
	return rand.New(rand.NewPCG(r.seed, sum.Sum64()))
}

// slow is how long a keeper takes.
func (r *room) slow(c *rand.Rand) time.Duration {
	if c.IntN(100) < 5 && !r.calm.Load() {
		return time.Duration(c.Int64N(int64(5 * time.Second)))
	}
	return time.Microsecond + time.Duration(c.Int64N(int64(5*time.Millisecond)))
}

// reach waits for a keeper to be there, and for it to hear. It tells which one that is.
func (l *line) reach(takes time.Duration) (keepers int, err error) {
	l.mu.Lock()
	back := time.Until(l.away)
	l.mu.Unlock()
	<-time.After(max(back, 0) + takes)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return 0, keeper.ErrClosed
	}
	return l.keepers, nil
}

func (l *line) Launch(cmd keeper.Command) (keeper.Process, error) {
	l.mu.Lock()
	if l.gone {
		l.mu.Unlock()
		return keeper.Process{}, keeper.ErrClosed
	}
	what := fmt.Sprint("launch ", cmd.Service, cmd.Run, cmd.Role)
	c, before := l.of(what), l.keepers
	a := &asked{what, c, func() *proc { return l.execute(l.tenantOf(cmd.Service), cmd, c) }}
	l.pending = append(l.pending, a)
	takes := l.slow(c)
	l.mu.Unlock()
	keepers, err := l.reach(takes)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = slices.DeleteFunc(l.pending, func(o *asked) bool { return o == a })
	if err != nil {
		return keeper.Process{}, err
	}
	if keepers != before && cmd.Role != keeper.RoleService {
		if t := l.tenantOf(cmd.Service); c.IntN(2) == 0 && cmd.Role != keeper.RoleStart {
			a.do() // it was run all the same
		} else if c.IntN(2) == 0 && cmd.Role == keeper.RoleStart && t.kind == "daemon" {
			t.daemon = int(cmd.Run) // and has done what it does; one that is still at it would be known to nobody
			t.listen()
		}
		return keeper.Process{}, fmt.Errorf("%s: %w", cmd.Service, keeper.ErrLost)
	}
	if c.IntN(100) < 5 && !l.calm.Load() {
		return keeper.Process{}, errors.New("cannot execute it")
	}
	return a.do().Process, nil
}

func (l *line) Signal(p keeper.Process, s syscall.Signal) error {
	l.mu.Lock()
	c := l.of(fmt.Sprint("signal ", p.Pid, int(s)))
	takes := l.slow(c)
	l.mu.Unlock()
	if _, err := l.reach(takes); err != nil {
		return err
	}
	l.mu.Lock()
	k := l.procs[p.Pid]
	if k == nil || !k.alive {
		l.mu.Unlock()
		return keeper.ErrEnded
	}
	switch s {
	case syscall.SIGTERM:
		l.mustBeQuiet(k, "SIGTERM")
		if l.calm.Load() || c.IntN(100) < 70 {
			l.endIn(k, time.Duration(c.Int64N(int64(time.Second))), s)
		}
	case syscall.SIGKILL:
		l.mustBeQuiet(k, "SIGKILL")
		if c.IntN(100) < 10 && !l.calm.Load() {
			l.mu.Unlock()
			<-time.After(10 * time.Second)
			return errors.New("cannot kill it: hanging in the kernel perhaps")
		}
		l.endIn(k, time.Duration(c.Int64N(int64(10*time.Millisecond))), s)
		l.mu.Unlock()
		<-k.ended
		return nil
	}
	l.mu.Unlock()
	return nil
}

// mustBeQuiet holds that no request is at what is told to end.
func (l *line) mustBeQuiet(k *proc, what string) {
	if k.Role != keeper.RoleService && k.Role != keeper.RoleStop || k.Run == uint64(k.tenant.doomed) {
		return
	}
	if g := k.tenant.v.gate.Load(); g != nil && uint64(g.Run()) == k.Run && (g.isOpen() || k.tenant.holding(g) > 0) {
		l.fault1("%s to run %d of %s while requests are at it", what, k.Run, k.tenant.name)
	}
}

// fault1 is fail for who has the lock.
func (r *room) fault1(format string, args ...any) {
	if r.fault == "" {
		r.fault = fmt.Sprintf(format, args...)
	}
}

// cut is the end of the engine, as the keeper sees it. Of what was asked for it does some all the same, but nothing later
// on.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	slices.SortFunc(l.pending, func(a, b *asked) int { return strings.Compare(a.name, b.name) })
	for _, a := range l.pending {
		if a.chance.IntN(2) == 0 {
			a.do()
		}
	}
	l.pending = nil
}

package keeper

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"dynapm/actors/keeper/failpoint"
	"dynapm/actors/keeper/statedir"
)

// How long a keeper that keeps nothing waits for an engine.
const (
	// lingerStart: the engine that started it is about to connect.
	lingerStart = 5 * time.Second
	// lingerNotices: a restarting engine should still learn how its services
	// ended.
	lingerNotices = time.Minute
)

var errLeaving = errors.New("the keeper is leaving")

// server is the keeper's whole knowledge. One lock guards it; what may take
// long is done outside.
type server struct {
	dir      *statedir.Dir
	log      *slog.Logger
	groups   *cgroups
	marker   marker
	instance string
	notify   *net.UnixConn // nil if it cannot be listened to
	// notifyName is its name for those that are launched.
	notifyName string
	// children has a value when there may be one to wait for.
	children chan struct{}
	// left is closed when the keeper is to end.
	left chan struct{}

	mu      sync.Mutex
	kept    map[identity]*kept
	order   uint64   // of the last one kept
	notices []notice // not yet acknowledged
	seq     uint64   // of the last notice
	engine  *engine  // the one that is connected, or nil
	leaving bool
	sizing  bool // sizes of outputs are being looked at
	linger  *time.Timer
}

// kept is a process in the keeper's care, from its launch or adoption until
// its end is recorded.
type kept struct {
	Process
	order uint64
	token string // of the launch; empty if adopted
	// adopted: it is not our child, nor are those it forked.
	adopted bool
	// gone: the leader was reaped, so that pid and group may be somebody
	// else's by now. goneAt is when, in ticks since boot.
	gone   bool
	goneAt uint64
	// members are the pids in its control group; of a copy alone.
	members map[int]bool
	// strays are the descendants outside its group when it was last signalled.
	strays []procStat
	// begun is closed when it is known whether the child of a launch has become
	// the program. Until then nothing is told of it but that it is kept.
	begun chan struct{}
	// failedFor is the engine whose launch of it has failed, if it has: the
	// reply tells that one of its end.
	failedFor *engine
	// killed is closed when that time is over.
	killed chan struct{}
	// ended is closed when nothing of it is left and its exit is recorded.
	ended chan struct{}
}

// identity names a process of this boot for good; a pid alone may be another's
// as soon as it is reaped.
type identity struct {
	pid   int
	start uint64
}

func (p Process) identity() identity { return identity{p.Pid, p.StartTime} }

// notice is an exit that an engine has yet to acknowledge.
type notice struct {
	seq   uint64
	token string
	exit  Exit
}

func (n notice) frame() frame { return frame{Do: doEnded, Seq: n.seq, Exit: &n.exit} }

func newServer(dir *statedir.Dir, log *slog.Logger) *server {
	s := &server{
		dir: dir, log: log, groups: newCgroups(dir.Path()), marker: newMarker(dir, log), instance: rand.Text(),
		children: make(chan struct{}, 1),
		left:     make(chan struct{}),
		kept:     make(map[identity]*kept),
	}
	s.linger = time.AfterFunc(lingerStart, s.leaveIfIdle)
	return s
}

// keep registers a process. The caller holds the lock.
func (s *server) keep(k *kept) {
	s.order++
	k.order = s.order
	k.ended = make(chan struct{})
	k.killed = make(chan struct{})
	if k.begun == nil {
		k.begun = make(chan struct{})
		close(k.begun) // it was found running
	}
	s.kept[k.identity()] = k
	if k.Logs.MaxSize > 0 {
		s.watchSizes()
	}
}

// leader returns the kept process that has this pid now, or nil. The caller
// holds the lock.
func (s *server) leader(pid int) *kept {
	for id, k := range s.kept {
		if id.pid == pid && !k.gone {
			return k
		}
	}
	return nil
}

// forked tells the reaper that there is a child to wait for.
func (s *server) forked() {
	select {
	case s.children <- struct{}{}:
	default:
	}
}

// record ends the care for k, of which nothing is left, and tells the engine.
func (s *server) record(k *kept, exit Exit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, k.identity())
	if k.failedFor == nil || k.failedFor != s.engine {
		// Another engine than has asked for a launch that failed was told that
		// it is kept.
		s.note(k, exit)
	}
	close(k.ended)
	s.considerLeaving()
}

// note keeps the news of an exit until it is acknowledged. The caller holds the
// lock.
func (s *server) note(k *kept, exit Exit) {
	s.seq++
	n := notice{seq: s.seq, token: k.token, exit: exit}
	s.notices = append(s.notices, n)
	failpoint.Reached("keeper.recorded")
	if s.engine != nil {
		s.engine.send(n.frame())
	}
}

// acknowledge forgets the notices up to seq.
func (s *server) acknowledge(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notices = slices.DeleteFunc(s.notices, func(n notice) bool { return n.seq <= seq })
	failpoint.Reached("keeper.forgot")
}

// list returns what is kept, in the order of launch. The caller holds the lock.
func (s *server) list() []Process {
	all := slices.SortedFunc(maps.Values(s.kept), func(a, b *kept) int { return int(a.order) - int(b.order) })
	out := make([]Process, len(all))
	for i, k := range all {
		out[i] = k.Process
	}
	return out
}

// considerLeaving lets the keeper end if it is of no use. The caller holds the
// lock and calls it whenever it may have become so.
func (s *server) considerLeaving() {
	if s.engine != nil || len(s.kept) > 0 {
		s.linger.Stop()
		return
	}
	if len(s.notices) > 0 {
		s.linger.Reset(lingerNotices)
		return
	}
	s.leave()
}

func (s *server) leaveIfIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil && len(s.kept) == 0 {
		s.leave()
	}
}

// leave ends the keeper. The caller holds the lock.
func (s *server) leave() {
	if !s.leaving {
		s.leaving = true
		close(s.left)
	}
}

// shutdown ends the keeper on demand, unless that would orphan something.
func (s *server) shutdown(e *engine, id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.list(); len(all) > 0 {
		e.send(reply(id, fmt.Errorf("the keeper cannot leave: it still keeps %s", describe(all))))
		return
	}
	s.leaving = true
	failpoint.Reached("keeper.leaving")
	e.sendLast(frame{Do: doReply, ID: id}, func() { close(s.left) })
}

func describe(all []Process) string {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = fmt.Sprintf("%s (%s, pid %d)", p.Service, p.Role, p.Pid)
	}
	return strings.Join(names, ", ")
}

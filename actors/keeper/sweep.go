package keeper

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"dynapm/actors/keeper/failpoint"

	"golang.org/x/sys/unix"
)

// sweepTimeout bounds the killing of what a service left: a process that
// hangs in the kernel dies only when it comes out.
const sweepTimeout = 5 * time.Second

// signal sends sig to all of a kept process. With SIGKILL it returns when
// nothing of a service is left; 0 asks whether it is kept (kill(2)), as an engine
// that comes back does of each at once.
func (s *server) signal(p Process, sig syscall.Signal) error {
	k, seen := s.look(p)
	if k == nil {
		return ErrEnded
	}
	if sig == 0 {
		return nil
	}
	var strays []procStat
	if k.Role == RoleService {
		// Before the leader is signalled: once it is dead, its children are
		// the keeper's, and those without marks are nobody's.
		strays, _ = s.strays(seen) // one that is missed is swept later
	}
	if err := s.signalGroup(k, strays, sig); err != nil {
		return fmt.Errorf("cannot signal %s (pid %d): %w", p.Service, p.Pid, err)
	}
	failpoint.Reached("keeper.signalled")
	s.signalEach(seen, strays, sig)
	if sig != syscall.SIGKILL {
		return nil
	}
	select {
	case <-k.ended:
		return nil
	case <-time.After(2 * sweepTimeout):
		return fmt.Errorf("cannot kill %s (pid %d): it is still there, hanging in the kernel perhaps", p.Service, p.Pid)
	}
}

// look returns what is kept as p, and a copy to be read without the lock, or
// nil.
func (s *server) look(p Process) (*kept, kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kept[p.identity()]
	if k == nil {
		return nil, kept{}
	}
	return k, *k
}

// signalGroup signals the process group of k, and notes the strays for the
// sweep that follows its end.
func (s *server) signalGroup(k *kept, strays []procStat, sig syscall.Signal) error {
	s.mu.Lock() // the reaper waits: while a zombie is left, its number is taken
	defer s.mu.Unlock()
	if sig == syscall.SIGKILL {
		k.kill()
	} else {
		s.noteAsked(k.marks())
	}
	if k.gone {
		return nil // what is left is signalled one by one
	}
	k.strays = strays
	if stat, ok := readStat(k.Pid); !ok || stat.start != k.StartTime {
		return nil // adopted, and its pidfd is about to tell
	}
	err := unix.Kill(-k.Pid, sig)
	if wakesUp(sig) {
		unix.Kill(-k.Pid, unix.SIGCONT)
	}
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// noteAsked notes that a run was told to end. What is left of one whose leader has ended is kept by itself where a keeper
// found it by its marks. The caller holds the lock.
func (s *server) noteAsked(m marks) {
	for _, k := range s.kept {
		if k.marks() == m {
			k.Asked = true
		}
	}
}

// wakesUp tells whether sig asks a process to end by itself, which a stopped
// one can only do once it is continued.
func wakesUp(sig syscall.Signal) bool {
	return slices.Contains([]syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}, sig)
}

// strays returns the living processes of k outside its group, or all there are
// once the leader is gone. k is a copy: reading /proc is too slow for the lock.
func (s *server) strays(k kept) (list []procStat, settled bool) {
	all, err := processes()
	if err != nil {
		s.log.Error("cannot look for descendants", "service", k.Service, "cause", err)
		return nil, true
	}
	k.members = members(k.Cgroup) // after all: who is not in all yet is in the next
	list, settled = descendants(k, all, s.marker)
	settled = settled && !forkedSince(k.members, all)
	return slices.DeleteFunc(list, func(p procStat) bool { return p.group == k.Pid && !k.gone }), settled
}

// forkedSince tells whether a member of the group is not among all yet.
func forkedSince(members map[int]bool, all []procStat) bool {
	there := make(map[int]bool, len(all))
	for _, p := range all {
		there[p.pid] = true
	}
	for pid := range members {
		if !there[pid] && pid != 0 { // 0: of another pid namespace
			return true
		}
	}
	return false
}

func (s *server) signalEach(k kept, list []procStat, sig syscall.Signal) {
	for _, p := range list {
		// Its number may have changed hands since /proc was read.
		if now, ok := readStat(p.pid); !ok || now.start != p.start {
			continue
		}
		if err := unix.Kill(p.pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
			s.log.Error("cannot signal descendant", "service", k.Service, "pid", p.pid, "cause", err)
		}
		if wakesUp(sig) {
			unix.Kill(p.pid, unix.SIGCONT)
		}
	}
}

// kill ends the time that was given to what an asked leader leaves. The caller
// holds the lock.
func (k *kept) kill() {
	select {
	case <-k.killed:
	default:
		close(k.killed)
	}
}

// await gives what the leader of a service has left the time to end that the
// service was given: a shell in front of a server dies of the SIGTERM that the
// server takes as a wish. A SIGKILL ends it. It tells whether nothing is left.
func (s *server) await(k kept) (gone bool) {
	return lookUntil(k.killed, func() bool {
		left, settled := s.strays(k)
		return len(left) == 0 && settled
	})
}

// lookUntil looks for an end until it is there, or nobody waits for it any more. Each
// pause is a twentieth of the time that has passed, up to two seconds: an end is seen
// soon, and what stays for ever costs little.
func lookUntil(over <-chan struct{}, ended func() bool) bool {
	for began := time.Now(); ; {
		if ended() {
			return true
		}
		pause := min(max(time.Since(began)/20, time.Millisecond), 2*time.Second)
		select {
		case <-over:
			return false
		case <-time.After(pause):
		}
	}
}

// sweep kills whatever an ended service left behind, until nothing is left.
func (s *server) sweep(k kept) {
	if k.Cgroup != "" {
		killAll(k.Cgroup)
	}
	deadline := time.Now().Add(sweepTimeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		left, settled := s.strays(k)
		if len(left) == 0 && settled && removeAll(k.Cgroup) {
			return
		}
		if time.Now().After(deadline) {
			s.log.Error("descendants do not die", "service", k.Service, "run", k.Run, "left", len(left))
			return
		}
		s.signalEach(k, left, syscall.SIGKILL)
		time.Sleep(pause)
	}
}

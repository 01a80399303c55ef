package keeper

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sweepTimeout bounds the killing of what a service left: a process that
// hangs in the kernel dies only when it comes out.
const sweepTimeout = 5 * time.Second

// signal sends sig to all of a kept process. With SIGKILL it returns when
// nothing of a service is left.
func (s *server) signal(p Process, sig syscall.Signal) error {
	s.mu.Lock()
	k := s.kept[p.identity()]
	if k == nil {
		s.mu.Unlock()
		return ErrEnded
	}
	err := s.signalGroup(k, sig)
	seen := *k
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("cannot signal %s (pid %d): %w", p.Service, p.Pid, err)
	}
	if k.Role == RoleService {
		s.signalStrays(seen, sig)
	}
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

// signalGroup signals the process group of k. The caller holds the lock, so
// that the leader, if not yet gone, is at least a zombie and its number taken.
func (s *server) signalGroup(k *kept, sig syscall.Signal) error {
	if k.gone {
		return nil // what is left is being swept
	}
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

// wakesUp tells whether sig asks a process to end by itself, which a stopped
// one can only do once it is continued.
func wakesUp(sig syscall.Signal) bool {
	return slices.Contains([]syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}, sig)
}

// signalStrays signals the processes of k outside its group, or all there are
// if the leader is gone, and returns how many processes k has in all. k is a
// copy: reading /proc is too slow for the lock.
func (s *server) signalStrays(k kept, sig syscall.Signal) int {
	all, err := processes()
	if err != nil {
		s.log.Error("cannot look for descendants", "service", k.Service, "cause", err)
		return 0
	}
	found := descendants(k, all, s.dir.path)
	for _, p := range found {
		if p.group == k.Pid && !k.gone {
			continue
		}
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
	return len(found)
}

// sweep kills whatever an ended service left behind, until nothing is left.
func (s *server) sweep(k *kept) {
	deadline := time.Now().Add(sweepTimeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		left := s.signalStrays(*k, syscall.SIGKILL)
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.log.Error("descendants do not die", "service", k.Service, "run", k.Run, "left", left)
			return
		}
		time.Sleep(pause)
	}
}

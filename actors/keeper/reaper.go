package keeper

import (
	"errors"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"dynapm/actors/keeper/failpoint"

	"golang.org/x/sys/unix"
)

// reap waits for every child of this process, those it launched and those it
// inherited as subreaper. It is the only one to wait for any: a second waiter
// (os/exec) would steal exits or have its own stolen.
func (s *server) reap() {
	for {
		// WNOWAIT leaves the zombie, and with it the group id, until bury has
		// used them for the last time.
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil)
		switch {
		case err == nil:
			s.bury(pidOf(&info))
		case errors.Is(err, unix.ECHILD):
			// Orphans come only by a child that dies, so none can appear
			// before the next fork.
			<-s.children
			runtime.Gosched() // whoever forked has an answer to give, and there may be one CPU
		}
	}
}

// pidOf reads si_pid, which x/sys leaves in the unnamed part of siginfo: the
// union begins at the first multiple of 8 after three ints (sigaction(2)), on
// all 64-bit machines.
func pidOf(info *unix.Siginfo) int {
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), 16)))
}

// bury reaps one child that ended. With a service that ended unasked ends what
// is left of its process group; the signal goes out before the reaping, for
// after it the number may name another group.
func (s *server) bury(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.leader(pid)
	failpoint.Reached("keeper.exited")
	if k != nil && k.Role == RoleService && !k.Asked {
		unix.Kill(-pid, unix.SIGKILL)
	}
	var status syscall.WaitStatus
	got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	if got != pid || err != nil {
		return // ForkExec took its own child, which failed to exec
	}
	if k == nil {
		return // an orphan, or a process whose end was seen by its pidfd
	}
	exit := Exit{Process: k.Process, At: time.Now()}
	if status.Signaled() {
		exit.Signal = status.Signal()
	} else {
		exit.Code = status.ExitStatus()
	}
	k.gone, k.goneAt = true, ticksNow()
	failpoint.Reached("keeper.reaped")
	go s.finish(k, exit)
}

// finish ends what an ended process left behind, if it is ours to end, and
// records the exit.
func (s *server) finish(k *kept, exit Exit) {
	<-k.begun
	if k.Role == RoleService {
		s.mu.Lock()
		left := *k
		s.mu.Unlock()
		exit.OutOfMemory = ranOutOfMemory(left.Cgroup)
		if !left.Asked || !s.await(left) || !removeAll(left.Cgroup) {
			s.sweep(left)
		}
		failpoint.Reached("keeper.swept")
	}
	s.record(k, exit)
}

package keeper

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"dynapm/actors/keeper/failpoint"

	"golang.org/x/sys/unix"
)

// adoptMarked takes into care the services and start commands of a keeper that
// was killed. They went on without it; the marks in their environment tell whose
// they are.
func (s *server) adoptMarked() error {
	led, err := s.findLeaders()
	if err != nil {
		return fmt.Errorf("cannot look for running services: %w", err)
	}
	var found []Process
	for m, p := range led {
		found = append(found, Process{
			Service: m.service, Run: m.run, Role: m.role,
			Pid: p.pid, StartTime: p.start, Started: timeOf(p.start),
		})
	}
	slices.SortFunc(found, func(a, b Process) int { return a.Started.Compare(b.Started) })
	failpoint.Reached("keeper.adopting")
	s.adopt(found)
	return nil
}

// settleTimeout bounds the wait for processes that are just executing.
const settleTimeout = time.Second

func (s *server) findLeaders() (map[marks]procStat, error) {
	for deadline := time.Now().Add(settleTimeout); ; time.Sleep(time.Millisecond) {
		all, err := processes()
		if err != nil {
			return nil, err
		}
		found, settled := leaders(all, s.marker)
		if settled || time.Now().After(deadline) {
			return found, nil
		}
	}
}

// adopt takes into care what an engine knows to have run under an earlier
// keeper. What has ended meanwhile is recorded as such, with unknown status.
//
// Pid and start time are enough to know a process of this boot. Marks are not
// asked for again: a program may have overwritten them with its title.
func (s *server) adopt(list []Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range list {
		if p.Asked {
			s.noteAsked(p.marks())
		}
		if k := s.kept[p.identity()]; k != nil && k.adopted && k.Logs == (Logs{}) && p.Logs.MaxSize > 0 {
			// Found by its marks, which do not tell these.
			k.Output, k.Logs, k.Unmet = p.Output, p.Logs, p.Unmet
			s.watchSizes()
		}
		if s.knows(p) {
			if k := s.kept[p.identity()]; k != nil {
				k.Ready = k.Ready || p.Ready
			}
			continue
		}
		if p.Role == RoleService {
			p.Cgroup = s.groups.of(p)
		}
		k := &kept{Process: p, adopted: true}
		pidfd, err := openProcess(p)
		if err != nil {
			k.gone, k.goneAt = true, ticksNow()
			s.keep(k)
			s.log.Info("found ended", "service", p.Service, "run", p.Run, "pid", p.Pid, "cause", err)
			go s.finish(k, Exit{Process: p, At: time.Now(), Unknown: true})
			continue
		}
		s.keep(k)
		failpoint.Reached("keeper.adopted")
		s.log.Info("adopted", "service", p.Service, "run", p.Run, "pid", p.Pid)
		go s.watch(k, pidfd)
	}
}

// knows tells whether p is in care already, or its end still to be told.
func (s *server) knows(p Process) bool {
	if s.kept[p.identity()] != nil {
		return true
	}
	return slices.ContainsFunc(s.notices, func(n notice) bool {
		return n.exit.identity() == p.identity()
	})
}

// openProcess returns a pidfd of p (pidfd_open(2)), which becomes readable
// when p ends.
func openProcess(p Process) (*os.File, error) {
	fd, err := unix.PidfdOpen(p.Pid, 0)
	if err != nil {
		return nil, err
	}
	// Only now that the number cannot change hands does it mean something
	// that the start time is the same.
	stat, ok := readStat(p.Pid)
	if !ok || stat.start != p.StartTime || !stat.alive() {
		unix.Close(fd)
		return nil, errors.New("the pid is another process's by now")
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// watch waits for the end of an adopted process, whose parent is another.
func (s *server) watch(k *kept, pidfd *os.File) {
	defer pidfd.Close()
	if err := untilReadable(pidfd); err != nil {
		s.log.Error("cannot watch", "service", k.Service, "pid", k.Pid, "cause", err)
		return
	}
	s.mu.Lock()
	if k.gone {
		s.mu.Unlock()
		return // it was a child after all, and is being recorded
	}
	k.gone, k.goneAt = true, ticksNow()
	exit := Exit{Process: k.Process, At: time.Now(), Unknown: true}
	s.mu.Unlock()
	s.finish(k, exit)
}

// untilReadable waits in the runtime's poller rather than on a thread.
func untilReadable(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n > 0
	})
}

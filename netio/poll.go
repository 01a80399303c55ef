package netio

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// longPoll is how long a loop that had work waits in a way that costs less and keeps its thread and its P ready. A wait of
// the other kind has the runtime take the P away, and its monitor wake fifty times within the next milliseconds. After
// ten milliseconds the monitor would interrupt this one. Where the loops could keep all Ps to themselves, nobody else would
// run meanwhile, and it is shortPoll.
const (
	longPoll  = 9 // ms
	shortPoll = 1
)

func pollTime(loops int) int {
	if runtime.GOMAXPROCS(0) > loops {
		return longPoll
	}
	return shortPoll
}

// wait fills s.events.
func (s *splicer) wait() {
	ms := s.patience()
	var n int
	var errno syscall.Errno
	if s.busy || ms == 0 {
		short := s.poll
		if ms >= 0 {
			short = min(short, ms)
		}
		n, errno = sysPoll(s.epoll, s.events[:], short)
	}
	if errno == 0 && n == 0 && ms != 0 {
		n, errno = sysWait(s.epoll, s.events[:], ms)
	}
	s.now = s.clock()
	s.turns++
	s.trim()
	switch errno {
	case 0:
		s.at, s.n, s.busy = 0, n, n > 0
	case unix.EINTR: // the runtime wants the loop to yield: it has by now
	default:
		panic(fmt.Sprintf("epoll_wait: %v", errno)) // the descriptor or the memory is not ours
	}
}

// patience is how many milliseconds the loop may sleep; -1: for ever.
func (s *splicer) patience() int {
	if len(s.ready) > 0 || s.turned < len(s.turning) || len(s.arrived) > 0 {
		return 0
	}
	ns := s.wheel.wait(s.now)
	if len(s.unwatched) > s.oldest && (ns < 0 || ns > int64(lateness)) {
		ns = int64(lateness)
	}
	if len(s.buffers.free) > spareBuffers || len(s.pipes.free) > 0 {
		if ns < 0 || ns > int64(time.Second) {
			ns = int64(time.Second)
		}
	}
	if ns < 0 {
		return -1
	}
	return int((ns + 999_999) / 1_000_000)
}

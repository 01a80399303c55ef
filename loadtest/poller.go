package loadtest

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// poller is an epoll, edge-triggered, with a timer of its own: epoll_wait counts in milliseconds, and a request that
// is due in 100 us must not wait for one.
type poller struct {
	epoll, timer int
	armed        time.Time // what the timer is set to; zero: it is not
	events       []unix.EpollEvent
}

func newPoller() (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make an epoll: %w", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("cannot make a timer: %w", err)
	}
	p := &poller{epoll: epoll, timer: timer, events: make([]unix.EpollEvent, 512)}
	if err := p.add(timer); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() {
	unix.Close(p.timer)
	unix.Close(p.epoll)
}

func (p *poller) add(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd)}
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &event)
}

// turn waits for events until a time, at most 100 ms, and hands on the descriptor of each and whether its
// peer has ended it.
func (p *poller) turn(until, now time.Time, ready func(fd int, gone bool)) error {
	wait := 100
	if left := until.Sub(now); left <= 0 {
		wait = 0
	} else if left < 100*time.Millisecond {
		if err := p.arm(until, left); err != nil {
			return err
		}
	}
	n, err := unix.EpollWait(p.epoll, p.events, wait)
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot wait for events: %w", err)
	}
	for _, event := range p.events[:n] {
		if int(event.Fd) == p.timer {
			p.armed = time.Time{} // not read: it is edge-triggered, and setting it anew clears it
		} else {
			ready(int(event.Fd), event.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
		}
	}
	return nil
}

// arm sets the timer, unless it is set to that time already.
func (p *poller) arm(until time.Time, left time.Duration) error {
	if until.Equal(p.armed) {
		return nil
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}
	if err := unix.TimerfdSettime(p.timer, 0, &spec, nil); err != nil {
		return fmt.Errorf("cannot set the timer: %w", err)
	}
	p.armed = until
	return nil
}

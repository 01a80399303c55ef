package main

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loop is an epoll, edge-triggered: who hears of a descriptor reads and writes until it would block.
type loop struct {
	epoll  int
	events []unix.EpollEvent
}

func newLoop() (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make an epoll: %w", err)
	}
	return &loop{epoll: epoll, events: make([]unix.EpollEvent, 512)}, nil
}

func (l *loop) close() { unix.Close(l.epoll) }

func (l *loop) add(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd)}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &event)
}

// turn waits for events, for ever if wait is negative, and hands on the descriptor of each.
func (l *loop) turn(wait time.Duration, ready func(fd int)) error {
	ms := -1
	if wait >= 0 {
		ms = int((wait + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := unix.EpollWait(l.epoll, l.events, ms)
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot wait for events: %w", err)
	}
	for _, event := range l.events[:n] {
		ready(int(event.Fd))
	}
	return nil
}

func listenOn(address netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("cannot make a socket: %w", err)
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, socketAddress(address)); err != nil {
		return 0, fmt.Errorf("cannot bind to %s: %w", address, err)
	}
	return fd, unix.Listen(fd, 4096)
}

// dialTo begins a connection. It is there when the socket can be written.
func dialTo(address netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("cannot make a socket: %w", err)
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := unix.Connect(fd, socketAddress(address)); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

func socketAddress(address netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}
}

// manyFiles is enough for every scenario: a proxy has two sockets for each of 10,000 streams, and some in reserve.
const manyFiles = 32768

// raiseFiles raises the limit of open files of this process and of those it starts, as far as it may, and says how far
// that was.
func raiseFiles(want uint64) uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	raised := syscall.Rlimit{Cur: max(want, limit.Cur), Max: max(want, limit.Max)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) != nil {
		raised = syscall.Rlimit{Cur: limit.Max, Max: limit.Max}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) != nil {
			return limit.Cur
		}
	}
	return raised.Cur
}

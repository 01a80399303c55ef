package netio

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"syscall"

	"github.com/tidwall/evio"
	"golang.org/x/sys/unix"
)

// What evio does not offer is taken from it here. TestDetachedFd and TestSwapListener fail when a version of evio no
// longer works this way.

// connFd returns the descriptor of a connection that evio has.
func connFd(c evio.Conn) int { return int(reflect.ValueOf(c).Elem().Field(0).Int()) }

// epollOf returns the epoll descriptor of a connection's loop.
func epollOf(c evio.Conn) int {
	loop := reflect.ValueOf(c).Elem().FieldByName("loop")
	return int(loop.Elem().FieldByName("poll").Elem().FieldByName("fd").Int())
}

// detachedFd returns the descriptor of a connection that evio has let go. Reading and writing through rwc itself would
// block a thread.
func detachedFd(rwc io.ReadWriteCloser) int {
	return int(reflect.ValueOf(rwc).Elem().FieldByName("fd").Int())
}

// swapListener puts l under evio, in the place of the listener that evio has opened at address. evio watches a number,
// not a socket: dup3(2) closes what was there. Both of its descriptors are replaced, since one is in Go's poller and
// would wake the runtime, too, for each connection. It returns their numbers.
func swapListener(address net.Addr, l *Listener) ([]int, error) {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("cannot put a listener under evio: its address is a %T", address)
	}
	fds, err := listenersAt(tcp.AddrPort())
	if err != nil {
		return nil, fmt.Errorf("cannot put a listener under evio: %w", err)
	}
	if len(fds) != 2 {
		return nil, fmt.Errorf("cannot put a listener under evio: it has %d descriptors and not 2", len(fds))
	}
	for _, fd := range fds {
		if err := l.over(fd); err != nil {
			return nil, fmt.Errorf("cannot put a listener under evio: %w", err)
		}
	}
	return fds, nil
}

// listenersAt returns this process's descriptors of the listening socket at address.
func listenersAt(address netip.AddrPort) ([]int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	var fds []int
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listening == 0 {
			continue
		}
		if sa, err := unix.Getsockname(fd); err == nil && addrPortOf(sa) == address {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}

// handOver makes a connection that evio has let go the loop's. The call that adds it to the loop's epoll also wakes the
// loop: the new socket is writable, and that is its first event. It may have been closed again when this returns.
func (s *splicer) handOver(c *client, fd int) syscall.Errno {
	if errno := sysCloseOnExec(fd); errno != 0 {
		return errno
	}
	c.s, c.watched = s, true
	c.conn = conn{fd: fd, gen: s.server.generation.Add(1), toClient: true, blocking: true, owner: c}
	s.handed.Add(1)
	errno := s.register(&c.conn)
	if errno != 0 {
		s.handed.Add(-1)
	}
	return errno
}

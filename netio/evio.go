package netio

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"

	"github.com/tidwall/evio"
	"golang.org/x/sys/unix"
)

// What evio does not offer is taken from it here. TestDetachedFd and TestPlacesOf fail when a version of evio no
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

// placesOf returns the two descriptors of the listener that evio has opened at address. evio watches a number, not a
// socket: another listener is put there by dup3(2), which closes what was there. Both must be replaced, since one is in
// Go's poller and would wake the runtime, too, for each connection.
func placesOf(address net.Addr) ([]int, error) {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("the address is a %T", address)
	}
	fds, err := listenersAt(tcp.AddrPort())
	if err == nil && len(fds) != 2 {
		err = fmt.Errorf("it has %d descriptors and not 2", len(fds))
	}
	return fds, err
}

// watchedBy returns the descriptors that are in an epoll (proc(5), fdinfo).
func watchedBy(epoll int) ([]int, error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", epoll))
	if err != nil {
		return nil, err
	}
	var fds []int
	for line := range strings.Lines(string(info)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "tfd:" {
			fd, err := strconv.Atoi(f[1])
			if err != nil {
				return nil, err
			}
			fds = append(fds, fd)
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

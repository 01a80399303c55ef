package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a pending connect is waited for between two looks at
// the context.
const patience = 20 * time.Millisecond

// socket is a connected socket. Plain system calls make it, in a tenth of the
// CPU that a net.Dialer takes: while a service starts there are hundreds of
// them, most of which are refused.
type socket int

func (s socket) close() { rawClose(int(s)) }

// connect connects to "ip:port" or "unix:/path".
func connect(ctx context.Context, address string) (socket, error) {
	to, family, err := sockaddr(address)
	if err != nil {
		return -1, err
	}
	fd, err := rawSocket(family)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return -1, &nobodyListens{address} // no IPv6 here
	}
	if err != nil {
		return -1, fmt.Errorf("cannot connect to %s: %w", address, err)
	}
	err = rawConnect(fd, to)
	if errors.Is(err, unix.EINPROGRESS) {
		err = finish(ctx, fd)
	}
	if err == nil && toItself(fd) {
		err = unix.ECONNREFUSED
	}
	if err != nil {
		rawClose(fd)
		return -1, explain(address, err)
	}
	return socket(fd), nil
}

// Answers tells whether a connection to address, or to another of its Candidates, is taken. That is also so where the
// kernel sends it elsewhere, and nobody of this machine listens.
func Answers(ctx context.Context, address string) bool {
	candidates, err := Candidates(address)
	if err != nil {
		return false
	}
	for _, c := range candidates {
		if s, err := connect(ctx, c); err == nil {
			s.close()
			return true
		}
	}
	return false
}

// finish waits for the result of a pending connect.
func finish(ctx context.Context, fd int) error {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, int(patience.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 {
			code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err != nil {
				return err
			}
			if code != 0 {
				return unix.Errno(code)
			}
			return nil
		}
		// Only now: whoever has stood still until the end may find it made.
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// toItself tells whether a socket is connected to itself. A connect to a
// closed port of the ephemeral range can be given that very port as its own,
// and TCP's simultaneous open (RFC 9293 section 3.5) does the rest. It is made
// to end with a reset, or the port would be in TIME_WAIT when the service
// wants it.
func toItself(fd int) bool {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	remote, err := unix.Getpeername(fd)
	if err != nil {
		return false
	}
	if same := samePlace(local, remote); !same {
		return false
	}
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	return true
}

func samePlace(a, b unix.Sockaddr) bool {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		b, ok := b.(*unix.SockaddrInet4)
		return ok && a.Port == b.Port && a.Addr == b.Addr
	case *unix.SockaddrInet6:
		b, ok := b.(*unix.SockaddrInet6)
		return ok && a.Port == b.Port && a.Addr == b.Addr
	default:
		return false
	}
}

func sockaddr(address string) (unix.Sockaddr, int, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return &unix.SockaddrUnix{Name: path}, unix.AF_UNIX, nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot connect to %q: not an address: %w", address, err)
	}
	if ip := at.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(at.Port()), Addr: ip.As4()}, unix.AF_INET, nil
	}
	return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}, unix.AF_INET6, nil
}

// explain says what a failed connect means.
func explain(address string, err error) error {
	switch {
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EADDRNOTAVAIL):
		return &nobodyListens{address}
	case errors.Is(err, unix.EINVAL) && strings.HasPrefix(address, "unix:"):
		return fmt.Errorf("cannot connect to %s: the path is longer than the 107 bytes of a socket's", address)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%s does not accept connections", address)
	default:
		return fmt.Errorf("cannot connect to %s: %w", address, err)
	}
}

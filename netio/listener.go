package netio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// backlog is the length of the accept queue; the kernel lowers it to net.core.somaxconn.
const backlog = 4096

// Listener is a plain TCP listening socket of our own: it is put under evio (see round.admit), it is not in Go's
// poller, and it survives an evio server that gave up.
type Listener struct {
	addr netip.AddrPort
	mu   sync.Mutex
	fd   int // -1 once closed
}

// Listen opens a listener on "host:port". An empty host, or "::", is dual stack (IPv6 only where there is no IPv4,
// IPv4 only where there is no IPv6). A host must be an IP address or "localhost", which is 127.0.0.1 here. Port 0 lets
// the kernel choose. A port that is taken gives an error that wraps syscall.EADDRINUSE.
func Listen(addr string) (*Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: the address must be host:port", addr)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: the port must be a number from 0 to 65535", addr)
	}
	var ip netip.Addr
	switch host {
	case "":
		ip = netip.IPv6Unspecified()
	case "localhost":
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		if ip, err = netip.ParseAddr(host); err != nil || ip.Zone() != "" {
			return nil, fmt.Errorf("cannot listen on %q: the host must be an IP address, localhost or empty", addr)
		}
	}
	l, err := listenOn(netip.AddrPortFrom(ip, uint16(number)))
	if err == unix.EAFNOSUPPORT && host == "" {
		l, err = listenOn(netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(number)))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	return l, nil
}

func listenOn(ap netip.AddrPort) (*Listener, error) {
	family, sa := sockaddrOf(ap)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := bindAndListen(fd, family, sa, ap.Addr() == netip.IPv6Unspecified()); err != nil {
		unix.Close(fd)
		return nil, err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &Listener{addr: addrPortOf(bound), fd: fd}, nil
}

func bindAndListen(fd, family int, sa unix.Sockaddr, dualStack bool) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if family == unix.AF_INET6 {
		only := 1
		if dualStack {
			only = 0
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return err
		}
	}
	if err := tune(fd); err != nil {
		return err
	}
	if err := unix.Bind(fd, sa); err != nil {
		return err
	}
	return unix.Listen(fd, backlog)
}

// tune sets what the accepted sockets are to have. They inherit it (tcp(7) is silent, the kernel copies the whole socket),
// so it costs no call per connection; those that were in an inherited listener's queue before had none of it to inherit.
func tune(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	for _, o := range tcpKeepAlive {
		if err := unix.SetsockoptInt(fd, o.level, o.option, int(o.value)); err != nil {
			return err
		}
	}
	return nil
}

// Inherit makes a Listener of a listening TCP socket that somebody else has opened: systemd (sd_listen_fds(3)) or the
// server that is replaced. The descriptor stays the caller's.
func Inherit(fd int) (*Listener, error) {
	l := &Listener{fd: -1}
	if err := l.inherit(fd); err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot listen on an inherited socket: %w", err)
	}
	return l, nil
}

func (l *Listener) inherit(fd int) error {
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listening == 0 {
		return errors.New("it is no listening socket")
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	if l.addr = addrPortOf(bound); !l.addr.IsValid() {
		return errors.New("it is no TCP socket")
	}
	if l.fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return err
	}
	if err := unix.SetNonblock(l.fd, true); err != nil {
		return err
	}
	return tune(l.fd)
}

// Dup returns a duplicate of the descriptor, for another process to listen on.
func (l *Listener) Dup() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return -1, net.ErrClosed
	}
	return unix.FcntlInt(uintptr(l.fd), unix.F_DUPFD_CLOEXEC, 0)
}

// Addr is the address it is bound to, with the port the kernel chose.
func (l *Listener) Addr() netip.AddrPort { return l.addr }

// Close stops listening. Connections that were accepted live on. Closing twice is harmless.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return nil
	}
	fd := l.fd
	l.fd = -1
	return unix.Close(fd)
}

// over puts the listener in the place of another descriptor.
func (l *Listener) over(fd int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return net.ErrClosed
	}
	return unix.Dup3(l.fd, fd, unix.O_CLOEXEC)
}

func sockaddrOf(ap netip.AddrPort) (int, unix.Sockaddr) {
	if ap.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}
}

func addrPortOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

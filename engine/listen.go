package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"syscall"

	"dynapm/actors/probe"
	"dynapm/netio"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// sockets are what the engine listens on. Some may have been opened by somebody else.
type sockets struct {
	public    []*netio.Listener // the main one first
	admin     *net.TCPListener  // nil: the admin API is off
	inherited []*inherited
	named     []string // the addresses of the config
}

// inherited is a listening socket that somebody else has opened for this engine: systemd (sd_listen_fds(3)), or the
// engine whose place it takes.
type inherited struct {
	address netip.AddrPort
	fd      int
	from    string
	public  int // the index among those of the engine before; -1: it is not one of them
	taken   int // the index of the address it was taken for; -1: for none, or for the admin API
	used    bool
}

// fromSystemd adds what systemd has passed.
func (s *sockets) fromSystemd() error {
	for _, file := range activation.Files(true) {
		fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		file.Close()
		if err != nil {
			return fmt.Errorf("cannot use a socket that systemd has passed: %w", err)
		}
		if err := s.add(fd, "systemd", -1); err != nil {
			return fmt.Errorf("cannot use the socket %s that systemd has passed: %w", file.Name(), err)
		}
	}
	return nil
}

// add takes a descriptor in.
func (s *sockets) add(fd int, from string, public int) error {
	l, err := netio.Inherit(fd)
	if err != nil {
		unix.Close(fd)
		return err
	}
	defer l.Close()
	s.inherited = append(s.inherited, &inherited{address: l.Addr(), fd: fd, from: from, public: public, taken: -1})
	return nil
}

// find gives an inherited socket for the address of a config, "host:port"; nil if there is none. For port 0, any port, it is
// one of the engine before that no other address names.
func (s *sockets) find(address string) *inherited {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	if port == "0" {
		return s.findAny(host)
	}
	for _, i := range s.inherited {
		if !i.used && strconv.Itoa(int(i.address.Port())) == port && isAt(i.address.Addr(), host) {
			i.used = true
			return i
		}
	}
	return nil
}

func (s *sockets) findAny(host string) *inherited {
	for _, i := range s.inherited {
		if !i.used && i.public >= 0 && isAt(i.address.Addr(), host) && !s.names(i.address) {
			i.used = true
			return i
		}
	}
	return nil
}

// names tells whether the config names the address.
func (s *sockets) names(bound netip.AddrPort) bool {
	return slices.ContainsFunc(s.named, func(address string) bool {
		host, port, err := net.SplitHostPort(address)
		return err == nil && port == strconv.Itoa(int(bound.Port())) && isAt(bound.Addr(), host)
	})
}

// isAt tells whether a socket bound to ip is what a config means by host. The unspecified addresses are one: how far each
// reaches is said where the socket is opened.
func isAt(ip netip.Addr, host string) bool {
	switch host {
	case "":
		return ip.IsUnspecified()
	case "localhost":
		return ip == netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	other, err := netip.ParseAddr(host)
	return err == nil && (other == ip || other.IsUnspecified() && ip.IsUnspecified())
}

// open listens on the addresses, and on admin unless it is "", with what was inherited where that fits.
func (s *sockets) open(addresses []string, admin string) error {
	s.named = append(slices.Clip(addresses), admin)
	for n, address := range addresses {
		l, err := s.listen(n, address)
		if err != nil {
			s.close()
			return listenError(address, err)
		}
		s.public = append(s.public, l)
	}
	if admin == "" {
		return nil
	}
	if err := s.listenAdmin(admin); err != nil {
		s.close()
		return listenError(admin, err)
	}
	return nil
}

func (s *sockets) listen(n int, address string) (*netio.Listener, error) {
	if i := s.find(address); i != nil {
		i.taken = n
		return netio.Inherit(i.fd)
	}
	return netio.Listen(address)
}

func (s *sockets) listenAdmin(address string) error {
	var l net.Listener
	var err error
	if i := s.find(address); i != nil {
		file := os.NewFile(uintptr(i.fd), address)
		i.fd = -1
		l, err = net.FileListener(file) // which duplicates it
		file.Close()
	} else {
		l, err = net.Listen("tcp", address)
	}
	if err != nil {
		return err
	}
	s.admin = l.(*net.TCPListener)
	return nil
}

// settle closes what was inherited and is not needed, and gives, for each listener of the engine before, the index of
// ours; where it is not wanted any more, -1.
func (s *sockets) settle(unwanted func(*inherited)) (indexes []int) {
	for _, i := range s.inherited {
		if !i.used {
			unwanted(i)
		}
		if i.public >= 0 {
			indexes = append(indexes, i.taken)
		}
		if i.fd >= 0 {
			unix.Close(i.fd)
		}
	}
	s.inherited = nil
	return indexes
}

// close gives everything up.
func (s *sockets) close() {
	for _, l := range s.public {
		l.Close()
	}
	if s.admin != nil {
		s.admin.Close()
	}
	s.settle(func(*inherited) {})
}

// listenError says what to do about an address that cannot be listened on.
func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		if holder, ok := probe.Holder(address); ok {
			return fmt.Errorf("cannot listen on %s: it is in use by %s; stop that, or change the address in the config", address, holder)
		}
		return fmt.Errorf("cannot listen on %s: it is in use; change the address in the config", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot listen on %s: that takes root or CAP_NET_BIND_SERVICE; use a port above 1023", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s: this machine does not have that address; change it in the config", address)
	}
	return err
}

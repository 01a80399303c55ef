package netio

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// defaultResponse is the deadline of a reply's head, from the fully sent request.
const defaultResponse = 30 * time.Second

// Backend is one target of one run of a service. Its pointer is the identity of a pool of connections: another run
// needs another Backend even at the same address. The fields must not be changed.
type Backend struct {
	Address         string        // "127.0.0.1:8080", "[::1]:8080" or "unix:/run/app.sock"
	Host            string        // replaces the client's Host field; "": the client's goes through
	ResponseTimeout time.Duration // from the fully sent request to the head of its reply
	RetryUntil      time.Time     // until then it may still be coming up, and refused requests are tried again; set before use
	TLS             *tls.Config   // nil: it is spoken to in plain; else ServerName must be set, NextProtos is ours; set before use

	// Whose leases are relaxed as soon as the reply shows what it is; set before use. They are cut when the run ends.
	RelaxTunnels bool // upgraded connections
	RelaxEvents  bool // replies of text/event-stream

	family  int
	sockLen uint32
	sock    [112]byte // struct sockaddr_in, _in6 or _un, ready for connect(2)

	distant     bool        // it may vanish without a word: it is not behind a loopback address
	selfConnect bool        // the port is ephemeral: a connect without a listener can meet itself
	retired     atomic.Bool // its run is ending: connections are not pooled any more
	cut         atomic.Bool // its run has ended: no request is sent to it any more
	answered    atomic.Bool // it has begun a reply: it is not coming up any more

	trouble atomic.Pointer[string] // why it could not be reached last, by TLS; nil: it could
}

// NewBackend makes a Backend of an address that needs no resolving: the loops must not block. A responseTimeout of 0 is 30 s.
func NewBackend(address, host string, responseTimeout time.Duration) (*Backend, error) {
	b := &Backend{Address: address, Host: host, ResponseTimeout: responseTimeout}
	orDefault(&b.ResponseTimeout, defaultResponse)
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return b, b.setUnix(path)
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("cannot use backend address %q: it must be ip:port or unix:/path", address)
	}
	if ap.Port() == 0 {
		return nil, fmt.Errorf("cannot use backend address %q: the port is 0", address)
	}
	if ap.Addr().Zone() != "" {
		return nil, fmt.Errorf("cannot use backend address %q: a zone is not supported", address)
	}
	b.setInet(netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
	return b, nil
}

// Trouble says why the backend could not be reached when that was last tried; "" if it could. Only of one with TLS is
// that known.
func (b *Backend) Trouble() string {
	if reason := b.trouble.Load(); reason != nil {
		return *reason
	}
	return ""
}

// setUnix fills in a sockaddr_un (unix(7)); the path includes its terminating zero.
func (b *Backend) setUnix(path string) error {
	const room = 108
	if path == "" || path[0] != '/' || strings.IndexByte(path, 0) >= 0 {
		return fmt.Errorf("cannot use backend address %q: the path of a unix socket must be absolute", b.Address)
	}
	if len(path) >= room {
		return fmt.Errorf("cannot use backend address %q: the path of a unix socket must be shorter than %d bytes", b.Address, room)
	}
	b.family = syscall.AF_UNIX
	binary.NativeEndian.PutUint16(b.sock[:], syscall.AF_UNIX)
	copy(b.sock[2:], path)
	b.sockLen = uint32(2 + len(path) + 1)
	return nil
}

// setInet fills in a sockaddr_in (ip(7)) or sockaddr_in6 (ipv6(7)).
func (b *Backend) setInet(ap netip.AddrPort) {
	binary.BigEndian.PutUint16(b.sock[2:], ap.Port())
	if ap.Addr().Is4() {
		ip := ap.Addr().As4()
		b.family, b.sockLen = syscall.AF_INET, 16
		copy(b.sock[4:], ip[:])
	} else {
		ip := ap.Addr().As16()
		b.family, b.sockLen = syscall.AF_INET6, 28
		copy(b.sock[8:], ip[:])
	}
	binary.NativeEndian.PutUint16(b.sock[:], uint16(b.family))
	b.distant = !ap.Addr().IsLoopback()
	b.selfConnect = ap.Addr().IsLoopback() && ephemeral(ap.Port())
}

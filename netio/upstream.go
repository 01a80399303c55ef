package netio

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An upstream is one connection to a backend. It serves one client at a time; between two it lies in its pool.
type upstream struct {
	conn
	s         *splicer
	pool      *pool
	client    *client // nil while it is idle
	connected bool    // the connection stands
	reused    bool    // it has served another request before
	parked    uint64  // the turn of the loop in which it became idle
	keep      bool    // the backend will take another request when this one has ended
	suspect   bool    // its last reply was one to which some backends send a body that nobody expects
	tempting  bool    // and to which they send it late
	aside     bool    // it is put aside for a while
	in        *buffer // the beginning of a reply's head
	bridge    *bridge // what fd leads to; nil: the backend itself

	next, prev         *upstream // among all of the pool
	idleNext, idlePrev *upstream // among its idle ones
}

// dial opens a connection for c. The connect may still be in progress when it returns.
func (s *splicer) dial(p *pool, c *client) (*upstream, syscall.Errno) {
	b := p.backend
	if s.server.sockets.Load() >= s.server.limits.all {
		return nil, unix.EMFILE
	}
	fd, errno := sysSocket(b.family)
	if errno != 0 {
		return nil, errno
	}
	if fd >= s.server.limits.lastFile {
		sysClose(fd)
		return nil, unix.EMFILE
	}
	if b.family != unix.AF_UNIX {
		sysSetInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if b.distant {
		for _, o := range tcpKeepAlive {
			sysSetInt(fd, o.level, o.option, o.value)
		}
	}
	errno = sysConnect(fd, b)
	if errno == 0 || errno == unix.EINPROGRESS {
		if b.selfConnect && metItself(fd, b) {
			sysReset(fd) // no TIME_WAIT on the port that the service is to listen on
			errno = unix.ECONNREFUSED
		}
	}
	if errno != 0 && errno != unix.EINPROGRESS {
		sysClose(fd)
		return nil, errno
	}
	u := &upstream{s: s, pool: p, client: c, connected: errno == 0}
	if errno := s.enlist(u, fd); errno != 0 {
		sysClose(fd)
		return nil, errno
	}
	s.server.sockets.Add(1)
	return u, 0
}

// enlist gives u its socket, and u to its pool and to the loop.
func (s *splicer) enlist(u *upstream, fd int) syscall.Errno {
	u.conn = conn{fd: fd, gen: s.server.generation.Add(1), owner: u}
	if errno := s.register(&u.conn); errno != 0 {
		return errno
	}
	s.tally.backendConnects.Add(1)
	u.pool.join(u)
	return 0
}

// metItself tells whether a connect to an ephemeral port, where nobody listens, was given that very port and has
// connected to itself (a simultaneous open, RFC 9293 section 3.5).
func metItself(fd int, b *Backend) bool {
	var own [112]byte
	size := uint32(len(own))
	_, _, errno := syscall.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&own[0])), uintptr(unsafe.Pointer(&size)))
	return errno == 0 && binary.BigEndian.Uint16(own[2:]) == binary.BigEndian.Uint16(b.sock[2:])
}

// ephemeral tells whether the kernel may choose that port for an outgoing connection.
func ephemeral(port uint16) bool {
	low, high := localPorts()
	return port >= low && port <= high
}

// localPorts is the range that the kernel chooses from, all ports where it is not known (ip_local_port_range, ip(7)). It
// is read once: each start of a service makes a backend.
var localPorts = sync.OnceValues(func() (low, high uint16) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(text), &low, &high)
	}
	if err != nil {
		return 0, math.MaxUint16
	}
	return low, high
})

// alive looks whether a pooled connection still stands: one call more, for requests that must not be sent twice.
func (u *upstream) alive() bool {
	if u.bridge != nil && !u.bridge.raw.quiet() { // first: it carries to where is looked then
		return false
	}
	_, errno := sysPeek(u.fd)
	return errno == unix.EAGAIN
}

// torn tells, once the connection has ended, whether that was a break although it looks like an end.
func (u *upstream) torn() bool { return u.bridge != nil && u.bridge.torn.Load() }

// wake handles an event on the connection.
func (u *upstream) wake() {
	switch {
	case u.client != nil:
		u.client.run()
	case u.readable || u.finished:
		u.close() // idle, and it says something: whatever that is, it answers no request
	}
}

// expire closes a connection that was idle for long enough, or takes one that was put aside into the pool.
func (u *upstream) expire() {
	switch {
	case u.client != nil:
		return
	case !u.aside || u.pool.backend.retired.Load():
		u.close()
		return
	}
	u.aside = false
	u.pool.aside--
	u.pool.park(u)
	u.s.wheel.set(&u.timer, u.s.now+int64(idleBackend))
}

// free parts the connection from its client: into the pool if it can serve another one, else it is closed.
func (u *upstream) free(reusable bool) {
	u.client = nil
	u.s.buffers.put(u.in)
	u.in = nil
	if !reusable || u.finished || u.pool.backend.retired.Load() || u.readable && !u.quiet() {
		u.close()
		return
	}
	u.reused = true
	if u.tempting {
		u.putAside()
		return
	}
	u.pool.park(u)
	u.s.wheel.set(&u.timer, u.s.now+int64(idleBackend))
}

// putAside keeps the connection out of the pool for a while.
func (u *upstream) putAside() {
	if u.pool.aside == maxAside {
		u.close()
		return
	}
	u.aside = true
	u.pool.aside++
	u.s.wheel.set(&u.timer, u.s.now+int64(quarantine))
}

// quiet makes sure that nothing unread is left of a reply whose last read filled its buffer.
func (u *upstream) quiet() bool {
	u.readable = false
	return u.alive()
}

// abort ends the connection, and the request on it, because of a fault of ours.
func (u *upstream) abort() {
	if u.client != nil {
		u.client.abort()
		return
	}
	u.close()
}

// close ends the connection.
func (u *upstream) close() {
	s := u.s
	s.unregister(&u.conn)
	s.buffers.put(u.in)
	u.in, u.client = nil, nil
	if u.aside {
		u.pool.aside--
	}
	u.pool.leave(u)
	sysClose(u.fd)
	if u.bridge != nil {
		u.bridge.end()
	}
	s.server.sockets.Add(-1)
}

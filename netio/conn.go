package netio

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// A conn is one socket in a loop's epoll: a client's, or one to a backend.
//
// It is registered once and edge-triggered, so what the kernel said is remembered here until a call shows that it is no
// longer true: readable until a read comes back short, writable until a write does.
type conn struct {
	fd       int
	gen      uint32 // tells this use of fd from earlier ones
	readable bool
	writable bool
	finished bool // the peer sends no more (EPOLLRDHUP), or the connection broke (EPOLLHUP, EPOLLERR)
	toClient bool // the peer is a client: its bytes are counted
	blocking bool // reads and writes do not mind, splice would block
	owner    owner
	timer    timer
}

// The owner of a conn, a client or an upstream, is told of its events.
type owner interface {
	wake()   // something was noted
	expire() // the deadline has passed
	abort()  // something is wrong with us: end at once
}

// note remembers what an event says.
func (c *conn) note(events uint32) {
	const over = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	if events&(unix.EPOLLIN|over) != 0 {
		c.readable = true
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.writable = true
	}
	if events&over != 0 {
		c.finished = true
	}
}

// endOfStream is what read returns when the peer has ended its side.
const endOfStream = syscall.Errno(0xfff)

// read fills p with what there is. EAGAIN: nothing now, an event will come. endOfStream: nothing ever.
func (c *conn) read(p []byte) (int, syscall.Errno) {
	for {
		n, errno := sysRead(c.fd, p)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			c.readable = c.finished // a FIN may have been seen that these bytes were in front of
			return 0, errno
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, endOfStream
		}
		// Less than asked for means that the socket is dry (epoll(7)): the EAGAIN that would say so is saved. Not so
		// if the peer has finished, for which no further event would come.
		if n < len(p) && !c.finished {
			c.readable = false
		}
		return n, 0
	}
}

// write sends what the socket takes of p. EAGAIN: no room now, an event will come.
func (c *conn) write(p []byte) (int, syscall.Errno) {
	for {
		n, errno := sysWrite(c.fd, p)
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			c.writable = errno != unix.EAGAIN
			return 0, errno
		}
		if n < len(p) {
			c.writable = false
		}
		return n, 0
	}
}

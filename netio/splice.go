package netio

import (
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

// What is larger than a buffer goes from socket to socket by splice(2), through a pipe, and is never copied into user
// space. A flow has a pipe only as long as there are bytes in it: it is filled once, emptied as far as the receiver
// takes them, and given back. So a flow at rest costs no descriptors, and a slow reader holds one pipe, and one pipe's
// bytes of its sender. Where no pipe can be had, the bytes are copied as those of small messages are.

// A pipe holds bytes that were taken from one socket and not yet taken by another.
type pipe struct {
	r, w int // descriptors
	n    int // bytes in it; never 0 in a flow, and 0 in the pool
}

// pipeSize is the most that one splice moves, and the most that a user's pipe may hold by default
// (/proc/sys/fs/pipe-max-size): what costs is waking the peers, not the call, and the more they get at once the less often
// they are woken. A pipe has a slot for each 4 KiB of it, and each piece of a packet takes one, however small it is: what
// comes from a network card in pieces of 1,400 bytes fills a third of it.
const pipeSize = 1 << 20

// maxPipes bounds the pipes of all loops, so that together they stay below what the pipes of one user may hold by
// default, 64 MiB (/proc/sys/fs/pipe-user-pages-soft): beyond that each would have two slots.
const maxPipes = 48

// filesPerPipe is how many descriptors a pipe has.
const filesPerPipe = 2

// spliceWorth is how many reads' worth of a turn one splice is.
const spliceWorth = 4

// plain is how many of the next bytes go on as they come, without being looked at.
func (b *body) plain() int64 {
	switch {
	case b.kind == untilClose:
		return math.MaxInt64
	case b.kind == fixedLength:
		return b.left
	case b.kind == chunkedBody && b.chunk.state == inData:
		return b.chunk.left
	}
	return 0
}

// pass notes that n of those bytes have gone. It returns whether they were the body's last.
func (b *body) pass(n int) (ended bool) {
	switch b.kind {
	case fixedLength:
		b.left -= int64(n)
		return b.left == 0
	case chunkedBody:
		b.chunk.pass(n)
	}
	return false
}

// fillPipe has f take up to most bytes from src into a pipe. It returns false if that is not worth it, or not possible: a source that
// could not fill a buffer has too little to be worth a pipe. EAGAIN: nothing now, an event will come.
func (s *splicer) fillPipe(f *flow, src *conn, most int) (bool, syscall.Errno) {
	plain := f.body.plain()
	if !f.bulk || plain <= bufferSize {
		return false, 0
	}
	p := s.pipes.get()
	if p == nil {
		return false, 0
	}
	n, errno := src.spliceTo(p, int(min(plain, int64(most))))
	f.bulk = n >= bufferSize
	if errno != 0 {
		s.pipes.put(p)
		return true, errno
	}
	p.n, f.pipe = n, p
	s.received(src, n)
	s.tally.spliced.Add(int64(n))
	f.ended = f.body.pass(n)
	return true, 0
}

// emptyPipe writes on what f has in its pipe. EAGAIN: not all of it was taken.
func (s *splicer) emptyPipe(f *flow, dst *conn) syscall.Errno {
	p := f.pipe
	for p.n > 0 {
		if !dst.writable {
			return unix.EAGAIN
		}
		n, errno := dst.spliceFrom(p)
		if errno != 0 {
			return errno
		}
		p.n -= n
		s.sent(f, dst, n)
	}
	f.pipe = nil
	s.pipes.put(p)
	return 0
}

// spliceTo moves up to n bytes of what there is into p, which must be empty: only then does EAGAIN say that the socket
// is dry, and not that the pipe is full of small pieces. For the same reason it says nothing when less than n was moved.
func (c *conn) spliceTo(p *pipe, n int) (int, syscall.Errno) {
	c.neverBlock()
	for {
		n, errno := sysSplice(c.fd, p.w, n)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			c.readable = c.finished // as in read
			return 0, errno
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, endOfStream
		}
		return n, 0
	}
}

// neverBlock is for a socket that evio has left in blocking mode. Most never come here, and are spared the call.
func (c *conn) neverBlock() {
	if c.blocking {
		c.blocking = false
		sysNonblock(c.fd)
	}
}

// spliceFrom sends what the socket takes of p. EAGAIN: no room now, an event will come.
func (c *conn) spliceFrom(p *pipe) (int, syscall.Errno) {
	c.neverBlock()
	for {
		n, errno := sysSplice(p.r, c.fd, p.n)
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			c.writable = errno != unix.EAGAIN
			return 0, errno
		case n == 0:
			return 0, unix.EIO // it has less than was put in
		}
		return n, 0
	}
}

// A pipePool is the free list of one loop: empty pipes only.
type pipePool struct {
	server *Server
	free   []*pipe
	low    int // the fewest that were free since the last trim
}

// get returns an empty pipe; nil if there may be no more of them, or no more descriptors.
func (l *pipePool) get() *pipe {
	if n := len(l.free) - 1; n >= 0 {
		p := l.free[n]
		l.free = l.free[:n]
		l.low = min(l.low, n)
		return p
	}
	server := l.server
	if server.pipes.Add(1) > server.limits.pipes || server.sockets.Load() >= server.limits.soft {
		server.pipes.Add(-1)
		return nil
	}
	p, errno := newPipe(server.limits.lastFile)
	if errno != 0 {
		server.pipes.Add(-1)
		return nil
	}
	server.sockets.Add(filesPerPipe)
	return p
}

// put takes a pipe back. One with something in it would give that to its next user: it is closed.
func (l *pipePool) put(p *pipe) {
	switch {
	case p == nil:
	case p.n > 0:
		l.close(p)
	default:
		l.free = append(l.free, p)
	}
}

// trim closes half of what nobody needed since the last trim.
func (l *pipePool) trim() {
	for range (l.low + 1) / 2 {
		n := len(l.free) - 1
		l.close(l.free[n])
		l.free = l.free[:n]
	}
	l.low = len(l.free)
}

// empty closes all of them.
func (l *pipePool) empty() {
	for _, p := range l.free {
		l.close(p)
	}
	l.free = nil
}

func (l *pipePool) close(p *pipe) {
	sysClose(p.r)
	sysClose(p.w)
	l.server.pipes.Add(-1)
	l.server.sockets.Add(-filesPerPipe)
}

func newPipe(lastFile int) (*pipe, syscall.Errno) {
	r, w, errno := sysPipe()
	if errno != 0 {
		return nil, errno
	}
	if max(r, w) >= lastFile { // nearly all descriptors are taken
		sysClose(r)
		sysClose(w)
		return nil, unix.EMFILE
	}
	sysPipeSize(w, pipeSize) // refused to a user who has many: then less is moved at a time
	return &pipe{r: r, w: w}, 0
}

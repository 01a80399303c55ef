package netio

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// A body follows a message's body and says which of the bytes that arrive belong to it.
type body struct {
	kind  framingKind
	left  int64 // of a fixedLength
	chunk chunkReader
}

// start begins a body with the framing that its head declared. It returns whether that is the end of it, too.
func (b *body) start(f framing) (ended bool) {
	b.kind, b.left = f.kind, f.length
	if f.kind == chunkedBody {
		b.chunk = chunkReader{}
	}
	return f.kind == noBody || f.kind == fixedLength && f.length == 0
}

// take returns how many bytes of p belong to the body, and whether they are its last.
func (b *body) take(p []byte) (n int, ended bool, err error) {
	switch b.kind {
	case fixedLength:
		n = int(min(int64(len(p)), b.left))
		b.left -= int64(n)
		return n, b.left == 0, nil
	case chunkedBody:
		return b.chunk.next(p)
	case untilClose:
		return len(p), false, nil
	}
	return 0, true, nil
}

// takeData is take for a client of HTTP/1.0, which knows no chunks: it moves the data among the n bytes it took to the
// front of p and returns their number. It works in place, since data is never longer than its chunk.
func (b *body) takeData(p []byte) (data, n int, ended bool, err error) {
	for n < len(p) && !ended && err == nil {
		var piece []byte
		var used int
		piece, used, ended, err = b.chunk.data(p[n:])
		data += copy(p[data:], piece)
		n += used
	}
	return data, n, ended, err
}

// A flow is one direction of a pair. What was read and not yet taken by the other side is held, in a buffer or in a pipe;
// while something is held nothing more is read, so a slow reader stops its writer and a flow never has more than one of
// them.
type flow struct {
	body    body
	held    *buffer
	pipe    *pipe   // see splice.go
	bulk    bool    // the source gave as much as was asked for
	excess  *buffer // what was read behind the end of the message
	ended   bool    // the last byte of the message was read
	shut    bool    // of a tunnel: the receiver was told that the sender has ended
	dechunk bool    // only the data of a chunked body goes on
	moved   int64   // when the receiver last took something
	total   int64   // bytes it has taken
}

// drop gives back what the flow holds.
func (f *flow) drop(s *splicer) {
	s.buffers.put(f.held)
	s.buffers.put(f.excess)
	s.pipes.put(f.pipe)
	f.held, f.excess, f.pipe = nil, nil, nil
}

// holds tells whether something was read that the other side has not taken.
func (f *flow) holds() bool { return f.held != nil || f.pipe != nil }

// verdict is why a move stopped.
type verdict uint8

const (
	moveBlocked   verdict = iota // an event will come
	moveAgain                    // others want their turn
	moveDone                     // the message has been read and taken
	moveSourceEnd                // the source has ended its side; what it sent was taken
	moveSourceBroke
	moveSinkBroke
	moveMalformed // of a chunked body; what was right of it was taken or is held
)

// readsPerTurn bounds what one flow moves before the other connections of the loop get their turn.
const readsPerTurn = 16

// share is how much of a turn one flow has, in reads, and in bytes of one splice. With the guest it is little: evio waits
// for the end of its turn, and accepts one connection in three of them.
func (s *splicer) share() (reads, piece int) {
	if s.inner >= 0 {
		return spliceWorth, pipeSize / 16
	}
	return readsPerTurn, pipeSize
}

// move carries what it can of f's message from src to dst. This is the one place where bodies and tunnels are moved.
func (s *splicer) move(f *flow, src, dst *conn) verdict {
	reads, piece := s.share()
	for work := 0; work < reads; {
		switch errno := s.flush(f, dst); errno {
		case 0:
		case unix.EAGAIN:
			return moveBlocked
		default:
			return moveSinkBroke
		}
		switch {
		case f.ended:
			return moveDone
		case !src.readable:
			return moveBlocked
		}
		spliced, errno := s.fillPipe(f, src, piece)
		if spliced {
			work += spliceWorth
		} else {
			var malformed bool
			if errno, malformed = s.fillBuffer(f, src); malformed {
				return moveMalformed
			}
			work++
		}
		switch errno {
		case 0:
		case unix.EAGAIN:
			return moveBlocked
		case endOfStream:
			return moveSourceEnd
		default:
			return moveSourceBroke
		}
	}
	return moveAgain
}

// fillBuffer has f take from src into a buffer. EAGAIN: nothing now, an event will come.
func (s *splicer) fillBuffer(f *flow, src *conn) (errno syscall.Errno, malformed bool) {
	b := s.buffers.get()
	n, errno := src.read(b.data)
	if errno != 0 {
		s.buffers.put(b)
		return errno, false
	}
	s.received(src, n)
	b.w = n
	f.bulk = n == len(b.data)
	return 0, f.accept(s, b) != nil
}

// accept takes a buffer that was read: what belongs to the message is held, what follows it is excess.
func (f *flow) accept(s *splicer, b *buffer) error {
	p := bytesOf(b)
	var data, n int
	var err error
	if f.dechunk {
		data, n, f.ended, err = f.body.takeData(p)
	} else {
		n, f.ended, err = f.body.take(p)
		data = n
	}
	if err == nil && n < len(p) {
		f.excess = s.buffers.hold(p[n:])
	}
	b.w = b.r + data
	if data == 0 {
		s.buffers.put(b)
		return err
	}
	f.held = b
	return err
}

// flush writes on what is held. EAGAIN: not all of it was taken.
func (s *splicer) flush(f *flow, dst *conn) syscall.Errno {
	if f.pipe != nil {
		return s.emptyPipe(f, dst)
	}
	for f.held != nil {
		if !dst.writable {
			return unix.EAGAIN
		}
		n, errno := dst.write(bytesOf(f.held))
		if errno != 0 {
			return errno
		}
		s.sent(f, dst, n)
		if f.held.r += n; f.held.r == f.held.w {
			s.buffers.put(f.held)
			f.held = nil
		}
	}
	return 0
}

// send writes p to dst at once, whether or not an event said that it may, and holds what dst does not take. Nothing may
// be held when it is called.
func (s *splicer) send(f *flow, dst *conn, p []byte) syscall.Errno {
	n, errno := dst.write(p)
	if errno != 0 && errno != unix.EAGAIN {
		return errno
	}
	s.sent(f, dst, n)
	if n < len(p) {
		f.held = s.buffers.hold(p[n:])
	}
	return 0
}

// received counts bytes from a client.
func (s *splicer) received(src *conn, n int) {
	if src.toClient {
		s.tally.bytesIn.Add(int64(n))
	}
}

// sent notes that dst took n bytes.
func (s *splicer) sent(f *flow, dst *conn, n int) {
	f.moved = s.now
	f.total += int64(n)
	if dst.toClient {
		s.tally.bytesOut.Add(int64(n))
	}
}

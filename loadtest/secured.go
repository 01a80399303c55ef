package loadtest

import (
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// secured is TLS over a descriptor that does not block. crypto/tls can read on where it ran dry, but a handshake cannot
// be taken up again, so it is a coroutine of the event loop: where it would wait, the loop goes on. Each connection has
// a whole handshake of its own; no session is resumed.
type secured struct {
	fd      int
	conn    *tls.Conn
	pending []byte // what the socket has not taken yet

	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool // nil: there is no handshake (any more)
	wrong error               // with the handshake
}

// mostPending bounds what waits for the socket. A request fits in; it is the answers to what a server makes TLS itself
// say that might not.
const mostPending = 1 << 20

func secure(fd int, config *tls.Config) *secured {
	s := &secured{fd: fd}
	s.conn = tls.Client(s, config)
	s.next, s.stop = iter.Pull(func(yield func(struct{}) bool) {
		s.yield = yield
		s.wrong = s.conn.Handshake()
		s.yield = nil
	})
	return s
}

// shake goes on with the handshake, and tells whether it is done.
func (s *secured) shake() (done bool, err error) {
	if err := s.flush(); err != nil && err != unix.EAGAIN {
		return false, err
	}
	_, waits := s.next()
	return !waits, s.wrong
}

// end tells the other side, if there is one, and gives up a handshake that is not done. The descriptor is not its own.
func (s *secured) end() {
	if s.yield == nil && s.wrong == nil {
		s.conn.Close()
	}
	s.stop()
}

// receive is a read of what came, as the kernel's is: EAGAIN where there is no more, 0 at the end.
func (s *secured) receive(into []byte) (int, error) {
	n, err := s.conn.Read(into)
	if n > 0 || err == io.EOF {
		return n, nil // what is wrong behind it is told the next time
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		return 0, errno
	}
	return 0, err
}

// write takes everything: what the socket does not take is pending.
func (s *secured) write(data []byte) (int, error) {
	if _, err := s.conn.Write(data); err != nil {
		return 0, err
	}
	return len(data), nil
}

// flush has the socket take what is pending.
func (s *secured) flush() error {
	for sent := 0; sent < len(s.pending); {
		n, err := unix.Write(s.fd, s.pending[sent:])
		if err != nil && err != unix.EINTR {
			s.pending = append(s.pending[:0], s.pending[sent:]...)
			return err
		}
		sent += max(n, 0)
	}
	s.pending = s.pending[:0]
	return nil
}

// Read is for crypto/tls, which takes EAGAIN as what it is: nothing is lost, and it may be asked again.
func (s *secured) Read(into []byte) (int, error) {
	for {
		n, err := unix.Read(s.fd, into)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN && s.yield != nil:
			if !s.yield(struct{}{}) {
				return 0, net.ErrClosed // given up
			}
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write is for crypto/tls, for which a write that is not whole is the end.
func (s *secured) Write(data []byte) (int, error) {
	if len(s.pending)+len(data) > mostPending {
		return 0, errors.New("the server takes nothing")
	}
	s.pending = append(s.pending, data...)
	if err := s.flush(); err != nil && err != unix.EAGAIN {
		return 0, err
	}
	return len(data), nil
}

// The rest of net.Conn, of which crypto/tls needs nothing here.
func (s *secured) Close() error                     { return nil }
func (s *secured) LocalAddr() net.Addr              { return nil }
func (s *secured) RemoteAddr() net.Addr             { return nil }
func (s *secured) SetDeadline(time.Time) error      { return nil }
func (s *secured) SetReadDeadline(time.Time) error  { return nil }
func (s *secured) SetWriteDeadline(time.Time) error { return nil }

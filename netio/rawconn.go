package netio

import (
	"io"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A rawConn is the connection below a bridge's TLS. It tells what crypto/tls does not: how it ended, since to that the
// end of the connection between two records is as good as a close_notify; and whether all that came has been carried on.
type rawConn struct {
	*net.TCPConn
	raw   syscall.RawConn
	ended bool

	mu  sync.Mutex // held while the socket is read, so that nothing can be between it and us when it is looked at
	dry bool       // the last read found nothing: what came before that is carried, else no more would be asked for
}

func newRawConn(conn *net.TCPConn) (*rawConn, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &rawConn{TCPConn: conn, raw: raw}, nil
}

func (c *rawConn) Read(p []byte) (int, error) {
	var n int
	var errno syscall.Errno
	err := c.raw.Read(func(fd uintptr) bool {
		n, errno = c.tryRead(int(fd), p)
		return errno != unix.EAGAIN
	})
	switch {
	case err != nil:
		return 0, err
	case errno != 0:
		return 0, errno
	case n == 0:
		c.ended = true
		return 0, io.EOF
	}
	return n, nil
}

func (c *rawConn) tryRead(fd int, p []byte) (int, syscall.Errno) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		n, errno := sysRead(fd, p)
		if errno != unix.EINTR {
			c.dry = errno == unix.EAGAIN
			return n, errno
		}
	}
}

// quiet tells whether nothing has come from the backend that is yet to be carried: the end of the connection, or what
// would be taken for the reply to another request. It is wrong about a bridge that has only just carried the last of a
// reply; that costs a handshake. It does not block.
func (c *rawConn) quiet() bool {
	quiet := false
	err := c.raw.Control(func(fd uintptr) {
		if !c.mu.TryLock() {
			return
		}
		defer c.mu.Unlock()
		if c.dry {
			_, errno := sysPeek(int(fd))
			quiet = errno == unix.EAGAIN
		}
	})
	return err == nil && quiet
}

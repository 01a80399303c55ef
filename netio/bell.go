package netio

import (
	"fmt"
	"sync"

	"github.com/tidwall/evio"
	"golang.org/x/sys/unix"
)

// A bell is a connection of our own to evio's loop: by it the loop can be called from outside, and it is the first to know
// when the loop ends. It comes through an unnamed unix socket that takes the place of one more listener.
type bell struct {
	listener *Listener
	client   int // our end; -1 once closed

	mu   sync.Mutex
	conn evio.Conn // the loop's end, as long as the loop has it
}

func newBell() (*bell, error) {
	b := &bell{client: -1}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open a socket for evio: %w", err)
	}
	b.listener = &Listener{fd: fd}
	if err := b.connect(fd); err != nil {
		b.close()
		return nil, fmt.Errorf("cannot open a socket for evio: %w", err)
	}
	return b, nil
}

// connect puts our end into the listener's queue. The kernel chooses the name (unix(7), autobind).
func (b *bell) connect(listener int) error {
	if err := unix.Bind(listener, &unix.SockaddrUnix{}); err != nil {
		return err
	}
	if err := unix.Listen(listener, 1); err != nil {
		return err
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return err
	}
	if b.client, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	return unix.Connect(b.client, address)
}

// is tells whether c is the loop's end. The first that comes is.
func (b *bell) is(c evio.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil {
		b.conn = c
	}
	return b.conn == c
}

// ring has the loop call onBell. It is no Wake of evio's: when that calls, evio has yet to read what has woken it.
func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.client >= 0 {
		sysWrite(b.client, []byte{0})
	}
}

// lost notes that the loop has closed c, and tells whether that was the bell.
func (b *bell) lost(c evio.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != c {
		return false
	}
	b.conn = nil
	return true
}

// close may be called twice.
func (b *bell) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listener.Close()
	if b.client >= 0 {
		unix.Close(b.client)
		b.client = -1
	}
}

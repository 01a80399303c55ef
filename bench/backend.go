package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// smallBody is what GET /small answers.
var smallBody = bytes.Repeat([]byte("small, "), 18)

// The date never changes: to format it costs more than the rest of the answer, and no proxy reads it.
const backendHead = "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"

var smallReply = fixedReply("text/plain", smallBody)

func fixedReply(kind string, body []byte) []byte {
	return fmt.Appendf(nil, "%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", backendHead, kind, len(body), body)
}

// backend is the one server behind all contenders: an epoll loop on one thread, so that it costs as little as can be
// and is never what is measured. It does no more of HTTP than the contenders need of it.
type backend struct {
	loop     *loop
	listener int
	conns    map[int]*served
	streams  streams
	scratch  []byte
}

// served is one connection to the backend.
type served struct {
	fd       int
	in       []byte // of a head that is not whole
	out      []byte // what the peer has not taken yet
	sending  int64  // bytes of the pattern that follow out
	sent     int64  // bytes of the pattern that have gone
	body     int64  // bytes of the pattern that the peer still owes
	received int64
	broken   bool // the pattern was not what came
	closed   bool
}

// runBackend is the role of the backend process: it serves until it is killed.
func runBackend(args []string) error {
	if len(args) != 1 {
		return errors.New("the backend wants its address")
	}
	raiseFiles(manyFiles)
	address, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return err
	}
	b := &backend{conns: map[int]*served{}, scratch: make([]byte, 256<<10)}
	if b.loop, err = newLoop(); err != nil {
		return err
	}
	if b.listener, err = listenOn(address); err != nil {
		return err
	}
	if err := b.loop.add(b.listener); err != nil {
		return err
	}
	return b.serve()
}

func (b *backend) serve() error {
	for {
		wait := b.streams.send(b, time.Now())
		err := b.loop.turn(wait, func(fd int) {
			if fd == b.listener {
				b.accept()
			} else if c := b.conns[fd]; c != nil && !b.step(c) {
				c.closed = true
				delete(b.conns, fd)
				unix.Close(fd)
			}
		})
		if err != nil {
			return err
		}
	}
}

func (b *backend) accept() {
	for {
		fd, _, err := unix.Accept4(b.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // none waits; or it has gone already, or there are no descriptors, which the client will see
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if b.loop.add(fd) != nil {
			unix.Close(fd)
			continue
		}
		b.conns[fd] = &served{fd: fd}
	}
}

// step reads and answers until the peer neither sends nor takes anything more, and reports whether it is still there.
func (b *backend) step(c *served) bool {
	for {
		if !b.flush(c) {
			return false
		}
		n, err := unix.Read(c.fd, b.scratch)
		if err == unix.EAGAIN {
			return true
		}
		if err != nil || n == 0 || !b.take(c, b.scratch[:n]) {
			return false
		}
	}
}

// take handles bytes that came: of a body, of heads, or of both.
func (b *backend) take(c *served, data []byte) bool {
	for len(data) > 0 {
		if c.body > 0 {
			n := min(int64(len(data)), c.body)
			c.broken = c.broken || !isPattern(data[:n], c.received)
			c.received += n
			c.body -= n
			data = data[n:]
			if c.body == 0 {
				c.out = append(c.out, c.uploaded()...)
			}
			continue
		}
		head, rest, whole := bytes.Cut(data, crlf2)
		if len(c.in) > 0 || !whole {
			c.in = append(c.in, data...)
			if head, rest, whole = bytes.Cut(c.in, crlf2); !whole {
				return len(c.in) < 64<<10
			}
		}
		ok := b.answer(c, head)
		data, c.in = rest, c.in[:0]
		if !ok {
			return false
		}
	}
	return b.flush(c)
}

// answer queues the answer to a head. False ends the connection: the request is none that this backend knows.
func (b *backend) answer(c *served, head []byte) bool {
	method, path, _ := bytes.Cut(head, []byte(" "))
	path, _, _ = bytes.Cut(path, []byte(" "))
	name, size, _ := bytes.Cut(path, []byte("?"))
	switch string(name) {
	case "/small":
		c.out = append(c.out, smallReply...)
	case "/head":
		c.out = append(c.out, fixedReply("text/plain", head)...)
	case "/download":
		n, err := strconv.ParseInt(string(size), 10, 64)
		if err != nil {
			return false
		}
		c.out = fmt.Appendf(c.out, "%sContent-Length: %d\r\n\r\n", backendHead, n)
		c.sending, c.sent = n, 0
	case "/upload":
		n, ok := contentLength(head)
		if !ok || n == 0 || string(method) != "POST" {
			return false
		}
		c.body, c.received, c.broken = n, 0, false
	case "/events":
		c.out = append(c.out, backendHead+"Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n"+
			"X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n"...)
		b.streams.add(c)
	default:
		return false
	}
	return true
}

// uploaded says what came, so that the client can tell whether it was what it sent.
func (c *served) uploaded() []byte {
	if c.broken {
		return fixedReply("text/plain", []byte("broken"))
	}
	return fixedReply("text/plain", strconv.AppendInt(nil, c.received, 10))
}

// flush writes what is queued, as far as the peer takes it.
func (b *backend) flush(c *served) bool {
	for len(c.out) > 0 || c.sending > 0 {
		data := c.out
		if len(data) == 0 {
			data = pattern(c.sent, c.sending)
		}
		n, err := unix.Write(c.fd, data)
		if err == unix.EAGAIN {
			return true
		}
		if err != nil {
			return false
		}
		if len(c.out) > 0 {
			c.out = c.out[:copy(c.out, c.out[n:])]
		} else {
			c.sent += int64(n)
			c.sending -= int64(n)
		}
	}
	return true
}

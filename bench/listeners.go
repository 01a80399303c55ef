package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

var eventsRequest = []byte("GET /events HTTP/1.1\r\n" + headFields + "\r\n")

// listeners hold streams of events, all on one thread, and note how late each event is.
type listeners struct {
	loop    *loop
	streams []*stream // by descriptor
	open    int       // whose head has come
	from    int64     // events due from here
	until   int64     // to here count
	missing int       // as many are still to come
	scratch []byte
	outcome outcome
}

// stream is one connection of the listeners.
type stream struct {
	in   []byte // of a head or an event that is not whole
	open bool
	sent bool
	last int64 // when the event before was due
}

// openListeners opens streams, some at a time, until the head of each has come.
func openListeners(ctx context.Context, address netip.AddrPort, n int) (*listeners, error) {
	l := &listeners{scratch: make([]byte, 64<<10)}
	var err error
	if l.loop, err = newLoop(); err != nil {
		return nil, err
	}
	if err := l.openAll(ctx, address, n); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *listeners) openAll(ctx context.Context, address netip.AddrPort, n int) error {
	for begun := 0; begun < n; {
		for range min(eventsAtOnce, n-begun) {
			fd, err := dialTo(address)
			if err != nil {
				return err
			}
			for len(l.streams) <= fd {
				l.streams = append(l.streams, nil)
			}
			l.streams[fd] = &stream{}
			if err := l.loop.add(fd); err != nil {
				return err
			}
			begun++
		}
		for deadline := time.Now().Add(stallTime); l.open < begun; {
			if ctx.Err() != nil {
				return errInterrupted
			}
			if len(l.outcome.Errors) > 0 || time.Now().After(deadline) {
				return fmt.Errorf("%d of %d streams came to be open: %v", l.open, begun, l.outcome.Errors)
			}
			if err := l.loop.turn(100*time.Millisecond, l.ready); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *listeners) close() {
	for fd, s := range l.streams {
		if s != nil {
			unix.Close(fd)
		}
	}
	l.loop.close()
}

// listen notes the events that are due within some seconds, as many for each stream as there are seconds. It waits for
// late ones.
func (l *listeners) listen(ctx context.Context, seconds int) error {
	now := time.Now()
	l.from = now.UnixNano()
	l.until = l.from + int64(seconds)*int64(time.Second)
	l.missing = l.open * seconds
	for patience := now.Add(time.Duration(seconds)*time.Second + stallTime); l.missing > 0 && time.Now().Before(patience); {
		if ctx.Err() != nil {
			return errInterrupted
		}
		if err := l.loop.turn(100*time.Millisecond, l.ready); err != nil {
			return err
		}
	}
	l.outcome.Elapsed = time.Since(now)
	if l.missing > 0 {
		l.outcome.fail("an event did not come", l.missing)
	}
	return nil
}

func (l *listeners) ready(fd int) {
	s := l.streams[fd]
	if s == nil {
		return
	}
	if !s.sent {
		if _, err := unix.Write(fd, eventsRequest); err == nil {
			s.sent = true
			return
		} else if err != unix.EAGAIN && err != unix.ENOTCONN {
			l.lost(fd, "cannot send: "+err.Error())
		}
		return
	}
	for {
		n, err := unix.Read(fd, l.scratch)
		switch {
		case err == unix.EAGAIN:
			return
		case err != nil:
			l.lost(fd, "cannot read: "+err.Error())
			return
		case n == 0:
			l.lost(fd, "the stream ended")
			return
		}
		s.in = append(s.in, l.scratch[:n]...)
		if wrong := l.take(s); wrong != "" {
			l.lost(fd, wrong)
			return
		}
	}
}

func (l *listeners) lost(fd int, kind string) {
	l.outcome.fail(kind, 1)
	unix.Close(fd)
	l.streams[fd] = nil
}

// take reads what is whole: the head, then events. It says what is wrong.
func (l *listeners) take(s *stream) (wrong string) {
	if !s.open {
		head, rest, whole := bytes.Cut(s.in, crlf2)
		if !whole {
			return ""
		}
		if status := statusOf(head); status != "200" {
			return "status " + status
		}
		s.open = true
		l.open++
		s.in = s.in[:copy(s.in, rest)]
	}
	rest := s.in
	for {
		_, event, found := bytes.Cut(rest, []byte(eventMark))
		if !found || len(event) < eventDigits {
			break
		}
		due, err := strconv.ParseInt(string(event[:eventDigits]), 10, 64)
		if err != nil {
			return "an event that is none"
		}
		l.note(s, due)
		rest = event[eventDigits:]
	}
	s.in = s.in[:copy(s.in, rest)]
	return ""
}

// note counts an event, and one that is missing before it.
func (l *listeners) note(s *stream, due int64) {
	if s.last != 0 && due != s.last+int64(time.Second) {
		l.outcome.fail("an event was lost or doubled", 1)
	}
	s.last = due
	if due < l.from || due >= l.until {
		return
	}
	l.missing--
	l.outcome.Latencies = append(l.outcome.Latencies, time.Since(time.Unix(0, due)))
}

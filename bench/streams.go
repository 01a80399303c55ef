package main

import (
	"slices"
	"strconv"
	"time"
)

// Each stream gets one event a second. The second is cut into slots, and each stream has one, so that the backend's
// work is spread evenly.
const (
	slotsPerSecond = 100
	slotLength     = time.Second / slotsPerSecond
)

// An event is a chunk of its own: "data: " and the time it was due, in nanoseconds, which always has 19 digits.
const (
	eventMark   = "data: "
	eventDigits = 19
	eventChunk  = "1b\r\n"
)

// streams are the connections that get events.
type streams struct {
	slots [slotsPerSecond][]*served
	added int
	due   time.Time // of the next slot
	slot  int
	event []byte
}

func (s *streams) add(c *served) {
	if s.due.IsZero() {
		s.due = time.Now().Add(slotLength)
	}
	s.slots[s.added%slotsPerSecond] = append(s.slots[s.added%slotsPerSecond], c)
	s.added++
}

// send writes the events that are due, and says how long it is until the next one.
func (s *streams) send(b *backend, now time.Time) time.Duration {
	if s.due.IsZero() {
		return -1
	}
	for !now.Before(s.due) {
		s.event = append(s.event[:0], eventChunk+eventMark...)
		s.event = strconv.AppendInt(s.event, s.due.UnixNano(), 10)
		s.event = append(s.event, "\n\n\r\n"...)
		s.slots[s.slot] = slices.DeleteFunc(s.slots[s.slot], func(c *served) bool { return !s.sendTo(b, c) })
		s.slot = (s.slot + 1) % slotsPerSecond
		s.due = s.due.Add(slotLength)
	}
	return s.due.Sub(now)
}

// sendTo reports whether the stream is still there.
func (s *streams) sendTo(b *backend, c *served) bool {
	if c.closed {
		return false
	}
	c.out = append(c.out, s.event...)
	return b.flush(c)
}

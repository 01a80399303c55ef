package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// eventStream is a head and events at a second's distance, as the backend sends them.
func eventStream(first int64, seconds ...int64) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
	for _, s := range seconds {
		fmt.Fprintf(&b, "%s%s%d\n\n\r\n", eventChunk, eventMark, first+s*int64(time.Second))
	}
	return b.String()
}

// TestEventsSplitAnywhere: wherever the bytes are cut, the same events come out.
func TestEventsSplitAnywhere(t *testing.T) {
	first := time.Now().UnixNano()
	bytes := eventStream(first, 0, 1, 2)
	for cut := range len(bytes) {
		l := &listeners{from: first, until: first + 3*int64(time.Second), missing: 3}
		s := &stream{}
		for _, piece := range []string{bytes[:cut], bytes[cut:]} {
			s.in = append(s.in, piece...)
			if wrong := l.take(s); wrong != "" {
				t.Fatalf("cut at %d: %s", cut, wrong)
			}
		}
		if l.missing != 0 || len(l.outcome.Latencies) != 3 || l.outcome.Errors != nil || l.open != 1 {
			t.Fatalf("cut at %d: %d events, errors %v", cut, len(l.outcome.Latencies), l.outcome.Errors)
		}
	}
}

func TestEventsLost(t *testing.T) {
	l := &listeners{}
	s := &stream{in: []byte(eventStream(time.Now().UnixNano(), 0, 1, 3, 3))}
	if wrong := l.take(s); wrong != "" || l.outcome.Errors["an event was lost or doubled"] != 2 {
		t.Errorf("%q, errors %v", wrong, l.outcome.Errors)
	}
	bad := &stream{in: []byte("HTTP/1.1 502 Bad Gateway\r\n\r\n")}
	if wrong := l.take(bad); wrong != "status 502" {
		t.Errorf("a bad gateway: %q", wrong)
	}
}

package main

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	ask := request{body: []byte("hello")}
	for _, c := range []struct {
		reply string
		whole bool
		wrong string
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, ""},
		{"HTTP/1.0 200 OK\r\nA: b\r\ncontent-length:5\r\n\r\nhello", true, ""},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", false, ""},
		{"HTTP/1.1 200 OK\r\nContent-Le", false, ""},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellO", false, "wrong body"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell", false, "wrong length of the body"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", false, "more bytes than promised"},
		{"HTTP/1.1 200 OK\r\n\r\n", false, "a reply without length"},
		{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", false, "status 503"},
		{"SSH-2.0-x\r\n\r\n", false, "status SSH-2.0-x"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", true, ""},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r", false, ""},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhellO\r\n0\r\n\r\n", false, "wrong body"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n", false, "a chunk longer than its size"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nx", false, "more bytes than promised"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n", false, "a chunk without size"},
	} {
		whole, wrong := ask.check(append(make([]byte, 0, 4096), c.reply...))
		if whole != c.whole || wrong != c.wrong {
			t.Errorf("%q: %v, %q; want %v, %q", c.reply, whole, wrong, c.whole, c.wrong)
		}
	}
	full := []byte("HTTP/1.1 200 OK\r\n" + strings.Repeat("x", 100))
	if _, wrong := ask.check(full[:len(full):len(full)]); wrong != "a head too long" {
		t.Errorf("a head that fills the buffer: %q", wrong)
	}
}

func TestContentLength(t *testing.T) {
	for _, c := range []struct {
		head string
		want int64
		ok   bool
	}{
		{"GET / HTTP/1.1\r\nContent-Length: 12", 12, true},
		{"GET / HTTP/1.1\r\nCONTENT-LENGTH:  7 \r\nHost: a", 7, true},
		{"GET / HTTP/1.1\r\nX-Content-Length: 12", 0, false},
		{"GET / HTTP/1.1\r\nContent-Length: -1", -1, false},
		{"GET / HTTP/1.1\r\nContent-Length: many", 0, false},
	} {
		if got, ok := contentLength([]byte(c.head)); got != c.want || ok != c.ok {
			t.Errorf("%q: %d, %v", c.head, got, ok)
		}
	}
}

// TestPattern: any piece fits its own place, and no other.
func TestPattern(t *testing.T) {
	var whole []byte
	for len(whole) < 3*patternPeriod {
		whole = append(whole, pattern(int64(len(whole)), 10_000)...)
	}
	for _, at := range []int64{0, 1, 777, patternPeriod - 1, patternPeriod, 2*patternPeriod - 5} {
		piece := whole[at:]
		if !isPattern(piece, at) {
			t.Errorf("the piece at %d does not fit", at)
		}
		if isPattern(piece, at+1) || isPattern(piece, at+16384) {
			t.Errorf("the piece at %d fits elsewhere", at)
		}
	}
}

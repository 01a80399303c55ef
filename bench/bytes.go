package main

import (
	"bytes"
	"strconv"
	"sync"
)

var (
	crlf2     = []byte("\r\n\r\n")
	lengthKey = []byte("content-length")
)

// patternPeriod is prime, so that a piece that was lost, doubled or moved does not fit its place.
const patternPeriod = 65521

// patternBytes is the pattern of large bodies, long enough to be read from any point of its period on. It is made when it
// is first wanted: a service that is started for one request has no use for it.
var patternBytes = sync.OnceValue(func() []byte {
	data := make([]byte, patternPeriod+256<<10)
	state := uint32(1)
	for i := range patternPeriod {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	for i := patternPeriod; i < len(data); i++ {
		data[i] = data[i-patternPeriod]
	}
	return data
})

// pattern is a piece of the pattern from offset on, not longer than most.
func pattern(offset, most int64) []byte {
	piece := patternBytes()[offset%patternPeriod:]
	return piece[:min(int64(len(piece)), most)]
}

// isPattern reports whether data is the pattern from offset on.
func isPattern(data []byte, offset int64) bool {
	for len(data) > 0 {
		piece := pattern(offset, int64(len(data)))
		if !bytes.Equal(data[:len(piece)], piece) {
			return false
		}
		data, offset = data[len(piece):], offset+int64(len(piece))
	}
	return true
}

// isChunked reports whether a body comes in chunks.
func isChunked(head []byte) bool {
	for line := range bytes.SplitSeq(head, crlf2[:2]) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("transfer-encoding")) {
			return bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked"))
		}
	}
	return false
}

// unchunk gives a body that came in chunks, without trailers, and whether it is whole, which is the end of it.
func unchunk(data []byte) (body []byte, whole bool, wrong string) {
	for {
		line, rest, found := bytes.Cut(data, crlf2[:2])
		if !found {
			return nil, false, ""
		}
		size, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return nil, false, "a chunk without size"
		}
		if uint64(len(rest)) < size+2 {
			return nil, false, ""
		}
		if string(rest[size:size+2]) != "\r\n" {
			return nil, false, "a chunk longer than its size"
		}
		if data = rest[size+2:]; size == 0 {
			if len(data) > 0 {
				return nil, false, "more bytes than promised"
			}
			return body, true, ""
		}
		body = append(body, rest[:size]...)
	}
}

// contentLength finds the length of the body in a head.
func contentLength(head []byte) (int64, bool) {
	for line := range bytes.SplitSeq(head, crlf2[:2]) {
		name, value, found := bytes.Cut(line, []byte(":"))
		if found && len(name) == len(lengthKey) && bytes.EqualFold(name, lengthKey) {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			return n, err == nil && n >= 0
		}
	}
	return 0, false
}

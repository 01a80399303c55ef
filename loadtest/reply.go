package loadtest

import (
	"bytes"
	"fmt"
	"strconv"
)

const (
	// mostHead bounds the head of a reply, as servers bound that of a request.
	mostHead = 64 << 10
	// mostBody bounds what is kept of a body: one byte more tells that there was more.
	mostBody = 64 << 20
)

// What a reply is read of next.
type part uint8

const (
	atHead part = iota
	atBody
	atChunkSize
	atChunk
	atChunkEnd // the line end behind a chunk
	atTrailer
	atClose // a body that the end of the connection ends
)

// reply reads one HTTP/1.1 reply as it comes, in pieces of any size. It is strict: what a client could take in two
// ways is an error, since what passes a gateway must not be ambiguous.
type reply struct {
	part    part
	kept    []byte // of a head or of a line that is not whole
	status  int
	left    int64   // of the body, or of the chunk
	got     int64   // of the body
	closes  bool    // no request may follow on the connection
	expect  *body   // nil: any
	differs bool    // the body is not the expected one
	sink    *[]byte // where the body goes; nil: nowhere
}

// body is what every reply must bring.
type body struct{ bytes []byte }

// reset makes it ready for the next reply.
func (r *reply) reset(expect *body, sink *[]byte) {
	*r = reply{kept: r.kept[:0], expect: expect, sink: sink}
}

// feed takes bytes that came. It gives what follows the reply once that is whole, and what is wrong with it, if so.
func (r *reply) feed(data []byte) (rest []byte, whole bool, wrong string) {
	for {
		switch r.part {
		case atHead:
			if data, wrong = r.head(data); wrong != "" || data == nil {
				return nil, false, wrong
			}
		case atBody, atChunk, atClose:
			data = r.take(data)
			if r.left > 0 || r.part == atClose {
				return nil, false, ""
			}
			if r.part == atChunk {
				r.part = atChunkEnd
				continue
			}
			return data, true, r.verdict()
		default:
			line, after, ok := r.line(data)
			if !ok {
				return nil, false, r.tooLong()
			}
			data = after
			whole, wrong = r.between(line)
			if whole || wrong != "" {
				return data, whole, wrong
			}
		}
	}
}

// end takes the end of the connection, which for a body without a length is the end of the reply.
func (r *reply) end() (whole bool, wrong string) {
	switch {
	case r.part == atClose:
		return true, r.verdict()
	case r.part == atHead && len(r.kept) == 0:
		return false, "closed before a reply"
	}
	return false, "closed within a reply"
}

// take counts and compares a piece of the body.
func (r *reply) take(data []byte) []byte {
	piece := data
	if r.part != atClose {
		piece = data[:min(int64(len(data)), r.left)]
		r.left -= int64(len(piece))
	}
	if r.sink != nil {
		*r.sink = append(*r.sink, piece[:min(len(piece), mostBody+1-len(*r.sink))]...)
	}
	if r.expect != nil && !r.differs {
		want := r.expect.bytes[min(r.got, int64(len(r.expect.bytes))):]
		r.differs = len(piece) > len(want) || !bytes.Equal(piece, want[:len(piece)])
	}
	r.got += int64(len(piece))
	return data[len(piece):]
}

// verdict judges a whole reply.
func (r *reply) verdict() string {
	switch {
	case r.status < 200 || r.status > 399:
		return "status " + strconv.Itoa(r.status)
	case r.expect != nil && (r.differs || r.got != int64(len(r.expect.bytes))):
		return "wrong body"
	}
	return ""
}

// line cuts the next line, without its end, out of what was kept and what came.
func (r *reply) line(data []byte) (line, rest []byte, ok bool) {
	if len(r.kept) > 0 {
		data = append(r.kept, data...)
	}
	line, rest, ok = bytes.Cut(data, crlf)
	if !ok {
		r.kept = append(r.kept[:0], data...)
		return nil, nil, false
	}
	r.kept = r.kept[:0]
	return line, rest, true
}

func (r *reply) tooLong() string {
	if len(r.kept) > mostHead {
		return "a line without end"
	}
	return ""
}

// between handles the lines of chunked coding.
func (r *reply) between(line []byte) (whole bool, wrong string) {
	if torn(line) {
		return false, "a bare line end in a body"
	}
	switch r.part {
	case atChunkSize:
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 62)
		if err != nil {
			return false, "a bad chunk size"
		}
		r.left, r.part = int64(size), atChunk
		if size == 0 {
			r.part = atTrailer
		}
	case atChunkEnd:
		if len(line) > 0 {
			return false, "a chunk longer than its size"
		}
		r.part = atChunkSize
	case atTrailer:
		if len(line) == 0 {
			return true, r.verdict()
		}
	}
	return false, ""
}

// head reads a head. It gives nil if that is not whole. After the head of an interim reply, it is at a head again.
func (r *reply) head(data []byte) (rest []byte, wrong string) {
	if len(r.kept) > 0 {
		data = append(r.kept, data...)
	}
	end := bytes.Index(data, crlf2)
	if end < 0 {
		r.kept = append(r.kept[:0], data...)
		if len(r.kept) > mostHead {
			return nil, "a head too long"
		}
		return nil, ""
	}
	wrong = r.fields(data[:end])
	rest = data[end+len(crlf2):]
	r.kept = r.kept[:0]
	if wrong == "" && r.status < 200 && r.status != 101 {
		r.part = atHead
		if len(rest) == 0 {
			return nil, ""
		}
	}
	return rest, wrong
}

var (
	crlf      = []byte("\r\n")
	crlf2     = []byte("\r\n\r\n")
	keyLength = []byte("content-length")
	keyCoding = []byte("transfer-encoding")
	keyConn   = []byte("connection")
)

// fields reads the status line and the three fields that say where the reply ends and whether another may follow.
func (r *reply) fields(head []byte) string {
	line, fields, _ := bytes.Cut(head, crlf)
	if torn(line) {
		return "a bare line end in the head"
	}
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return "not an HTTP/1 reply"
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 100 {
		return "not an HTTP/1 reply"
	}
	old := line[7] == '0'
	r.status, r.closes = status, old
	length, chunked := int64(-1), false
	for len(fields) > 0 {
		line, fields, _ = bytes.Cut(fields, crlf)
		name, value, ok := bytes.Cut(line, []byte(":"))
		if torn(line) {
			return "a bare line end in the head"
		}
		if !ok || len(name) == 0 || name[0] == ' ' || name[0] == '\t' {
			return "a bad field in the head"
		}
		switch value = bytes.TrimSpace(value); {
		case is(name, keyLength):
			n, err := strconv.ParseUint(string(value), 10, 62)
			if err != nil || length >= 0 && length != int64(n) {
				return "a bad Content-Length"
			}
			length = int64(n)
		case is(name, keyCoding):
			if old || chunked || !bytes.EqualFold(value, []byte("chunked")) {
				return fmt.Sprintf("Transfer-Encoding %.20q in HTTP/1.%c", value, head[7])
			}
			chunked = true
		case is(name, keyConn):
			r.connection(value)
		}
	}
	return r.frame(length, chunked)
}

func (r *reply) connection(value []byte) {
	for option := range bytes.SplitSeq(value, []byte(",")) {
		switch option = bytes.TrimSpace(option); {
		case bytes.EqualFold(option, []byte("close")):
			r.closes = true
		case bytes.EqualFold(option, []byte("keep-alive")):
			r.closes = false
		}
	}
}

// frame settles where the body ends (RFC 9112, 6.3).
func (r *reply) frame(length int64, chunked bool) string {
	switch {
	case chunked && length >= 0:
		return "both Content-Length and Transfer-Encoding"
	case r.status < 200 || r.status == 204 || r.status == 304:
		r.part, r.left = atBody, 0
	case chunked:
		r.part = atChunkSize
	case length >= 0:
		r.part, r.left = atBody, length
	default:
		r.part, r.closes = atClose, true
	}
	return ""
}

// torn tells whether a line has half of a line end within, where others may see two lines.
func torn(line []byte) bool {
	return bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line, '\r') >= 0
}

func is(name, key []byte) bool { return len(name) == len(key) && bytes.EqualFold(name, key) }

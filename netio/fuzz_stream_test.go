package netio

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// These fuzz tests read whole connections: heads and bodies one behind the other. Where one message ends for us, it must
// end for net/http, with the same data; and what we send on must mean the same to it.

// A readBody is a body as we take it, in pieces.
type readBody struct {
	raw   []byte // with its chunks
	data  []byte // without
	ended bool
	wrong error
}

// readInPieces reads a body from the beginning of b, both in the way that it is sent on and in the way of a client that
// knows no chunks, and fails where the two differ.
func readInPieces(t *testing.T, f framing, b []byte, piece int) (r readBody) {
	t.Helper()
	var whole, taken body
	r.ended = whole.start(f)
	taken.start(f)
	for !r.ended && r.wrong == nil && len(r.raw) < len(b) {
		p := b[len(r.raw):min(len(r.raw)+piece, len(b))]
		data := bytes.Clone(p)
		n, ended, err := whole.take(p)
		if f.kind == chunkedBody {
			length, used, done, wrong := taken.takeData(data)
			if used != n || done != ended || wrong != err {
				t.Fatalf("of %q: %d, %v, %v to send on, %d, %v, %v to decode", p, n, ended, err, used, done, wrong)
			}
			data = data[:length]
		} else {
			data = data[:n]
		}
		r.raw, r.data = append(r.raw, p[:n]...), append(r.data, data...)
		r.ended, r.wrong = ended, err
		if err == nil && !ended && n < len(p) {
			t.Fatalf("stopped after %d of %q", n, p)
		}
	}
	return r
}

func FuzzRequests(f *testing.F) {
	for _, s := range smugglers {
		f.Add([]byte(s.sent[:min(len(s.sent), 1024)]), 7)
	}
	f.Add([]byte(allOfSeveral()), 3)
	f.Fuzz(checkRequests)
}

// checkRequests reads b as a client's connection.
func checkRequests(t *testing.T, b []byte, piece int) {
	piece = max(1, min(piece, len(b)))
	for len(b) > 0 {
		var r request
		n, err := parseRequest(b, &r)
		if n == 0 {
			checkRefusal(t, err)
			return
		}
		read := readInPieces(t, r.body, b[n:], piece)
		checkRefusal(t, read.wrong)
		if !read.ended {
			return
		}
		end := n + len(read.raw)
		checkWholeRequest(t, &r, b[:n], b[n:], &read)
		if n <= maxHead-512 && r.count <= maxFields-5 {
			checkWholeRequest(t, &r, r.appendTo(nil, &oneForward), append(read.raw, "GET /next"...), &read)
		}
		if !r.keepAlive {
			return
		}
		b = b[end:]
	}
}

// checkWholeRequest fails unless net/http finds the same request at the beginning of a connection, and what follows it.
func checkWholeRequest(t *testing.T, r *request, head, rest []byte, read *readBody) {
	t.Helper()
	head = plainTarget(r, bytes.TrimPrefix(head, []byte("\r\n")))
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest)), maxHead)
	q, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", head, err)
	}
	checkWholeBody(t, head, q.Body, in, rest, read)
}

// plainTarget replaces the target, which net/http decodes and may refuse.
func plainTarget(r *request, head []byte) []byte {
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	version := line[len(line)-versionLength:]
	return bytes.Join([][]byte{r.method, []byte(" / "), version, []byte("\r\n"), fields}, nil)
}

// checkWholeBody fails unless net/http reads the same data from a body, and stops at the same byte.
func checkWholeBody(t *testing.T, head []byte, theirs io.Reader, in io.Reader, rest []byte, read *readBody) {
	t.Helper()
	data, err := io.ReadAll(theirs)
	if err != nil {
		if strings.Contains(err.Error(), "too much non-data") || strings.Contains(err.Error(), "suspiciously long trailer") {
			return
		}
		t.Fatalf("behind %q net/http refuses %q: %v", head, rest, err)
	}
	if !bytes.Equal(data, read.data) {
		t.Fatalf("behind %q of %q: data %q, net/http %q", head, rest, read.data, data)
	}
	if left, _ := io.ReadAll(in); !bytes.Equal(left, rest[len(read.raw):]) {
		t.Fatalf("behind %q of %q: we go on with %q, net/http with %q", head, rest, rest[len(read.raw):], left)
	}
}

func FuzzResponses(f *testing.F) {
	for _, h := range hostileReplies {
		f.Add([]byte((h.reply + h.later)[:min(len(h.reply+h.later), 1024)]), uint64(0), 7)
	}
	f.Add([]byte(ok2+"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"+ok2), uint64(1<<3), 3)
	f.Fuzz(checkResponses)
}

// checkResponses reads b as a backend's connection. The bits of heads tell which of the replies are to a HEAD.
func checkResponses(t *testing.T, b []byte, heads uint64, piece int) {
	piece = max(1, min(piece, len(b)))
	for ; len(b) > 0; heads >>= 1 {
		var r response
		toHead := heads&1 == 1
		n, err := parseResponse(b, toHead, &r)
		if n == 0 {
			checkRefusal(t, err)
			return
		}
		read := readInPieces(t, r.body, b[n:], piece)
		checkRefusal(t, read.wrong)
		if read.ended = read.ended || r.body.kind == untilClose; !read.ended || r.upgrade {
			return
		}
		checkWholeResponse(t, toHead, b[:n], b[n:], &read)
		checkSentOn(t, &r, toHead, &read)
		if !r.keepAlive && !r.interim {
			return
		}
		b = b[n+len(read.raw):]
	}
}

// checkSentOn fails unless a client of either version reads the same from what we send it.
func checkSentOn(t *testing.T, r *response, toHead bool, read *readBody) {
	t.Helper()
	body, next := read.raw, "HTTP/1.1 200 next"
	if r.body.kind == untilClose {
		next = ""
	}
	checkWholeResponse(t, toHead, r.appendTo(nil, &clientView{minor: 1, keepAlive: r.body.kind != untilClose}), append(body, next...), read)
	if r.interim {
		return // a client of 1.0 gets none
	}
	old := clientView{minor: 0, keepAlive: true, dechunk: r.body.kind == chunkedBody}
	if old.dechunk {
		read = &readBody{raw: read.data, data: read.data}
		next = ""
	}
	checkWholeResponse(t, toHead, r.appendTo(nil, &old), append(bytes.Clone(read.raw), next...), read)
}

// checkWholeResponse fails unless net/http finds the same reply at the beginning of a connection, and what follows it.
func checkWholeResponse(t *testing.T, toHead bool, head, rest []byte, read *readBody) {
	t.Helper()
	q := &http.Request{Method: "GET"}
	if toHead {
		q.Method = "HEAD"
	}
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest)), maxHead)
	p, err := http.ReadResponse(in, q)
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", head, err)
	}
	checkWholeBody(t, head, p.Body, in, rest, read)
}

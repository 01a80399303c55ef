package loadtest

import (
	"strings"
	"testing"
)

// replies are read whole and byte by byte, to the same end.
var replies = []struct {
	name, in string
	body     string
	wrong    string
	partial  bool // it is not whole until the connection ends
}{
	{name: "length", in: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", body: "hello"},
	{name: "empty", in: "HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
	{name: "no reason", in: "HTTP/1.1 204\n\n"},
	{name: "interim replies", in: "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 200 OK\ncontent-length: 2\n\nok", body: "ok"},
	{name: "chunks", in: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5;x=y\nhello\n01\n!\n0\nTrailer: 1\n\n", body: "hello!"},
	{name: "until the end", in: "HTTP/1.0 200 OK\n\nhello", body: "hello", partial: true},
	{name: "status", in: "HTTP/1.1 503 Service Unavailable\nContent-Length: 2\n\nno", wrong: "status 503", body: "no"},
	{name: "redirect", in: "HTTP/1.1 302 Found\nContent-Length: 0\n\n"},
	{name: "length twice", in: "HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 3\n\n", wrong: "a bad Content-Length"},
	{name: "signed length", in: "HTTP/1.1 200 OK\nContent-Length: +2\n\nok", wrong: "a bad Content-Length"},
	{name: "two lengths", in: "HTTP/1.1 200 OK\nContent-Length: 2\nTransfer-Encoding: chunked\n\n", wrong: "both Content-Length and Transfer-Encoding"},
	{name: "other coding", in: "HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\n", wrong: `Transfer-Encoding "gzip" in HTTP/1.1`},
	{name: "old and chunked", in: "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n", wrong: `Transfer-Encoding "chunked" in HTTP/1.0`},
	{name: "chunk size", in: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n-1\n", wrong: "a bad chunk size"},
	{name: "long chunk", in: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nhello\n", wrong: "a chunk longer than its size", body: "he"},
	{name: "folded field", in: "HTTP/1.1 200 OK\nA: 1\n b: 2\n\n", wrong: "a bad field in the head"},
	{name: "half a line end", in: "HTTP/1.1 200 \rOK\nContent-Length: 0\n\n", wrong: "a bare line end in the head"},
	{name: "another protocol", in: "SSH-2.0-OpenSSH_9.2\n\n", wrong: "not an HTTP/1 reply"},
	{name: "HTTP/2", in: "HTTP/2.0 200 OK\n\n", wrong: "not an HTTP/1 reply"},
}

func TestReplies(t *testing.T) {
	t.Parallel()
	for _, c := range replies {
		in := strings.ReplaceAll(c.in, "\n", "\r\n")
		for _, piece := range []int{len(in), 1, 3} {
			var body []byte
			var r reply
			r.reset(nil, &body)
			whole, wrong := feedAll(&r, in, piece)
			if c.partial {
				if whole {
					t.Errorf("%s: whole before the connection ended", c.name)
				}
				whole, wrong = r.end()
			}
			if wrong != c.wrong || string(body) != c.body || whole != (wrong == "" || strings.HasPrefix(wrong, "status")) {
				t.Errorf("%s in pieces of %d: whole %v, wrong %q, body %q; want %q, %q", c.name, piece, whole, wrong, body, c.wrong, c.body)
			}
		}
	}
}

func feedAll(r *reply, in string, piece int) (whole bool, wrong string) {
	for len(in) > 0 && !whole && wrong == "" {
		n := min(piece, len(in))
		_, whole, wrong = r.feed([]byte(in[:n]))
		in = in[n:]
	}
	return whole, wrong
}

func TestReplyBodyIsCompared(t *testing.T) {
	t.Parallel()
	want := &body{[]byte("hello")}
	for _, c := range []struct {
		body string
		good bool
	}{{"hello", true}, {"hellp", false}, {"hell", false}, {"hello!", false}, {"", false}} {
		for _, in := range []string{
			"HTTP/1.1 200 OK\r\nContent-Length: " + string(rune('0'+len(c.body))) + "\r\n\r\n" + c.body,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(c.body) + "0\r\n\r\n",
		} {
			for _, piece := range []int{len(in), 1} {
				var r reply
				r.reset(want, nil)
				whole, wrong := feedAll(&r, in, piece)
				if !whole || (wrong == "") != c.good {
					t.Errorf("%q in pieces of %d: whole %v, wrong %q", in, piece, whole, wrong)
				}
			}
		}
	}
}

// chunked is a body in chunks of one byte.
func chunked(body string) string {
	var out strings.Builder
	for _, b := range body {
		out.WriteString("1\r\n" + string(b) + "\r\n")
	}
	return out.String()
}

func TestReplyEndsTooEarly(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                            "closed before a reply",
		"HTTP/1.1 200 OK\r\nContent-": "closed within a reply",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell":            "closed within a reply",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh": "closed within a reply",
	} {
		var r reply
		r.reset(nil, nil)
		feedAll(&r, in, 1)
		if whole, wrong := r.end(); whole || wrong != want {
			t.Errorf("%q: whole %v, %q; want %q", in, whole, wrong, want)
		}
	}
}

func TestReplySaysWhetherTheConnectionStays(t *testing.T) {
	t.Parallel()
	for head, closes := range map[string]bool{
		"HTTP/1.1 200 OK\r\n":                                        false,
		"HTTP/1.1 200 OK\r\nConnection: close\r\n":                   true,
		"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n":                true,
		"HTTP/1.0 200 OK\r\n":                                        true,
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n":              false,
		"HTTP/1.1 200 OK\r\nX-Connection: close\r\nClose: close\r\n": false,
	} {
		var r reply
		r.reset(nil, nil)
		if whole, wrong := feedAll(&r, head+"Content-Length: 0\r\n\r\n", 1000); !whole || wrong != "" || r.closes != closes {
			t.Errorf("%q: closes %v; want %v (whole %v, wrong %q)", head, r.closes, closes, whole, wrong)
		}
	}
}

// TestReplyTakesNoMemory: what the generator allocates it takes from the server beside it.
func TestReplyTakesNoMemory(t *testing.T) {
	want := &body{[]byte("hello")}
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nServer: x\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		in := []byte(text)
		var r reply
		if n := testing.AllocsPerRun(100, func() {
			r.reset(want, nil)
			if _, whole, wrong := r.feed(in); !whole || wrong != "" {
				t.Fatalf("whole %v, wrong %q", whole, wrong)
			}
		}); n != 0 {
			t.Errorf("%v allocations for %q", n, in)
		}
	}
}

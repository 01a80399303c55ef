package netio

import (
	"strings"
	"testing"
)

// refusedResponses are heads that no client may see, each with the one reason why.
var refusedResponses = []struct {
	name string
	head string
	want *headError
}{
	{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", errVersionForm},
	{"HTTP/0.9", "<html>hello</html>", errVersionForm},
	{"ICY", "ICY 200 OK\r\n\r\n", errVersionForm},
	{"HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", errVersion},
	{"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", errVersion},
	{"lower-case http", "http/1.1 200 OK\r\n\r\n", errVersionForm},
	{"no minor version", "HTTP/1 200 OK\r\n\r\n", errVersionForm},
	{"empty line before it", "\r\nHTTP/1.1 200 OK\r\n\r\n", errVersionForm},
	{"body left over from the one before", "xHTTP/1.1 200 OK\r\n\r\n", errVersionForm},
	{"no status", "HTTP/1.1\r\n\r\n", errStatusLine},
	{"empty status", "HTTP/1.1 \r\n\r\n", errStatusLine},
	{"two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n", errStatusLine},
	{"tab before the status", "HTTP/1.1\t200 OK\r\n\r\n", errControl},
	{"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", errStatusLine},
	{"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", errStatusLine},
	{"status with a sign", "HTTP/1.1 +20 OK\r\n\r\n", errStatusLine},
	{"status below 100", "HTTP/1.1 099 OK\r\n\r\n", errStatus},
	{"status of 0", "HTTP/1.1 000 OK\r\n\r\n", errStatus},
	{"reason without a space", "HTTP/1.1 200OK\r\n\r\n", errStatusLine},
	{"NUL in the reason", "HTTP/1.1 200 O\x00K\r\n\r\n", errNUL},
	{"bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", errBareCR},
	{"bare LF after the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", errBareLF},
	{"bare LF after the status", "HTTP/1.1 200\nContent-Length: 0\r\n\r\n", errBareLF},
	{"bare LF after a field", "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", errBareLF},
	{"obs-fold", "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n", errFolded},
	{"space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n", errSpaceInName},
	{"no colon", "HTTP/1.1 200 OK\r\nGarbage\r\n\r\n", errNoColon},
	{"escape in a value", "HTTP/1.1 200 OK\r\nX: \x1b]0;\x07\r\n\r\n", errControl},
	{"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", errBothFramings},
	{"both lengths on a 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", errBothFramings},
	{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n", errManyLengths},
	{"two equal lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", errManyLengths},
	{"lengths in a list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", errLength},
	{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", errLength},
	{"negative length on a 204", "HTTP/1.1 204 No Content\r\nContent-Length: -1\r\n\r\n", errLength},
	{"length that overflows", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", errLengthTooLarge},
	{"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", errManyCodings},
	{"coding before chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", errCoding},
	{"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", errOldCoding},
	{"Connection names Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Content-Length\r\n\r\n", errOptionNames},
	{"Connection that is no list of tokens", "HTTP/1.1 200 OK\r\nConnection: a b\r\n\r\n", errOption},
	{"Trailer: Transfer-Encoding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Transfer-Encoding\r\n\r\n", errTrailerField},
	{"101 to nothing", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n", errBareUpgrade},
	{"101 fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: 1\r\n", maxFields+1) + "\r\n", errTooManyFields},
	{"a reason that never ends", "HTTP/1.1 200 " + strings.Repeat("x", maxHead), errHeadTooLarge},
}

func TestHostileResponsesAreRefused(t *testing.T) {
	for _, c := range refusedResponses {
		t.Run(c.name, func(t *testing.T) {
			var r response
			if n, err := parseResponse([]byte(c.head), false, &r); n != 0 || err != error(c.want) {
				t.Errorf("got %d bytes, %v; want refused: %v", n, err, c.want)
			}
		})
	}
}

// acceptedResponses are heads that must be taken, with what must be made of them.
var acceptedResponses = []struct {
	name   string
	head   string
	toHead bool
	want   responseView
}{
	{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false,
		responseView{200, "OK", framing{fixedLength, 5}, "keepAlive"}},
	{"length of 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false,
		responseView{200, "OK", framing{fixedLength, 0}, "keepAlive"}},
	{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false,
		responseView{200, "OK", framing{kind: chunkedBody}, "keepAlive"}},
	{"until close", "HTTP/1.1 200 OK\r\n\r\n", false,
		responseView{200, "OK", framing{kind: untilClose}, ""}},
	{"close", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", false,
		responseView{200, "OK", framing{fixedLength, 5}, ""}},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false,
		responseView{200, "OK", framing{fixedLength, 5}, "1.0"}},
	{"HTTP/1.0 with keep-alive", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", false,
		responseView{200, "OK", framing{fixedLength, 5}, "1.0 keepAlive"}},
	{"HTTP/1.0 with keep-alive and no length", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", false,
		responseView{200, "OK", framing{kind: untilClose}, "1.0"}},
	{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true,
		responseView{200, "OK", framing{}, "keepAlive"}},
	{"HEAD without length", "HTTP/1.1 200 OK\r\n\r\n", true,
		responseView{200, "OK", framing{}, "keepAlive"}},
	{"HEAD with chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true,
		responseView{200, "OK", framing{}, "keepAlive"}},
	{"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false,
		responseView{304, "Not Modified", framing{}, "keepAlive"}},
	{"204", "HTTP/1.1 204 No Content\r\n\r\n", false,
		responseView{204, "No Content", framing{}, "keepAlive"}},
	{"205 is like any other", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", false,
		responseView{205, "Reset Content", framing{fixedLength, 0}, "keepAlive"}},
	{"100", "HTTP/1.1 100 Continue\r\n\r\n", false,
		responseView{100, "Continue", framing{}, "keepAlive interim"}},
	{"103", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", false,
		responseView{103, "Early Hints", framing{}, "keepAlive interim"}},
	{"101", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false,
		responseView{101, "Switching Protocols", framing{}, "upgrade"}},
	{"no reason and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false,
		responseView{200, "", framing{fixedLength, 0}, "keepAlive"}},
	{"reason of its own", "HTTP/1.1 200 \ta caf\xe9 \r\nContent-Length: 0\r\n\r\n", false,
		responseView{200, "\ta caf\xe9 ", framing{fixedLength, 0}, "keepAlive"}},
	{"no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false,
		responseView{200, "", framing{fixedLength, 0}, "keepAlive"}},
	{"status that nobody knows", "HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n", false,
		responseView{999, "?", framing{fixedLength, 0}, "keepAlive"}},
}

// responseView is what a test looks at in a response.
type responseView struct {
	status int
	reason string
	body   framing
	flags  string
}

func TestResponsesAreUnderstood(t *testing.T) {
	var r response // one for all: nothing may be left over from the one before
	for _, c := range acceptedResponses {
		t.Run(c.name, func(t *testing.T) {
			n, err := parseResponse([]byte(c.head+"body"), c.toHead, &r)
			if n != len(c.head) || err != nil {
				t.Fatalf("got %d bytes, %v; want %d", n, err, len(c.head))
			}
			var set []string
			for _, flag := range []struct {
				name string
				on   bool
			}{{"1.0", r.minor == 0}, {"keepAlive", r.keepAlive}, {"interim", r.interim}, {"upgrade", r.upgrade}} {
				if flag.on {
					set = append(set, flag.name)
				}
			}
			got := responseView{r.status, string(r.reason), r.body, strings.Join(set, " ")}
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestResponsesAllocateNothing(t *testing.T) {
	var heads [][]byte
	for _, c := range acceptedResponses {
		heads = append(heads, []byte(c.head))
	}
	for _, c := range refusedResponses {
		heads = append(heads, []byte(c.head))
	}
	var r response
	dst := make([]byte, 0, 2*maxHead)
	allocs := testing.AllocsPerRun(10, func() {
		for _, head := range heads {
			if n, _ := parseResponse(head, false, &r); n > 0 {
				dst = r.appendTo(dst[:0], &clientView{})
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for %d heads", allocs, len(heads))
	}
}

package netio

import (
	"strings"
	"testing"
)

// chunkedBodies are bodies with the data they carry, or the reason why they must be refused and after how many bytes.
var chunkedBodies = []struct {
	name string
	body string
	data string
	want *headError
	at   int // of the faulty byte
}{
	{"empty", "0\r\n\r\n", "", nil, 0},
	{"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello", nil, 0},
	{"many chunks", "1\r\nh\r\n4\r\nello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", nil, 0},
	{"data that looks like chunks", "c\r\n\r\n0\r\n\r\n5\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n5\r\n\r\n", nil, 0},
	{"hexadecimal in both cases", "0A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789", nil, 0},
	{"sixteen digits", "0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello", nil, 0},
	{"extensions", "5;a\r\nhello\r\n0;b=c;d=\"e;\t\\\"f\" ; g\r\n\r\n", "hello", nil, 0},
	{"longest extension", "0;" + strings.Repeat("x", maxExtension-1) + "\r\n\r\n", "", nil, 0},
	{"trailers", "5\r\nhello\r\n0\r\nX-Sum: 1\r\nserver-timing:\tcaf\xc3\xa9\r\nE:\r\n\r\n", "hello", nil, 0},
	{"trailer with a long name", "0\r\n" + strings.Repeat("x", 100) + ": 1\r\n\r\n", "", nil, 0},
	{"trailer whose name begins like a forbidden one", "0\r\nHosts: 1\r\nTransfer-Encodin: 1\r\n\r\n", "", nil, 0},
	{"most trailers", "0\r\nX: " + strings.Repeat("x", maxTrailers-len("X: \r\r")) + "\r\n\r\n", "", nil, 0},

	{"no size", "\r\nhello", "", errChunkSize, 0},
	{"extension without size", ";a\r\n", "", errChunkSize, 0},
	{"no size after an extension", "5;a\r\nhello\r\n\r\n", "hello", errChunkSize, 12},
	{"space before the size", " 5\r\nhello\r\n", "", errChunkSize, 0},
	{"space after the size", "5 \r\nhello\r\n", "", errChunkSize, 1},
	{"tab after the size", "5\t\r\nhello\r\n", "", errControl, 1},
	{"sign", "+5\r\nhello\r\n", "", errChunkSize, 0},
	{"negative", "-1\r\n", "", errChunkSize, 0},
	{"0x", "0x5\r\nhello\r\n", "", errChunkSize, 1},
	{"underscore", "1_0\r\n", "", errChunkSize, 1},
	{"not hexadecimal", "5g\r\n", "", errChunkSize, 1},
	{"NUL after the size", "5\x00\r\n", "", errNUL, 1},
	{"digit beyond ASCII", "\xef\xbc\x95\r\nhello\r\n", "", errChunkSize, 0},
	{"seventeen digits", "00000000000000005\r\nhello\r\n", "", errChunkTooLarge, 16},
	{"overflow to a negative size", "8000000000000000\r\n", "", errChunkTooLarge, 15},
	{"overflow to 5", "10000000000000005\r\nhello\r\n", "", errChunkTooLarge, 16},
	{"bare LF after the size", "5\nhello\r\n", "", errBareLF, 1},
	{"bare CR after the size", "5\rhello\r\n", "", errBareCR, 2},
	{"bare LF after the last size", "0\n\r\n", "", errBareLF, 1},
	{"bare LF in an extension", "5;a\nhello\r\n", "", errBareLF, 3},
	{"bare CR in an extension", "5;a\rb\r\nhello\r\n", "", errBareCR, 4},
	{"bare CR in a quoted extension", "5;a=\"\r\r\n", "", errBareCR, 6},
	{"control character in an extension", "5;\x01\r\n", "", errControl, 2},
	{"extension beyond ASCII", "5;a=\xff\r\n", "", errChunkExtension, 4},
	{"extension that is too long", "5;" + strings.Repeat("x", maxExtension+1), "", errExtensionLong, 2 + maxExtension},
	{"extensions that are too long", "5" + strings.Repeat(";x", maxExtension), "", errExtensionLong, 2 + maxExtension},
	{"more data than its size", "5\r\nhello!\r\n0\r\n\r\n", "hello", errChunkEnd, 8},
	{"less data than its size", "6\r\nhello\r\n0\r\n\r\n", "hello\r", errChunkEnd, 9},
	{"data that ends with LF", "5\r\nhello\n0\r\n\r\n", "hello", errChunkEnd, 8},
	{"data that ends with CR", "5\r\nhello\r0\r\n\r\n", "hello", errChunkEnd, 9},
	{"next size without CRLF before it", "5\r\nhello0\r\n\r\n", "hello", errChunkEnd, 8},
	{"something other than CRLF at the end", "0\r\n\rx", "", errBareCR, 4},
	{"bare LF at the end", "0\r\n\n", "", errBareLF, 3},
	{"trailer without colon", "0\r\nX\r\n\r\n", "", errNoColon, 4},
	{"trailer without name", "0\r\n: x\r\n\r\n", "", errEmptyName, 3},
	{"trailer with space before the colon", "0\r\nX : 1\r\n\r\n", "", errSpaceInName, 4},
	{"trailer that is folded", "0\r\nX: 1\r\n 2\r\n\r\n", "", errFolded, 9},
	{"trailer with a bare LF", "0\r\nX: 1\n\r\n", "", errBareLF, 7},
	{"trailer with a bare CR", "0\r\nX: 1\r2\r\n\r\n", "", errBareCR, 8},
	{"trailer with a NUL", "0\r\nX: \x00\r\n\r\n", "", errNUL, 6},
	{"trailer with a bad name", "0\r\nX(: 1\r\n\r\n", "", errFieldName, 4},
	{"trailer: Content-Length", "0\r\ncontent-LENGTH: 5\r\n\r\n", "", errTrailerField, 17},
	{"trailer: Transfer-Encoding", "0\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "", errTrailerField, 26},
	{"trailer: Host", "0\r\nHost: b\r\n\r\n", "", errTrailerField, 7},
	{"trailer: Connection", "0\r\nConnection: close\r\n\r\n", "", errTrailerField, 13},
	{"trailer: X-Forwarded-For", "0\r\nX-Forwarded-For: 1\r\n\r\n", "", errTrailerField, 18},
	{"trailer: Proxy-Authentication-Info", "0\r\nProxy-Authentication-Info: 1\r\n\r\n", "", errTrailerField, 28},
	{"trailers that are too long", "0\r\nX: " + strings.Repeat("x", maxTrailers), "", errTrailersLong, 3 + maxTrailers},
	{"trailers that are too many", "0\r\n" + strings.Repeat("X: 1\r\n", maxTrailers/5+1), "", errTrailersLong, 0},
}

// readChunks reads a body in pieces of that size, in the way of a splicer that forwards it and of one that takes the
// data out, and fails where the two differ.
func readChunks(t *testing.T, body []byte, piece int) (data []byte, n int, done bool, err error) {
	t.Helper()
	var whole, taken chunkReader
	for n < len(body) && !done && err == nil {
		p := body[n:min(n+piece, len(body))]
		var used int
		used, done, err = whole.next(p)
		for at := 0; at < used; {
			span, spanLen, _, spanErr := taken.data(p[at:used])
			if spanErr != nil || spanLen == 0 {
				t.Fatalf("next accepts %q, data says %d, %v at %d", p[:used], spanLen, spanErr, at)
			}
			data = append(data, span...)
			at += spanLen
		}
		n += used
		if err == nil && !done && used != len(p) {
			t.Fatalf("stopped after %d of %d bytes without a reason", used, len(p))
		}
	}
	if err == nil && taken != whole {
		t.Fatalf("after the same bytes: %+v and %+v", whole, taken)
	}
	return data, n, done, err
}

func TestChunkedBodies(t *testing.T) {
	for _, c := range chunkedBodies {
		t.Run(c.name, func(t *testing.T) {
			const after = "GET / HTTP/1.1\r\n"
			body := []byte(c.body + after)
			for piece := 1; piece <= len(body); piece = nextPiece(piece) {
				data, n, done, err := readChunks(t, body, piece)
				switch {
				case string(data) != c.data:
					t.Fatalf("in pieces of %d: data %q, want %q", piece, data, c.data)
				case c.want == nil && (err != nil || !done || n != len(c.body)):
					t.Fatalf("in pieces of %d: %d of %d bytes, done %v, %v", piece, n, len(c.body), done, err)
				case c.want != nil && (err != error(c.want) || done || n != c.at && c.at > 0):
					t.Fatalf("in pieces of %d: %v at %d, want %v at %d", piece, err, n, c.want, c.at)
				}
			}
		})
	}
}

// nextPiece tries every small size and a few large ones.
func nextPiece(piece int) int {
	if piece < 64 {
		return piece + 1
	}
	return piece * 2
}

func TestChunksSplitInTwoAnywhere(t *testing.T) {
	const body = "5;a=b\r\nhello\r\n1F\r\n\r\n0123456789\r\n0123456789\r\n01234\r\n0\r\nX-Sum: 1\r\n\r\n"
	for cut := range len(body) {
		var c chunkReader
		n, done, err := c.next([]byte(body[:cut]))
		if n != cut || done || err != nil {
			t.Fatalf("cut at %d: first %d, %v, %v", cut, n, done, err)
		}
		n, done, err = c.next([]byte(body[cut:]))
		if n != len(body)-cut || !done || err != nil {
			t.Fatalf("cut at %d: then %d, %v, %v", cut, n, done, err)
		}
	}
}

func TestChunkOfTheLargestSize(t *testing.T) {
	var c chunkReader
	if n, done, err := c.next([]byte("7fffffffffffffff\r\nxyz")); n != 21 || done || err != nil {
		t.Fatal(n, done, err)
	}
	if c.left != 1<<63-1-3 {
		t.Errorf("%d bytes left", c.left)
	}
}

func TestChunksAllocateNothing(t *testing.T) {
	var bodies [][]byte
	for _, c := range chunkedBodies {
		bodies = append(bodies, []byte(c.body))
	}
	allocs := testing.AllocsPerRun(10, func() {
		for _, body := range bodies {
			var c chunkReader
			c.next(body)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for %d bodies", allocs, len(bodies))
	}
}

package netio

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

func FuzzChunked(f *testing.F) {
	for _, c := range chunkedBodies {
		f.Add([]byte(c.body[:min(len(c.body), 512)]), 3)
	}
	f.Fuzz(checkChunked)
}

// checkChunked fails unless a body is judged alike in pieces and whole, and read as net/http reads it.
func checkChunked(t *testing.T, b []byte, piece int) {
	piece = max(1, min(piece, len(b)))
	data, n, done, err := readChunks(t, b, piece)
	wholeData, wholeN, wholeDone, wholeErr := readChunks(t, b, max(1, len(b)))
	if n != wholeN || done != wholeDone || err != wholeErr || !bytes.Equal(data, wholeData) {
		t.Fatalf("%q in pieces of %d: %d, %v, %v; whole: %d, %v, %v", b, piece, n, done, err, wholeN, wholeDone, wholeErr)
	}
	checkRefusal(t, err)
	if !done {
		return
	}
	theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(b[:n])))
	if err != nil && !strings.Contains(err.Error(), "too much non-data") {
		t.Fatalf("net/http refuses %q: %v", b[:n], err)
	}
	if err == nil && !bytes.Equal(theirs, data) {
		t.Fatalf("data %q, net/http %q", data, theirs)
	}
	checkTrailersAgainst(t, b[:n])
}

// checkTrailersAgainst fails unless net/http takes the trailers of a body too.
func checkTrailersAgainst(t *testing.T, body []byte) {
	t.Helper()
	const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	in := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(body), strings.NewReader("next")))
	q, err := http.ReadRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, q.Body); err != nil {
		if strings.Contains(err.Error(), "too much non-data") || strings.Contains(err.Error(), "suspiciously long trailer") {
			return
		}
		t.Fatalf("net/http refuses %q: %v", body, err)
	}
	if rest, _ := io.ReadAll(in); string(rest) != "next" {
		t.Fatalf("after %q net/http goes on with %q", body, rest)
	}
}

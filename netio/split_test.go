package netio

import (
	"bytes"
	"testing"
)

// parseInPieces parses b as it would arrive one byte at a time, and returns the first result that is not "more", with
// how many bytes were there by then.
func parseInPieces(b []byte, parse func([]byte) (int, error)) (n, given int, err error) {
	for given = 0; given <= len(b); given++ {
		if n, err = parse(b[:given]); n > 0 || err != nil {
			return n, given, err
		}
	}
	return 0, len(b), nil
}

// checkSplits fails unless a head is accepted or refused alike, however many of its bytes are there; and once it is
// decided, it must stay so with more bytes.
func checkSplits(t *testing.T, b []byte, parse func([]byte) (int, error)) {
	t.Helper()
	wantN, want := parse(b)
	n, given, err := parseInPieces(b, parse)
	if n != wantN || err != want {
		t.Fatalf("whole: %d, %v; byte by byte: %d, %v after %d bytes of %q", wantN, want, n, err, given, b)
	}
	if want == nil && given != wantN && wantN > 0 {
		t.Fatalf("a head of %d bytes was accepted with %d given: %q", wantN, given, b)
	}
	for i := given; i <= len(b); i++ {
		if n, err := parse(b[:i]); n != wantN || err != want {
			t.Fatalf("%d, %v with %d bytes given, %d, %v with all of %q", n, err, i, wantN, want, b)
		}
	}
}

func TestRequestsAreJudgedAlikeHoweverSplit(t *testing.T) {
	var r request
	parse := func(b []byte) (int, error) { return parseRequest(b, &r) }
	for _, c := range refusedRequests {
		if len(c.head) < 4096 { // the long ones take a second each
			checkSplits(t, []byte(c.head), parse)
		}
	}
	for _, c := range acceptedRequests {
		checkSplits(t, []byte(c.head+"GET /next"), parse)
	}
	for _, c := range rewrittenRequests {
		checkSplits(t, crlf(c.in), parse)
	}
}

func TestResponsesAreJudgedAlikeHoweverSplit(t *testing.T) {
	for _, toHead := range []bool{false, true} {
		var r response
		parse := func(b []byte) (int, error) { return parseResponse(b, toHead, &r) }
		for _, c := range refusedResponses {
			if len(c.head) < 4096 {
				checkSplits(t, []byte(c.head), parse)
			}
		}
		for _, c := range acceptedResponses {
			checkSplits(t, []byte(c.head+"HTTP"), parse)
		}
	}
}

// TestHeadsOfTheLargestSizeAreAccepted holds the cap to the byte, whole and in the last steps of a slow arrival.
func TestHeadsOfTheLargestSizeAreAccepted(t *testing.T) {
	var r request
	largest := []byte(headOfSize(maxHead))
	if n, err := parseRequest(largest, &r); n != maxHead || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if n, err := parseRequest(largest[:maxHead-1], &r); n != 0 || err != nil {
		t.Errorf("one byte short: got %d, %v", n, err)
	}
	if n, err := parseRequest([]byte(headOfSize(maxHead + 1))[:maxHead-1], &r); n != 0 || err != nil {
		t.Errorf("not yet full: got %d, %v", n, err)
	}
	if n, err := parseRequest(append(largest, "GET / HTTP/1.1\r\n"...), &r); n != maxHead || err != nil {
		t.Errorf("with the next request behind it: got %d, %v", n, err)
	}
	hundred := "GET / HTTP/1.1\r\nHost: a\r\n" + string(bytes.Repeat([]byte("X: 1\r\n"), maxFields-1)) + "\r\n"
	if n, err := parseRequest([]byte(hundred), &r); n != len(hundred) || err != nil {
		t.Errorf("a hundred fields: got %d, %v", n, err)
	}
}

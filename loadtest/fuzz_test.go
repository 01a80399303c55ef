package loadtest

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// FuzzReply: however a reply is cut into pieces, it is read the same; and where net/http reads it too, both find the
// same status and body.
func FuzzReply(f *testing.F) {
	for _, c := range replies {
		f.Add([]byte(strings.ReplaceAll(c.in, "\n", "\r\n")), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		status, body, whole, wrong := readIn(in, len(in))
		if s, b, w, x := readIn(in, min(max(piece, 1), len(in)+1)); s != status || !bytes.Equal(b, body) || w != whole || x != wrong {
			t.Errorf("%q: %d %q %v %q; in pieces of %d: %d %q %v %q", in, status, body, whole, wrong, piece, s, b, w, x)
		}
		if !whole {
			return
		}
		theirs, err := readByNetHTTP(in)
		if err != nil || theirs.StatusCode == http.StatusSwitchingProtocols {
			return // it is stricter in what is not ours to judge, such as the characters of a name
		}
		want, err := io.ReadAll(theirs.Body)
		if err == nil && (theirs.StatusCode != status || !bytes.Equal(want, body)) {
			t.Errorf("%q: %d %q; net/http: %d %q", in, status, body, theirs.StatusCode, want)
		}
	})
}

func readIn(in []byte, piece int) (status int, body []byte, whole bool, wrong string) {
	var r reply
	r.reset(nil, &body)
	for rest := in; len(rest) > 0 && !whole && wrong == ""; {
		n := min(piece, len(rest))
		_, whole, wrong = r.feed(rest[:n])
		rest = rest[n:]
	}
	if !whole && wrong == "" {
		whole, wrong = r.end()
	}
	return r.status, body, whole, wrong
}

// readByNetHTTP skips interim replies.
func readByNetHTTP(in []byte) (*http.Response, error) {
	reader := bufio.NewReader(bytes.NewReader(in))
	for {
		reply, err := http.ReadResponse(reader, nil)
		if err != nil || reply.StatusCode >= 200 || reply.StatusCode == http.StatusSwitchingProtocols {
			return reply, err
		}
	}
}

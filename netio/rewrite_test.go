package netio

import (
	"strings"
	"testing"
)

func TestRequestsReachTheBackend(t *testing.T) {
	var r request
	for _, c := range rewrittenRequests {
		t.Run(c.name, func(t *testing.T) {
			in := crlf(c.in)
			if n, err := parseRequest(in, &r); n != len(in) || err != nil {
				t.Fatal(n, err)
			}
			f := oneForward
			f.trusted, f.host = c.trusted, c.host
			got := string(r.appendTo([]byte("before:"), &f))
			if want := "before:" + string(crlf(withForwarded(c.out))); got != want {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
		})
	}
}

// withForwarded spells "<forwarded HOST>" out.
func withForwarded(head string) string {
	before, rest, found := strings.Cut(head, "<forwarded ")
	if !found {
		return head
	}
	host, after, _ := strings.Cut(rest, ">")
	return before + "X-Forwarded-For: 192.0.2.17\nX-Forwarded-Proto: http\nX-Forwarded-Host: " + host + after
}

func TestResponsesReachTheClient(t *testing.T) {
	var r response
	for _, c := range rewrittenResponses {
		t.Run(c.name, func(t *testing.T) {
			in := crlf(c.in)
			if n, err := parseResponse(in, c.toHead, &r); n != len(in) || err != nil {
				t.Fatal(n, err)
			}
			got := string(r.appendTo([]byte("before:"), &c.view))
			if want := "before:" + string(crlf(c.out)); got != want {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
		})
	}
}

// TestWhatWeSendWeWouldSendOn: a head that has been rewritten is accepted, and rewriting it changes nothing.
func TestWhatWeSendWeWouldSendOn(t *testing.T) {
	var r request
	for _, c := range rewrittenRequests {
		if n, err := parseRequest(crlf(c.in), &r); n == 0 || err != nil {
			t.Fatal(c.name, n, err)
		}
		once := r.appendTo(nil, &oneForward)
		if n, err := parseRequest(once, &r); n != len(once) || err != nil {
			t.Errorf("%s: we would refuse %q: %v", c.name, once, err)
		} else if twice := r.appendTo(nil, &oneForward); string(once) != string(twice) {
			t.Errorf("%s: got\n%q\nthen\n%q", c.name, once, twice)
		}
	}
}

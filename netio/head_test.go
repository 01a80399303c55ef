package netio

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestNextControl holds the search by eight bytes against the plain definition, for each byte at each place in a word
// and beside every neighbour that a borrow could come from.
func TestNextControl(t *testing.T) {
	plain := func(b []byte, i int) int {
		for ; i < len(b); i++ {
			if b[i] < ' ' || b[i] == 0x7f {
				break
			}
		}
		return i
	}
	random := rand.New(rand.NewPCG(1, 2))
	neighbours := []byte{0x00, 0x1f, 0x20, 0x21, 0x7e, 0x7f, 0x80, 0x81, 0x9f, 0xa0, 0xfe, 0xff}
	for c := range 256 {
		for range 200 {
			b := make([]byte, random.IntN(40))
			for i := range b {
				b[i] = 'x'
				if random.IntN(8) == 0 {
					b[i] = neighbours[random.IntN(len(neighbours))]
				}
			}
			if len(b) > 0 {
				b[random.IntN(len(b))] = byte(c)
			}
			for i := range len(b) + 1 {
				if got, want := nextControl(b, i), plain(b, i); got != want {
					t.Fatalf("from %d of %q: %d, want %d", i, b, got, want)
				}
			}
		}
	}
}

func TestFieldsAreClassifiedWhateverTheirCase(t *testing.T) {
	known := map[string]fieldKind{
		"Host": fieldHost, "Content-Length": fieldContentLength, "Transfer-Encoding": fieldTransferEncoding,
		"Trailer": fieldTrailer, "Expect": fieldExpect, "Connection": fieldConnection, "Upgrade": fieldUpgrade, "TE": fieldTE,
		"X-Forwarded-For": fieldForwardedFor, "X-Forwarded-Proto": fieldForwardedProto, "X-Forwarded-Host": fieldForwardedHost,
		"Keep-Alive": fieldHop, "Proxy-Connection": fieldHop, "Proxy-Authenticate": fieldHop, "Proxy-Authorization": fieldHop,
		"Proxy-Authentication-Info": fieldHop,
	}
	for name, kind := range known {
		for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if got := classify([]byte(spelled)); got != kind {
				t.Errorf("%s: kind %d, want %d", spelled, got, kind)
			}
		}
		if len(name) > longestKnownName {
			t.Errorf("%s is longer than longestKnownName", name)
		}
		for i := range name {
			other := []byte(name)
			other[i] = '_'
			if got := classify(other); got != fieldPlain {
				t.Errorf("%s: kind %d, want a plain field", other, got)
			}
		}
		if longer := append([]byte(name), 's'); classify(longer) != fieldPlain {
			t.Errorf("%s: not a plain field", longer)
		}
	}
}

func TestElementsOfLists(t *testing.T) {
	var r request
	head := crlf("GET / HTTP/1.1\nHost: a\nTE: a, b\nX: no\nTE: ,\t c d ,,\nTE:\n\n")
	if n, err := parseRequest(head, &r); n != len(head) || err != nil {
		t.Fatal(n, err)
	}
	var got []string
	for element := range r.elements(fieldTE) {
		got = append(got, string(element))
	}
	if want := "a|b|c d"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

package netio

import (
	"strings"
	"testing"
)

// acceptedRequests are heads that must be taken, with what must be made of them.
var acceptedRequests = []struct {
	name string
	head string
	want requestView
}{
	{"plain GET", "GET /a/b?c=d HTTP/1.1\r\nHost: Example.COM:3000\r\n\r\n",
		requestView{target: "/a/b?c=d", path: "/a/b", host: "example.com", flags: "keepAlive idempotent"}},
	{"empty query", "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "/a?", path: "/a", host: "a", flags: "keepAlive idempotent"}},
	{"path that is not clean", "GET //x/../%2e?? HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "//x/../%2e??", path: "//x/../%2e", host: "a", flags: "keepAlive idempotent"}},
	{"characters that a URI should escape", "GET /\"<>\\^`{|}%zz HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "/\"<>\\^`{|}%zz", path: "/\"<>\\^`{|}%zz", host: "a", flags: "keepAlive idempotent"}},
	{"empty line before it", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive idempotent"}},
	{"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive isHead idempotent"}},
	{"method of its own", "PURGE / HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive"}},
	{"methods tell case apart", "head / HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive"}},

	{"Content-Length", "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:42\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", body: framing{fixedLength, 42}, flags: "keepAlive"}},
	{"Content-Length of 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", body: framing{fixedLength, 0}, flags: "keepAlive"}},
	{"largest Content-Length", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: \t000999999999999999999 \r\n\r\n",
		requestView{target: "/", path: "/", host: "a", body: framing{fixedLength, 999999999999999999}, flags: "keepAlive idempotent"}},
	{"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", body: framing{kind: chunkedBody}, flags: "keepAlive"}},
	{"GET with a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", body: framing{fixedLength, 5}, flags: "keepAlive idempotent"}},
	{"POST without framing", "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive"}},

	{"Connection: close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "idempotent"}},
	{"close wins over keep-alive", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: ,x, close ,\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "idempotent"}},
	{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "1.0 idempotent"}},
	{"HTTP/1.0 with keep-alive", "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "1.0 keepAlive idempotent"}},
	{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n",
		requestView{target: "/", path: "/", flags: "1.0 idempotent"}},

	{"Expect", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", body: framing{fixedLength, 5}, flags: "keepAlive expectContinue idempotent"}},
	{"Expect without a body", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive idempotent"}},
	{"Expect in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", body: framing{fixedLength, 5}, flags: "1.0"}},
	{"Upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive upgrade idempotent"}},
	{"Upgrade that Connection does not name", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive idempotent"}},
	{"Connection: upgrade to nothing", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive idempotent"}},
	{"Upgrade in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "1.0 idempotent"}},
	{"Upgrade to h2c", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: websocket, h2c\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive idempotent"}},

	{"absolute-form", "GET HTTP://Example.com:80/a?b HTTP/1.1\r\nHost: example.COM:80\r\n\r\n",
		requestView{target: "/a?b", path: "/a", host: "example.com", flags: "keepAlive idempotent"}},
	{"absolute-form without a path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive idempotent"}},
	{"absolute-form with a query only", "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "?b", path: "/", host: "a", flags: "keepAlive idempotent"}},
	{"absolute-form in HTTP/1.0 without Host", "GET http://a/ HTTP/1.0\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "1.0 idempotent"}},
	{"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "*", path: "*", host: "a", flags: "keepAlive idempotent"}},
	{"OPTIONS for a whole host", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
		requestView{target: "*", path: "*", host: "a", flags: "keepAlive idempotent"}},

	{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n",
		requestView{target: "/", path: "/", flags: "keepAlive idempotent"}},
	{"Host with a final dot", "GET / HTTP/1.1\r\nHost: a.example.:80\r\n\r\n",
		requestView{target: "/", path: "/", host: "a.example", flags: "keepAlive idempotent"}},
	{"Host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive idempotent"}},
	{"IPv4 Host", "GET / HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n\r\n",
		requestView{target: "/", path: "/", host: "127.0.0.1", flags: "keepAlive idempotent"}},
	{"IPv6 Host", "GET / HTTP/1.1\r\nHost: [::FFFF:7f00:1]\r\n\r\n",
		requestView{target: "/", path: "/", host: "::ffff:127.0.0.1", flags: "keepAlive idempotent"}},
	{"IPv6 Host in another spelling", "GET / HTTP/1.1\r\nHost: [2001:0DB8:0::0:1]:80\r\n\r\n",
		requestView{target: "/", path: "/", host: "2001:db8::1", flags: "keepAlive idempotent"}},
	{"IPv6 Host with a port", "GET / HTTP/1.1\r\nHost: [::1]:3000\r\n\r\n",
		requestView{target: "/", path: "/", host: "::1", flags: "keepAlive idempotent"}},
	{"longest Host", "GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", maxHost) + "\r\n\r\n",
		requestView{target: "/", path: "/", host: strings.Repeat("a", maxHost), flags: "keepAlive idempotent"}},
	{"value with tabs and bytes beyond ASCII", "GET / HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9\t\xff\r\nY:\r\n\r\n",
		requestView{target: "/", path: "/", host: "a", flags: "keepAlive idempotent"}},
}

// requestView is what a test looks at in a request.
type requestView struct {
	target, path, host string
	body               framing
	flags              string
}

func viewOf(r *request) requestView {
	var set []string
	for _, flag := range []struct {
		name string
		on   bool
	}{
		{"1.0", r.minor == 0}, {"keepAlive", r.keepAlive}, {"expectContinue", r.expectContinue},
		{"upgrade", r.upgrade}, {"isHead", r.isHead}, {"idempotent", r.idempotent},
	} {
		if flag.on {
			set = append(set, flag.name)
		}
	}
	return requestView{string(r.target), string(r.path), string(r.host), r.body, strings.Join(set, " ")}
}

func TestRequestsAreUnderstood(t *testing.T) {
	var r request // one for all: nothing may be left over from the one before
	for _, c := range acceptedRequests {
		t.Run(c.name, func(t *testing.T) {
			n, err := parseRequest([]byte(c.head+"GET /next HTTP/1.1\r\n"), &r)
			if n != len(c.head) || err != nil {
				t.Fatalf("got %d bytes, %v; want %d", n, err, len(c.head))
			}
			if got := viewOf(&r); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestRequestFieldsAreTrimmed(t *testing.T) {
	var r request
	head := []byte("GET / HTTP/1.1\r\nHost: a\r\nA:1\r\nb: \t 2 3\t \r\nC:\t\r\n\r\n")
	if n, err := parseRequest(head, &r); n != len(head) || err != nil {
		t.Fatal(n, err)
	}
	want := []string{"Host=a", "A=1", "b=2 3", "C="}
	if r.count != len(want) {
		t.Fatalf("got %d fields, want %d", r.count, len(want))
	}
	for i := range r.fields[:r.count] {
		f := &r.fields[i]
		if got := string(r.name(f)) + "=" + string(r.value(f)); got != want[i] {
			t.Errorf("got field %q, want %q", got, want[i])
		}
	}
}

// TestParsingAllocatesNothing covers every accepted and every refused head, and the way on to the backend. But what is no
// IPv6 address in brackets costs the error that says so.
func TestParsingAllocatesNothing(t *testing.T) {
	var heads [][]byte
	for _, c := range acceptedRequests {
		heads = append(heads, []byte(c.head))
	}
	for _, c := range refusedRequests {
		if !strings.Contains(c.head, "Host: [") {
			heads = append(heads, []byte(c.head))
		}
	}
	var r request
	dst := make([]byte, 0, 2*maxHead)
	allocs := testing.AllocsPerRun(10, func() {
		for _, head := range heads {
			if n, _ := parseRequest(head, &r); n > 0 {
				dst = r.appendTo(dst[:0], &oneForward)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for %d heads", allocs, len(heads))
	}
}

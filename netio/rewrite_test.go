package netio

import (
	"strings"
	"testing"
)

// rewrittenRequests are heads as clients send them, and as backends must see them: to the byte, but that the three
// X-Forwarded-* of a plain request are written "<forwarded HOST>".
var rewrittenRequests = []struct {
	name    string
	in, out string
	trusted bool
	host    string
}{
	{name: "nothing to change", in: `GET /a?b HTTP/1.1
Host: a:80
User-Agent: x
Accept: */*

`, out: `GET /a?b HTTP/1.1
Host: a:80
User-Agent: x
Accept: */*
<forwarded a:80>

`},
	{name: "order, case and repeats stay", in: `GET //x/../%2e? HTTP/1.1
x-b: 2
HOST: A
X-b: 1
x-B: 2
Cookie: a=1
Cookie: b=2
Via: 1.0 fred
Forwarded: for=1.2.3.4
Proxy-Authenticated: no
X-Empty: 

`, out: `GET //x/../%2e? HTTP/1.1
x-b: 2
HOST: A
X-b: 1
x-B: 2
Cookie: a=1
Cookie: b=2
Via: 1.0 fred
Forwarded: for=1.2.3.4
Proxy-Authenticated: no
X-Empty: 
<forwarded A>

`},
	{name: "white space around values becomes one space", in: "GET / HTTP/1.1\nHost:a\nA: 1 \nB:\t 2\t3 \t\nC: 3\nD:\nE:\t5\n\n", out: `GET / HTTP/1.1
Host: a
A: 1
B: 2` + "\t" + `3
C: 3
D: 
E: 5
<forwarded a>

`},
	{name: "hop-by-hop fields go, and those that Connection names", in: `GET / HTTP/1.1
Host: a
Connection: keep-alive, x-hop, , X-Absent
Keep-Alive: timeout=5
X-HOP: 1
X-Hops: 2
Proxy-Connection: keep-alive
Proxy-Authenticate: Basic
Proxy-Authorization: Basic x
TE: gzip
Upgrade: websocket
Connection: X-Hop-Too
x-hop-too: 3
X-Kept: 4

`, out: `GET / HTTP/1.1
Host: a
X-Hops: 2
X-Kept: 4
<forwarded a>

`},
	{name: "the first and the last field go", in: `GET / HTTP/1.1
Connection: close
Host: a
Keep-Alive: 5

`, out: `GET / HTTP/1.1
Host: a
<forwarded a>

`},
	{name: "trailers are welcome", in: `GET / HTTP/1.1
Host: a
TE: trailers, deflate;q=0.5
Connection: TE
Trailer: X

`, out: `GET / HTTP/1.1
Host: a
Trailer: X
<forwarded a>
TE: trailers
Connection: TE

`},
	{name: "WebSocket", in: `GET /chat HTTP/1.1
Host: a
Upgrade: websocket
Connection: keep-alive, Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Protocol: chat, superchat

`, out: `GET /chat HTTP/1.1
Host: a
Upgrade: websocket
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Protocol: chat, superchat
<forwarded a>
Connection: upgrade

`},
	{name: "WebSocket and trailers", in: `GET /chat HTTP/1.1
Host: a
Connection: TE, Upgrade
TE: trailers
Upgrade: websocket

`, out: `GET /chat HTTP/1.1
Host: a
Upgrade: websocket
<forwarded a>
TE: trailers
Connection: upgrade, TE

`},
	{name: "h2c is not asked for", in: `GET / HTTP/1.1
Host: a
Connection: Upgrade, HTTP2-Settings
Upgrade: h2c
HTTP2-Settings: AAMAAABkAAQAAP__

`, out: `GET / HTTP/1.1
Host: a
<forwarded a>

`},
	{name: "a body keeps its length, on any method", in: `DELETE / HTTP/1.1
Host: a
Content-Length: 005
Expect: 100-continue

`, out: `DELETE / HTTP/1.1
Host: a
Content-Length: 005
Expect: 100-continue
<forwarded a>

`},
	{name: "a length of 0 stays", in: `POST / HTTP/1.1
Host: a
Content-Length: 0

`, out: `POST / HTTP/1.1
Host: a
Content-Length: 0
<forwarded a>

`},
	{name: "no framing is invented", in: `POST / HTTP/1.1
Host: a

`, out: `POST / HTTP/1.1
Host: a
<forwarded a>

`},
	{name: "chunked, in one spelling", in: `GET / HTTP/1.1
Host: a
transfer-encoding:  CHUNKED
Trailer: X-Sum

`, out: `GET / HTTP/1.1
Host: a
transfer-encoding: chunked
Trailer: X-Sum
<forwarded a>

`},
	{name: "who is not trusted cannot claim to forward", in: `GET / HTTP/1.1
Host: a
X-Forwarded-For: 10.0.0.1
x-forwarded-proto: https
X-Forwarded-Host: evil
X-Forwarded-Port: 1

`, out: `GET / HTTP/1.1
Host: a
X-Forwarded-Port: 1
<forwarded a>

`},
	{name: "a trusted proxy is added to", trusted: true, in: `GET / HTTP/1.1
X-Forwarded-For: 10.0.0.1, 10.0.0.2
Host: a
x-forwarded-for: 10.0.0.3
X-Forwarded-For:
X-Forwarded-Proto: https
X-Forwarded-Host: front

`, out: `GET / HTTP/1.1
Host: a
X-Forwarded-Proto: https
X-Forwarded-Host: front
X-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.17

`},
	{name: "what a trusted proxy leaves out is set", trusted: true, in: `GET / HTTP/1.1
Host: a

`, out: `GET / HTTP/1.1
Host: a
<forwarded a>

`},
	{name: "Host is replaced in its place", host: "127.0.0.1:8000", in: `GET / HTTP/1.1
Accept: */*
host: a.example:80
X: 1

`, out: `GET / HTTP/1.1
Accept: */*
host: 127.0.0.1:8000
X: 1
<forwarded a.example:80>

`},
	{name: "absolute-form becomes origin-form", in: `GET http://A/b?c HTTP/1.1
Host: a

`, out: `GET /b?c HTTP/1.1
Host: a
<forwarded a>

`},
	{name: "absolute-form with a query only", in: `GET http://a?c HTTP/1.1
Host: a

`, out: `GET /?c HTTP/1.1
Host: a
<forwarded a>

`},
	{name: "asterisk-form", in: `OPTIONS http://a HTTP/1.1
Host: a

`, out: `OPTIONS * HTTP/1.1
Host: a
<forwarded a>

`},
	{name: "HTTP/1.0 becomes HTTP/1.1", in: `GET / HTTP/1.0
Host: a
Connection: keep-alive

`, out: `GET / HTTP/1.1
Host: a
<forwarded a>

`},
	{name: "HTTP/1.0 without Host", in: `GET / HTTP/1.0
Accept: */*

`, out: `GET / HTTP/1.1
Host: 
Accept: */*
X-Forwarded-For: 192.0.2.17
X-Forwarded-Proto: http

`},
	{name: "HTTP/1.0 without Host, which the backend wants", host: "b", in: `GET / HTTP/1.0

`, out: `GET / HTTP/1.1
Host: b
X-Forwarded-For: 192.0.2.17
X-Forwarded-Proto: http

`},
	{name: "HTTP/1.0 with an authority", in: `GET http://a:8080/ HTTP/1.0

`, out: `GET / HTTP/1.1
Host: a:8080
<forwarded a:8080>

`},
	{name: "an empty line before the request is left out", in: `
GET / HTTP/1.1
Host: a

`, out: `GET / HTTP/1.1
Host: a
<forwarded a>

`},
}

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

// rewrittenResponses are heads as backends send them, and as clients must see them, to the byte.
var rewrittenResponses = []struct {
	name    string
	in, out string
	toHead  bool
	view    clientView
}{
	{name: "nothing to change", view: clientView{minor: 1, keepAlive: true}, in: `HTTP/1.1 200 OK
Content-Type: text/plain
Set-Cookie: a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT
set-cookie: b=2
Content-Length: 3
Set-Cookie: a=1

`, out: `HTTP/1.1 200 OK
Content-Type: text/plain
Set-Cookie: a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT
set-cookie: b=2
Content-Length: 3
Set-Cookie: a=1

`},
	{name: "hop-by-hop fields go, and those that Connection names", view: clientView{minor: 1, keepAlive: true}, in: `HTTP/1.1 200 OK
Connection: close, X-Hop
Keep-Alive: timeout=5
X-Hop: 1
Proxy-Connection: close
Proxy-Authenticate: Basic
Proxy-Authentication-Info: x
Upgrade: h2,h2c
TE: trailers
X-Forwarded-For: kept
Host: kept
Expect: kept
Content-Length: 0

`, out: `HTTP/1.1 200 OK
X-Forwarded-For: kept
Host: kept
Expect: kept
Content-Length: 0

`},
	{name: "reason phrase of its own", view: clientView{minor: 1, keepAlive: true},
		in:  "HTTP/1.1 404  Nope, caf\xc3\xa9 \nContent-Length: 0\n\n",
		out: "HTTP/1.1 404  Nope, caf\xc3\xa9 \nContent-Length: 0\n\n"},
	{name: "no reason phrase", view: clientView{minor: 1, keepAlive: true},
		in:  "HTTP/1.1 200 \nContent-Length: 0\n\n",
		out: "HTTP/1.1 200 \nContent-Length: 0\n\n"},
	{name: "no reason phrase and no space", view: clientView{minor: 1, keepAlive: true},
		in:  "HTTP/1.1 999\nContent-Length: 0\n\n",
		out: "HTTP/1.1 999 \nContent-Length: 0\n\n"},
	{name: "an HTTP/1.0 backend until close", view: clientView{minor: 1}, in: `HTTP/1.0 200 OK
Content-Type: text/plain

`, out: `HTTP/1.1 200 OK
Content-Type: text/plain
Connection: close

`},
	{name: "an HTTP/1.0 client that goes on", view: clientView{minor: 0, keepAlive: true}, in: `HTTP/1.1 200 OK
Content-Length: 3

`, out: `HTTP/1.1 200 OK
Content-Length: 3
Connection: keep-alive

`},
	{name: "chunked, in one spelling", view: clientView{minor: 1, keepAlive: true}, in: `HTTP/1.1 200 OK
Transfer-Encoding: Chunked
Trailer: X-Sum

`, out: `HTTP/1.1 200 OK
Transfer-Encoding: chunked
Trailer: X-Sum

`},
	{name: "chunked for an HTTP/1.0 client", view: clientView{minor: 0, dechunk: true}, in: `HTTP/1.1 200 OK
Transfer-Encoding: chunked
Trailer: X-Sum
Content-Type: text/plain

`, out: `HTTP/1.1 200 OK
Content-Type: text/plain
Connection: close

`},
	{name: "HEAD keeps the length", toHead: true, view: clientView{minor: 1, keepAlive: true}, in: `HTTP/1.1 200 OK
Content-Length: 1234

`, out: `HTTP/1.1 200 OK
Content-Length: 1234

`},
	{name: "HEAD keeps chunked", toHead: true, view: clientView{minor: 1, keepAlive: true}, in: `HTTP/1.1 200 OK
Transfer-Encoding: chunked

`, out: `HTTP/1.1 200 OK
Transfer-Encoding: chunked

`},
	{name: "HEAD of HTTP/1.0 has nothing to do with chunks", toHead: true, view: clientView{minor: 0, keepAlive: true}, in: `HTTP/1.1 200 OK
Transfer-Encoding: chunked

`, out: `HTTP/1.1 200 OK
Connection: keep-alive

`},
	{name: "304 keeps the length", view: clientView{minor: 1, keepAlive: true}, in: `HTTP/1.1 304 Not Modified
Content-Length: 1234
ETag: "x"

`, out: `HTTP/1.1 304 Not Modified
Content-Length: 1234
ETag: "x"

`},
	{name: "204 has no length", view: clientView{minor: 1, keepAlive: true}, in: `HTTP/1.1 204 No Content
Content-Length: 5
X: 1

`, out: `HTTP/1.1 204 No Content
X: 1

`},
	{name: "204 has no chunks", view: clientView{minor: 1, keepAlive: true}, in: `HTTP/1.1 204 No Content
Transfer-Encoding: chunked

`, out: `HTTP/1.1 204 No Content

`},
	{name: "interim", view: clientView{minor: 1}, in: `HTTP/1.1 103 Early Hints
Link: </style.css>; rel=preload
Connection: close

`, out: `HTTP/1.1 103 Early Hints
Link: </style.css>; rel=preload

`},
	{name: "switching protocols", view: clientView{minor: 1}, in: `HTTP/1.1 101 Switching Protocols
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Sec-WebSocket-Protocol: chat

`, out: `HTTP/1.1 101 Switching Protocols
Upgrade: websocket
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Sec-WebSocket-Protocol: chat
Connection: upgrade

`},
	{name: "upgrade required", view: clientView{minor: 1}, in: `HTTP/1.1 426 Upgrade Required
Upgrade: websocket
Connection: Upgrade
Content-Length: 0

`, out: `HTTP/1.1 426 Upgrade Required
Upgrade: websocket
Content-Length: 0
Connection: upgrade
Connection: close

`},
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

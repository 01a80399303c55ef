package netio

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
Content-Length: 5
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

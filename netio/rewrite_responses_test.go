package netio

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
	{name: "fields of ours", view: clientView{minor: 1, added: "Server-Timing: a;dur=1\r\n"},
		in:  "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		out: "HTTP/1.1 200 OK\nContent-Length: 0\nServer-Timing: a;dur=1\nConnection: close\n\n"},
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

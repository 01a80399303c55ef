package netio

import "strings"

// hidden is the request that must never be one: what a smuggler puts where one of two readers does not expect it.
const hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

// hiddenSize is its length as a Content-Length, and hiddenChunk the same request as the only chunk of a body.
const (
	hiddenSize  = "33"
	hiddenChunk = "21\r\n" + hidden + "\r\n0\r\n\r\n"
)

// post is a request for the host a with those field lines, and what follows its head.
func post(fields, rest string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + rest
}

// posted is how the backend must see it.
func posted(fields, rest string) []string {
	return []string{"POST / HTTP/1.1\r\nHost: a\r\n" + fields + xf + "\r\n" + rest}
}

// line is a request with no body, and lined how the backend must see it.
func line(requestLine, fields string) string { return requestLine + "\r\n" + fields + "\r\n" }

func lined(requestLine, fields string) []string {
	return []string{requestLine + "\r\n" + fields + xf + "\r\n"}
}

const chunked = "Transfer-Encoding: chunked\r\n"

// smugglers are hostile streams by what they try. See also refusedRequests: all of those are sent over a socket, too.
var smugglers = func() []smuggler {
	return append(append(append(append(framingSmugglers, codingSmugglers...), bodySmugglers...), lineSmugglers...), hostSmugglers...)
}()

// framingSmugglers have two readers differ on the length of a body.
var framingSmugglers = []smuggler{
	{name: "CL.TE", sent: post("Content-Length: 40\r\n"+chunked, "0\r\n\r\n"+hidden), status: 400},
	{name: "TE.CL", sent: post(chunked+"Content-Length: 4\r\n", hiddenChunk), status: 400},
	{name: "CL.TE with a length of 0", sent: post("Content-Length: 0\r\n"+chunked, hiddenChunk), status: 400},
	{name: "CL.TE with other fields between", sent: post("Content-Length: 6\r\nX: y\r\n"+chunked, "0\r\n\r\nX"), status: 400},
	{name: "CL.TE in HTTP/1.0", sent: "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 40\r\n" + chunked + "\r\n0\r\n\r\n" + hidden, status: 400},
	{name: "CL.CL", sent: post("Content-Length: 0\r\nContent-Length: "+hiddenSize+"\r\n", hidden), status: 400},
	{name: "CL.CL, equal", sent: post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), status: 400},
	{name: "CL.CL in a list", sent: post("Content-Length: 3, 3\r\n", "abc"), status: 400},
	{name: "CL.CL by an underscore", sent: post("Content_Length: "+hiddenSize+"\r\nContent-Length: 0\r\n", ""),
		seen: posted("Content_Length: "+hiddenSize+"\r\nContent-Length: 0\r\n", "")},
	{name: "length with plus", sent: post("Content-Length: +3\r\n", "abc"), status: 400},
	{name: "length with minus", sent: post("Content-Length: -1\r\n", hidden), status: 400},
	{name: "length of minus 0", sent: post("Content-Length: -0\r\n", hidden), status: 400},
	{name: "length in hexadecimal", sent: post("Content-Length: 0x21\r\n", hidden), status: 400},
	{name: "length with an exponent", sent: post("Content-Length: 1e1\r\n", "0123456789"), status: 400},
	{name: "length with a space inside", sent: post("Content-Length: 3 3\r\n", hidden), status: 400},
	{name: "length with a comment", sent: post("Content-Length: 33;x\r\n", hidden), status: 400},
	{name: "length of 2^64", sent: post("Content-Length: 18446744073709551616\r\n", hidden), status: 400},
	{name: "length of 2^64 and 33", sent: post("Content-Length: 18446744073709551649\r\n", hidden), status: 400},
	{name: "length of 2^63", sent: post("Content-Length: 9223372036854775808\r\n", hidden), status: 400},
	{name: "length with zeros before it, octal to some", sent: post("Content-Length: 0000000012\r\n", "0123456789ab"),
		seen: posted("Content-Length: 12\r\n", "0123456789ab")},
	{name: "length of many zeros", sent: post("Content-Length: 000\r\n", ""), seen: posted("Content-Length: 0\r\n", "")},
	{name: "length with tabs around it", sent: post("Content-Length:\t 3 \t\r\n", "abc"), seen: posted("Content-Length: 3\r\n", "abc")},
	{name: "length in other letters", sent: post("CONTENT-length: 3\r\n", "abc"), seen: posted("CONTENT-length: 3\r\n", "abc")},
	{name: "GET with a length", sent: "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: " + hiddenSize + "\r\n\r\n" + hidden,
		seen: []string{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: " + hiddenSize + "\r\n" + xf + "\r\n" + hidden}},
	{name: "DELETE with a length", sent: "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: " + hiddenSize + "\r\n\r\n" + hidden,
		seen: []string{"DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: " + hiddenSize + "\r\n" + xf + "\r\n" + hidden}},
	{name: "OPTIONS with chunks", sent: "OPTIONS / HTTP/1.1\r\nHost: a\r\n" + chunked + "\r\n" + hiddenChunk,
		seen: []string{"OPTIONS / HTTP/1.1\r\nHost: a\r\n" + chunked + xf + "\r\n" + hiddenChunk}},
	{name: "HEAD with a length", sent: "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: " + hiddenSize + "\r\n\r\n" + hidden,
		seen: []string{"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: " + hiddenSize + "\r\n" + xf + "\r\n" + hidden}},
	{name: "POST without a length has no body", sent: post("", "x=1&y=2\r\n\r\n"), seen: posted("", ""), status: 400},
	{name: "body longer than its length", sent: post("Content-Length: 1\r\n", "ab"+hidden),
		seen: append(posted("Content-Length: 1\r\n", "a"), "bGET /hidden HTTP/1.1\r\nHost: a\r\n"+xf+"\r\n")},
}

// codingSmugglers hide a Transfer-Encoding from one of two readers.
var codingSmugglers = []smuggler{
	{name: "TE: xchunked", sent: post("Transfer-Encoding: xchunked\r\n", hiddenChunk), status: 400},
	{name: "TE: chunkedx", sent: post("Transfer-Encoding: chunkedx\r\n", hiddenChunk), status: 400},
	{name: "TE: chunk", sent: post("Transfer-Encoding: chunk\r\n", hiddenChunk), status: 400},
	{name: "TE: identity", sent: post("Transfer-Encoding: identity\r\nContent-Length: 3\r\n", "abc"), status: 400},
	{name: "TE: identity, chunked", sent: post("Transfer-Encoding: identity, chunked\r\n", hiddenChunk), status: 501},
	{name: "TE: chunked, identity", sent: post("Transfer-Encoding: chunked, identity\r\n", hiddenChunk), status: 400},
	{name: "TE: chunked, chunked", sent: post("Transfer-Encoding: chunked, chunked\r\n", hiddenChunk), status: 400},
	{name: "TE: empty, chunked", sent: post("Transfer-Encoding: , chunked\r\n", hiddenChunk), status: 400},
	{name: "TE: gzip", sent: post("Transfer-Encoding: gzip\r\n", hidden), status: 400},
	{name: "TE twice, the first is nothing", sent: post("Transfer-Encoding: x\r\n"+chunked, hiddenChunk), status: 400},
	{name: "TE twice, the second is nothing", sent: post(chunked+"Transfer-Encoding: x\r\n", hiddenChunk), status: 400},
	{name: "TE with a space before the colon", sent: post("Transfer-Encoding : chunked\r\n", hiddenChunk), status: 400},
	{name: "TE with a space before the name", sent: post("X: y\r\n Transfer-Encoding: chunked\r\n", hiddenChunk), status: 400},
	{name: "TE folded", sent: post("Transfer-Encoding:\r\n chunked\r\n", hiddenChunk), status: 400},
	{name: "TE behind a bare LF", sent: post("X: y\nTransfer-Encoding: chunked\r\n", hiddenChunk), status: 400},
	{name: "TE behind a bare CR", sent: post("X: y\rTransfer-Encoding: chunked\r\n", hiddenChunk), status: 400},
	{name: "TE with a line feed in its name", sent: post("Transfer-Encoding\n : chunked\r\n", hiddenChunk), status: 400},
	{name: "TE with a vertical tab", sent: post("Transfer-Encoding:\x0bchunked\r\n", hiddenChunk), status: 400},
	{name: "TE with a NUL", sent: post("Transfer-Encoding: chunked\x00\r\n", hiddenChunk), status: 400},
	{name: "TE with a no-break space", sent: post("Transfer-Encoding: \xa0chunked\r\n", hiddenChunk), status: 400},
	{name: "TE with a long s", sent: post("Tran\xc5\xbffer-Encoding: chunked\r\n", hiddenChunk), status: 400},
	{name: "TE in quotes", sent: post("Transfer-Encoding: \"chunked\"\r\n", hiddenChunk), status: 400},
	{name: "TE with a parameter", sent: post("Transfer-Encoding: chunked; q=0\r\n", hiddenChunk), status: 400},
	{name: "TE in HTTP/1.0", sent: "POST / HTTP/1.0\r\nHost: a\r\n" + chunked + "\r\n" + hiddenChunk, status: 400},
	{name: "TE behind a tab", sent: post("Transfer-Encoding:\tchunked\r\n", hiddenChunk), seen: posted(chunked, hiddenChunk)},
	{name: "TE in capitals", sent: post("TRANSFER-ENCODING: CHUNKED \r\n", hiddenChunk), seen: posted("TRANSFER-ENCODING: chunked\r\n", hiddenChunk)},
	{name: "TE by an underscore is none", sent: post("Transfer_Encoding: chunked\r\n", hiddenChunk),
		seen: posted("Transfer_Encoding: chunked\r\n", ""), status: 400},
	{name: "TE taken away by Connection", sent: post("Connection: Transfer-Encoding\r\n"+chunked, hiddenChunk), status: 400},
	{name: "length taken away by Connection", sent: post("Connection: close, Content-Length\r\nContent-Length: 33\r\n", hidden), status: 400},
	{name: "Host taken away by Connection", sent: post("Connection: Host\r\n", ""), status: 400},
	{name: "the client's address taken away by Connection", sent: post("Connection: X-Forwarded-For\r\n", ""), status: 400},
	{name: "a field of its own taken away by Connection", sent: post("Connection: X-Mine\r\nX-Mine: y\r\nX-Kept: z\r\n", ""),
		seen: posted("X-Kept: z\r\n", "")},
	{name: "an upgrade to h2c", sent: post("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 0\r\n", ""),
		seen: posted("Content-Length: 0\r\n", "")},
	{name: "an upgrade that Connection does not name", sent: post("Upgrade: websocket\r\nContent-Length: 0\r\n", ""), seen: posted("Content-Length: 0\r\n", "")},
	{name: "an upgrade that the backend ignores", sent: "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n" + "\r\n\r\n" + hidden,
		seen: []string{"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n" + xf + "Connection: upgrade\r\n\r\n"}, status: 400},
}

// bodySmugglers are chunked bodies that end in different places for different readers. See also chunkedBodies.
var bodySmugglers = []smuggler{
	{name: "chunk size that overflows to 0", inBody: true, sent: post(chunked, "10000000000000000\r\n\r\n"+hidden), status: 400},
	{name: "chunk size that overflows to 33", inBody: true, sent: post(chunked, "10000000000000021\r\n"+hidden+"\r\n0\r\n\r\n"), status: 400},
	{name: "chunk size with the top bit", inBody: true, sent: post(chunked, "ffffffffffffffff\r\n"+hidden), status: 400},
	{name: "chunk size with a sign", inBody: true, sent: post(chunked, "-1\r\n"+hidden), status: 400},
	{name: "chunk size with plus", inBody: true, sent: post(chunked, "+21\r\n"+hidden+"\r\n0\r\n\r\n"), status: 400},
	{name: "chunk size with 0x", inBody: true, sent: post(chunked, "0x21\r\n"+hidden+"\r\n0\r\n\r\n"), status: 400},
	{name: "chunk size with an underscore", inBody: true, sent: post(chunked, "2_1\r\n"+hidden+"\r\n0\r\n\r\n"), status: 400},
	{name: "chunk size behind a space", inBody: true, sent: post(chunked, " 21\r\n"+hidden+"\r\n0\r\n\r\n"), status: 400},
	{name: "chunk size before a space", inBody: true, sent: post(chunked, "0 \r\n\r\n"+hidden), status: 400},
	{name: "no chunk size", inBody: true, sent: post(chunked, "\r\n"+hidden), status: 400},
	{name: "chunk size before a bare LF", inBody: true, sent: post(chunked, "0\n\n"+hidden), status: 400},
	{name: "chunk size before a bare CR", inBody: true, sent: post(chunked, "0\r\r"+hidden), status: 400},
	{name: "chunk that ends with LF", inBody: true, sent: post(chunked, "1\r\na\n0\r\n\r\n"+hidden), status: 400},
	{name: "chunk that does not end", inBody: true, sent: post(chunked, "1\r\nab0\r\n\r\n"+hidden), status: 400},
	{name: "extension with a bare LF", inBody: true, sent: post(chunked, "1;\n21\r\n"+hidden), status: 400},
	{name: "extension with a bare CR", inBody: true, sent: post(chunked, "1;x\ry\r\na\r\n0\r\n\r\n"), status: 400},
	{name: "extension in quotes is not understood", sent: post(chunked, "1;x=\"a;b\"\r\nz\r\n0\r\n\r\n"), seen: posted(chunked, "1;x=\"a;b\"\r\nz\r\n0\r\n\r\n")},
	{name: "end of line in a quoted extension", inBody: true, sent: post(chunked, "1;x=\"\r\n\"\r\nz\r\n0\r\n\r\n"), status: 400},
	{name: "trailer that is a length", inBody: true, sent: post(chunked, "0\r\nContent-Length: 33\r\n\r\n"+hidden), status: 400},
	{name: "trailer that is a Host", inBody: true, sent: post(chunked, "0\r\nHost: b\r\n\r\n"+hidden), status: 400},
	{name: "trailer that is a TE", inBody: true, sent: post(chunked, "0\r\n"+chunked+"\r\n"+hiddenChunk), status: 400},
	{name: "trailer that is folded", inBody: true, sent: post(chunked, "0\r\nX: y\r\n z\r\n\r\n"+hidden), status: 400},
	{name: "trailers that end with LF", inBody: true, sent: post(chunked, "0\r\nX: y\n\n"+hidden), status: 400},
	{name: "trailer announced that is a length", sent: post(chunked+"Trailer: Content-Length\r\n", "0\r\n\r\n"), status: 400},
	{name: "trailers and a next request", sent: post(chunked, "1\r\na\r\n0\r\nX: y\r\n\r\n") + after,
		seen: append(posted(chunked, "1\r\na\r\n0\r\nX: y\r\n\r\n"), forwarded(after))},
	{name: "zeros before a chunk size", sent: post(chunked, "0000000000000001\r\na\r\n00\r\n\r\n"), seen: posted(chunked, "0000000000000001\r\na\r\n00\r\n\r\n")},
}

// lineSmugglers have two readers differ on where a line ends, or what it is.
var lineSmugglers = []smuggler{
	{name: "bare LF everywhere", sent: "GET / HTTP/1.1\nHost: a\n\n", status: 400},
	{name: "bare LF at the end of the head", sent: "GET / HTTP/1.1\r\nHost: a\r\n\n" + hidden, status: 400},
	{name: "bare CR in a value", sent: post("X: y\rContent-Length: 33\r\n", hidden), status: 400},
	{name: "CR CR LF", sent: post("X: y\r\r\n", ""), status: 400},
	{name: "NUL in a value", sent: post("X: y\x00\r\n", ""), status: 400},
	{name: "NUL in a name", sent: post("X\x00Y: z\r\n", ""), status: 400},
	{name: "DEL in a value", sent: post("X: \x7f\r\n", ""), status: 400},
	{name: "obs-fold", sent: post("X: y\r\n z\r\n", ""), status: 400},
	{name: "a line of a space", sent: post(" \r\nContent-Length: 33\r\n", hidden), status: 400},
	{name: "a line without a colon", sent: post("nonsense\r\n", ""), status: 400},
	{name: "a line without a name", sent: post(": chunked\r\n", ""), status: 400},
	{name: "tab before a colon", sent: post("Content-Length\t: 33\r\n", hidden), status: 400},
	{name: "a name in brackets", sent: post("[Content-Length]: 33\r\n", hidden), status: 400},
	{name: "empty line before a request", sent: "\r\n" + line("GET / HTTP/1.1", "Host: a\r\n"), seen: lined("GET / HTTP/1.1", "Host: a\r\n")},
	{name: "two empty lines before a request", sent: "\r\n\r\n" + hidden, status: 400},
	{name: "LF before a request", sent: "\n" + hidden, status: 400},
	{name: "HTTP/0.9", sent: "GET /hidden\r\n", status: 400},
	{name: "HTTP/0.9 with a version", sent: line("GET / HTTP/0.9", "Host: a\r\n"), status: 505},
	{name: "HTTP/2.0 preface", sent: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 505},
	{name: "HTTP/1.2", sent: line("GET / HTTP/1.2", "Host: a\r\n"), status: 505},
	{name: "HTTP/1.01", sent: line("GET / HTTP/1.01", "Host: a\r\n"), status: 400},
	{name: "HTTP in small letters", sent: line("GET / http/1.1", "Host: a\r\n"), status: 400},
	{name: "two spaces", sent: line("GET  / HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "a tab for a space", sent: line("GET\t/\tHTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "a version within the target", sent: line("GET /hidden HTTP/1.1 HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "space behind the version", sent: line("GET / HTTP/1.1 ", "Host: a\r\n"), status: 400},
	{name: "fragment", sent: line("GET /#/hidden HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "bytes beyond ASCII in the target", sent: line("GET /\xff HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "dots and escapes stay as they are", sent: line("GET /a/../%2e%2E/%2f//b?? HTTP/1.1", "Host: a\r\n"), seen: lined("GET /a/../%2e%2E/%2f//b?? HTTP/1.1", "Host: a\r\n")},
	{name: "method in small letters", sent: line("get / HTTP/1.1", "Host: a\r\n"), seen: lined("get / HTTP/1.1", "Host: a\r\n")},
	{name: "method with a colon", sent: line("GET: / HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "CONNECT", sent: line("CONNECT b:443 HTTP/1.1", "Host: b:443\r\n") + hidden, status: 501},
	{name: "CONNECT with a body", sent: line("CONNECT b:443 HTTP/1.1", "Host: b:443\r\nContent-Length: 33\r\n") + hidden, status: 501},
	{name: "HTTP/1.0 does not keep its connection", sent: line("GET / HTTP/1.0", "Host: a\r\n") + hidden, seen: lined("GET / HTTP/1.1", "Host: a\r\n"), ends: true},
	{name: "HTTP/1.0 keeps its connection if it says so", sent: line("GET / HTTP/1.0", "Host: a\r\nConnection: keep-alive\r\n"), seen: lined("GET / HTTP/1.1", "Host: a\r\n")},
	{name: "HTTP/1.1 that closes", sent: line("GET / HTTP/1.1", "Host: a\r\nConnection: close\r\n") + hidden, seen: lined("GET / HTTP/1.1", "Host: a\r\n"), ends: true},
	{name: "HTTP/1.1 that closes and keeps", sent: line("GET / HTTP/1.1", "Host: a\r\nConnection: keep-alive, close\r\n") + hidden, seen: lined("GET / HTTP/1.1", "Host: a\r\n"), ends: true},
	{name: "too many fields", sent: post(strings.Repeat("X: y\r\n", maxFields), ""), status: 431},
	{name: "a head that is too large", sent: post("X: "+strings.Repeat("y", maxHead)+"\r\n", ""), status: 431},
	{name: "nonsense", sent: "\x00\x01\x02\x03\x04", status: 400},
}

// hostSmugglers have two readers differ on whom a request is for.
var hostSmugglers = []smuggler{
	{name: "no Host", sent: line("GET / HTTP/1.1", ""), status: 400},
	{name: "two Hosts", sent: line("GET / HTTP/1.1", "Host: a\r\nHost: b\r\n"), status: 400},
	{name: "two equal Hosts", sent: line("GET / HTTP/1.1", "Host: a\r\nHost: a\r\n"), status: 400},
	{name: "second Host behind a space", sent: line("GET / HTTP/1.1", "Host: a\r\n Host: b\r\n"), status: 400},
	{name: "Host with a space before the colon", sent: line("GET / HTTP/1.1", "Host : a\r\n"), status: 400},
	{name: "Hosts in a list", sent: line("GET / HTTP/1.1", "Host: a, b\r\n"), status: 400},
	{name: "Host with a path", sent: line("GET / HTTP/1.1", "Host: a/b\r\n"), status: 400},
	{name: "Host with a user", sent: line("GET / HTTP/1.1", "Host: b@a\r\n"), status: 400},
	{name: "Host with two ports", sent: line("GET / HTTP/1.1", "Host: a:80:90\r\n"), status: 400},
	{name: "absolute-form for another host", sent: line("GET http://b/ HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "absolute-form with another port", sent: line("GET http://a:81/ HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "absolute-form with a user", sent: line("GET http://x@a/ HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "absolute-form by https", sent: line("GET https://a/ HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "absolute-form without a host", sent: line("GET http:///hidden HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "absolute-form for the same host", sent: line("GET http://A/b?c HTTP/1.1", "Host: a\r\n"), seen: lined("GET /b?c HTTP/1.1", "Host: a\r\n")},
	{name: "absolute-form in HTTP/1.0 without Host", sent: line("GET http://a/ HTTP/1.0", "Connection: keep-alive\r\n"), seen: lined("GET / HTTP/1.1", "Host: a\r\n")},
	{name: "asterisk for GET", sent: line("GET * HTTP/1.1", "Host: a\r\n"), status: 400},
	{name: "authority-form for GET", sent: line("GET a:80 HTTP/1.1", "Host: a:80\r\n"), status: 400},
	{name: "a target with two slashes is no authority", sent: line("GET //b/hidden HTTP/1.1", "Host: a\r\n"), seen: lined("GET //b/hidden HTTP/1.1", "Host: a\r\n")},
	{name: "Proxy-Connection and Keep-Alive are for us", sent: line("GET / HTTP/1.1", "Host: a\r\nProxy-Connection: close\r\nKeep-Alive: timeout=5\r\n"), seen: lined("GET / HTTP/1.1", "Host: a\r\n")},
	{name: "X-Forwarded-Host of a trusted proxy", sent: line("GET / HTTP/1.1", "Host: a\r\nX-Forwarded-Host: front\r\n"),
		seen: []string{"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: front\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n"}},
}

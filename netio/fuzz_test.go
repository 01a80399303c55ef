package netio

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The fuzz tests hold our parsers against those of net/http: what we accept it must accept, and understand alike. The
// other direction does not hold: we refuse more.

func FuzzRequest(f *testing.F) {
	for _, c := range refusedRequests {
		f.Add([]byte(c.head[:min(len(c.head), 512)]))
	}
	for _, c := range acceptedRequests {
		f.Add([]byte(c.head))
	}
	for _, c := range rewrittenRequests {
		f.Add(crlf(c.in))
	}
	f.Fuzz(checkRequest)
}

// FuzzRequestOfParts puts heads together as each byte of the input chooses: a beginning, then names and values that are
// valid or nearly so. Random bytes seldom get as far as a second field.
func FuzzRequestOfParts(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{1, 1, 31, 4, 42, 25, 43})
	f.Add([]byte{2, 2, 36, 4, 41, 8, 48})
	f.Add([]byte{3, 4, 40, 25, 44, 5, 46, 6, 49, 9, 48, 10, 47, 11, 45})
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) == 0 {
			return
		}
		head := []byte(requestBeginnings[int(choices[0])%len(requestBeginnings)])
		for _, c := range choices[1:] {
			head = append(head, requestParts[int(c)%len(requestParts)]...)
		}
		checkRequest(t, append(head[:min(len(head), 320)], "\r\n\r\n"...))
	})
}

var requestBeginnings = []string{
	"GET / HTTP/1.1\r\nHost: a", "POST //p?q HTTP/1.1\r\nhost:a:80", "HEAD http://A?q HTTP/1.1\r\nHost: a",
	"OPTIONS * HTTP/1.1\r\nHost: [::1]", "GET / HTTP/1.0", "\r\nPUT http://a.:1 HTTP/1.0\r\nHOST: A.:1",
	"DELETE /a? HTTP/1.1\r\nX: ", "OPTIONS http://a HTTP/1.0",
}

// A name begins a field line; the values after it go on until the next name.
var requestParts = []string{
	"\r\nHost: ", "\r\nContent-Length: ", "\r\ntransfer-encoding:", "\r\nTrailer: ", "\r\nConnection: ", "\r\nUpgrade:\t",
	"\r\nTE: ", "\r\nExpect: ", "\r\nX-Forwarded-For: ", "\r\nx-forwarded-proto: ", "\r\nX-FORWARDED-HOST: ", "\r\nx-hop: ",
	"\r\nCookie: ", "\r\ncookie: ", "\r\nKeep-Alive: ", "\r\nProxy-Connection: ", "\r\nProxy-Authorization: ", "\r\n: ",
	"\r\n ", "\r\nX : ", "\r\nX\r\n", "\r", "\n", "\x00", "\x7f", ", ", ",", " ", "\t", ";", "\xff", "5", "0", "+", "-", "1e1",
	"chunked", "CHUNKED", "gzip", "identity", "close", "keep-alive", "Upgrade", "websocket", "h2c", "trailers", "100-continue",
	"a", "1.2.3.4", "X-Hop", "cookie", "Host", "content-length", "x", "=", ":", "\"",
}

// checkRequest fails unless b is judged alike however it is split, read as net/http reads it, and sent on in a form that
// means the same and is not changed by being sent on again.
func checkRequest(t *testing.T, b []byte) {
	var r request
	checkSplits(t, b, func(b []byte) (int, error) { return parseRequest(b, &r) })
	n, err := parseRequest(b, &r)
	if n == 0 {
		checkRefusal(t, err)
		if q, theirs := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(b), 2*maxHead)); err != nil && theirs == nil {
			checkAgreed(t, err, q.Method+" "+q.RequestURI, b)
		}
		return
	}
	checkAgainst(t, &r, b[:n])
	if r.count > maxFields-5 || n > maxHead-512 {
		return // with our own fields it may be larger than what we take ourselves
	}
	once := r.appendTo(nil, &oneForward)
	var again request
	if n, err := parseRequest(once, &again); n != len(once) || err != nil {
		t.Fatalf("we would refuse what we send: %v: %q", err, once)
	}
	if again.body != r.body || string(again.host) != string(r.host) || string(again.path) != string(r.path) {
		t.Fatalf("%q means something else than %q", once, b[:n])
	}
	checkAgainst(t, &again, once)
	if twice := again.appendTo(nil, &oneForward); !bytes.Equal(once, twice) {
		t.Fatalf("not canonical:\n%q\n%q", once, twice)
	}
	checkTrusted(t, &r)
}

// checkTrusted fails unless what a trusted proxy sends is sent on in an acceptable form too.
func checkTrusted(t *testing.T, r *request) {
	t.Helper()
	head := r.appendTo(nil, &forward{clientIP: []byte("::1"), proto: "http", trusted: true, host: "b:80"})
	var again request
	if n, err := parseRequest(head, &again); n != len(head) || err != nil {
		t.Fatalf("we would refuse what we send: %v: %q", err, head)
	}
	if again.body != r.body || string(again.hostField) != "b:80" || again.seen[fieldForwardedFor] != 1 {
		t.Fatalf("sent on as %q", head)
	}
	checkAgainst(t, &again, head)
}

// checkAgainst fails unless net/http reads the same request in head.
func checkAgainst(t *testing.T, r *request, head []byte) {
	t.Helper()
	if bytes.HasPrefix(head, []byte("\r\n")) {
		head = head[2:] // net/http's server refuses that
	}
	q, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(head), maxHead))
	target := string(r.target)
	if err != nil && (strings.Contains(err.Error(), "invalid URL escape") || strings.Contains(err.Error(), "invalid character")) {
		// It decodes the path. Whether a path makes sense is for the backend to say; all else must be alike.
		target = "/"
		head = plainTarget(r, head)
		q, err = http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(head), maxHead))
	}
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", head, err)
	}
	if strings.HasPrefix(target, "?") {
		target = "/" + target
	}
	if q.URL.IsAbs() {
		q.RequestURI = q.URL.RequestURI() // compared below only if nothing in it was decoded
		if r.path[0] != '*' && q.RequestURI != target && !strings.ContainsAny(target, "%\"<>\\^`{|}?[]") {
			t.Fatalf("target %q, net/http %q", target, q.RequestURI)
		}
	} else if q.RequestURI != target {
		t.Fatalf("target %q, net/http %q", target, q.RequestURI)
	}
	if q.Method != string(r.method) || q.ProtoMajor != 1 || q.ProtoMinor != r.minor {
		t.Fatalf("%q: net/http reads %s HTTP/%d.%d", head, q.Method, q.ProtoMajor, q.ProtoMinor)
	}
	if !strings.EqualFold(q.Host, string(r.hostField)) {
		t.Fatalf("Host %q, net/http %q", r.hostField, q.Host)
	}
	if close := q.Close; close == r.keepAlive {
		t.Fatalf("%q: keep-alive %v, net/http close %v", head, r.keepAlive, close)
	}
	if want := lengthOf(r.body); q.ContentLength != want {
		t.Fatalf("%q: body %+v, net/http %d", head, r.body, q.ContentLength)
	}
	checkFields(t, &r.head, q.Header)
}

// lengthOf is a body in the words of net/http: its length, or -1 where only the end tells.
func lengthOf(body framing) int64 {
	if body.kind == chunkedBody || body.kind == untilClose {
		return -1
	}
	return body.length
}

// checkFields fails unless net/http has read the same fields, without those it takes out of the header.
func checkFields(t *testing.T, h *head, header http.Header) {
	t.Helper()
	ours := http.Header{}
	for i := range h.fields[:h.count] {
		f := &h.fields[i]
		ours.Add(string(h.name(f)), string(h.value(f)))
	}
	for _, name := range []string{"Host", "Transfer-Encoding", "Trailer", "Content-Length", "Connection", "Pragma", "Cache-Control"} {
		ours.Del(name)
		header.Del(name) // Pragma makes net/http add a Cache-Control
	}
	if len(ours) != len(header) {
		t.Fatalf("fields %q, net/http %q", ours, header)
	}
	for name, values := range ours {
		if !slices.Equal(values, header[name]) {
			t.Fatalf("field %s: %q, net/http %q", name, values, header[name])
		}
	}
}

// agreed are the reasons for which net/http must refuse a head, too: were it to take one, our parser would have lost a
// good head. For the others we are stricter than it is.
var agreed = map[error]bool{
	errMethod: true, errNoVersion: true, errVersionForm: true, errNoColon: true, errEmptyName: true, errFieldName: true,
	errLength: true, errManyCodings: true, errCoding: true, errManyHosts: true,
}

func checkAgreed(t *testing.T, err error, what string, b []byte) {
	t.Helper()
	if agreed[err] {
		t.Fatalf("refused (%v), but net/http reads %q in %q", err, what, b)
	}
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var named *headError
	if err != nil && (!errors.As(err, &named) || named.status < 400 || named.reason == "") {
		t.Fatalf("refused without a reason: %v", err)
	}
}

func FuzzResponse(f *testing.F) {
	for _, c := range refusedResponses {
		f.Add([]byte(c.head[:min(len(c.head), 512)]), false)
	}
	for _, c := range acceptedResponses {
		f.Add([]byte(c.head), c.toHead)
	}
	for _, c := range rewrittenResponses {
		f.Add(crlf(c.in), c.toHead)
	}
	f.Fuzz(checkResponse)
}

// checkResponse is checkRequest for responses, to any kind of client.
func checkResponse(t *testing.T, b []byte, toHead bool) {
	var r response
	checkSplits(t, b, func(b []byte) (int, error) { return parseResponse(b, toHead, &r) })
	n, err := parseResponse(b, toHead, &r)
	if n == 0 {
		checkRefusal(t, err)
		if p, theirs := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(b), 2*maxHead), nil); err != nil && theirs == nil {
			checkAgreed(t, err, p.Status, b)
		}
		return
	}
	checkResponseAgainst(t, &r, b[:n], toHead)
	for _, v := range []clientView{{minor: 1, keepAlive: true}, {minor: 1}, {keepAlive: true}, {dechunk: true}} {
		once := r.appendTo(nil, &v)
		var again response
		if n, err := parseResponse(once, toHead, &again); n != len(once) || err != nil {
			t.Fatalf("we would refuse what we send: %v: %q", err, once)
		}
		checkResponseAgainst(t, &again, once, toHead)
		if again.status != r.status || !bytes.Equal(again.reason, r.reason) {
			t.Fatalf("%q became %q", b[:n], once)
		}
		if again.body != r.body && !(v.minor == 0 && r.body.kind == chunkedBody && again.body.kind == untilClose) {
			t.Fatalf("the body of %q is framed otherwise in %q", b[:n], once)
		}
	}
}

// checkResponseAgainst fails unless net/http reads the same response in head.
func checkResponseAgainst(t *testing.T, r *response, head []byte, toHead bool) {
	t.Helper()
	q := &http.Request{Method: "GET"}
	if toHead {
		q.Method = "HEAD"
	}
	p, err := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(head), maxHead), q)
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", head, err)
	}
	if p.StatusCode != r.status || p.ProtoMajor != 1 || p.ProtoMinor != r.minor {
		t.Fatalf("%q: net/http reads HTTP/%d.%d %d", head, p.ProtoMajor, p.ProtoMinor, p.StatusCode)
	}
	if bodyLess := r.body.kind == noBody; !bodyLess && p.ContentLength != lengthOf(r.body) {
		t.Fatalf("%q: body %+v, net/http %d", head, r.body, p.ContentLength)
	} else if bodyLess && p.Body != http.NoBody {
		t.Fatalf("%q: no body, net/http reads one", head)
	}
	checkFields(t, &r.head, p.Header)
}

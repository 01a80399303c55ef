package netio

import (
	"strings"
	"testing"
)

// refusedRequests are hostile or broken heads, each with the one reason that it must be refused for.
var refusedRequests = []struct {
	name string
	head string
	want *headError
}{
	// framing: nothing that two readers could read in two ways
	{"CL.TE", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n", errBothFramings},
	{"TE.CL", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n", errBothFramings},
	{"TE with a length of 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", errBothFramings},
	{"TE with an invalid length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n", errBothFramings},
	{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", errManyLengths},
	{"two equal lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", errManyLengths},
	{"equal lengths in a list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", errLength},
	{"different lengths in a list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\n", errLength},
	{"empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", errLength},
	{"plus sign", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", errLength},
	{"minus sign", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", errLength},
	{"hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", errLength},
	{"fractional length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\n", errLength},
	{"length with a space", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0\r\n\r\n", errLength},
	{"length with an underscore", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", errLength},
	{"quoted length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \"5\"\r\n\r\n", errLength},
	{"length of 10^18", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000000000\r\n\r\n", errLengthTooLarge},
	{"length that overflows 64 bits to 5", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\n", errLengthTooLarge},
	{"TE: xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", errManyCodings},
	{"TE: chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", errManyCodings},
	{"TE twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", errManyCodings},
	{"TE: chunked, then identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", errManyCodings},
	{"TE: chunked not last", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", errManyCodings},
	{"TE: gzip", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", errManyCodings},
	{"TE: identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", errManyCodings},
	{"TE: empty", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", errManyCodings},
	{"TE: quoted", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", errManyCodings},
	{"TE: with a parameter", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", errManyCodings},
	{"TE: after an empty element", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n", errManyCodings},
	{"TE: with a vertical tab", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", errControl},
	{"TE: with a byte beyond ASCII", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\xa0\r\n\r\n", errManyCodings},
	{"TE: gzip, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", errCoding},
	{"TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", errOldCoding},

	{"Trailer: Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, content-length\r\n\r\n", errTrailerField},

	// line ends, folding and field lines
	{"obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", errFolded},
	{"obs-fold by tab", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n", errFolded},
	{"space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", errFolded},
	{"empty line made of a space", "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n", errFolded},
	{"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", errBareLF},
	{"bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", errBareLF},
	{"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", errBareLF},
	{"bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n", errBareCR},
	{"bare CR as a line end", "GET / HTTP/1.1\rHost: a\r\n\r\n", errBareCR},
	{"CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", errBareCR},
	{"NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\x002\r\n\r\n", errNUL},
	{"NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\x00: 1\r\n\r\n", errNUL},
	{"escape in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\n", errControl},
	{"DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: a long enough value \x7f\r\n\r\n", errControl},
	{"space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", errSpaceInName},
	{"tab before the colon", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n", errSpaceInName},
	{"no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", errNoColon},
	{"no name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", errEmptyName},
	{"quote in a name", "GET / HTTP/1.1\r\nHost: a\r\n\"X\": 1\r\n\r\n", errFieldName},
	{"parenthesis in a name", "GET / HTTP/1.1\r\nHost: a\r\nX(Y): 1\r\n\r\n", errFieldName},
	{"name beyond ASCII", "GET / HTTP/1.1\r\nHost: a\r\nContent\xe2\x80\x93Length: 5\r\n\r\n", errFieldName},

	// whom the request is for
	{"no Host", "GET / HTTP/1.1\r\n\r\n", errNoHost},
	{"no Host beside an authority", "GET http://a/ HTTP/1.1\r\n\r\n", errNoHost},
	{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", errManyHosts},
	{"two equal Hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", errManyHosts},
	{"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", errManyHosts},
	{"Hosts in a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", errHost},
	{"Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", errHost},
	{"Host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", errHost},
	{"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", errHost},
	{"Host with an escape", "GET / HTTP/1.1\r\nHost: a%00\r\n\r\n", errHost},
	{"Host with a byte beyond ASCII", "GET / HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n", errHost},
	{"Host with a port that is none", "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", errHost},
	{"Host with two ports", "GET / HTTP/1.1\r\nHost: a:80:81\r\n\r\n", errHost},
	{"Host with a port that is too long", "GET / HTTP/1.1\r\nHost: a:000080\r\n\r\n", errHost},
	{"Host of a port only", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", errHost},
	{"Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", errHost},
	{"Host with something after the bracket", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", errHost},
	{"Host with empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", errHost},
	{"Host with a name in brackets", "GET / HTTP/1.1\r\nHost: [localhost]\r\n\r\n", errHost},
	{"Host with a zone", "GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", errHost},
	{"Host with a part of an address", "GET / HTTP/1.1\r\nHost: [1:2]\r\n\r\n", errHost},
	{"Host with IPv4 in brackets", "GET / HTTP/1.1\r\nHost: [127.0.0.1]\r\n\r\n", errHost},
	{"IPv6 Host with a port that is too long", "GET / HTTP/1.1\r\nHost: [::1]:655350\r\n\r\n", errHost},
	{"Host longer than a name", "GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", maxHost+1) + "\r\n\r\n", errHost},
	{"authority other than Host", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", errHostMismatch},
	{"authority with a port that Host lacks", "GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", errHostMismatch},
	{"authority with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", errHostMismatch},
	{"authority and Host with a user", "GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", errHost},
	{"empty authority", "GET http:///x HTTP/1.1\r\nHost:\r\n\r\n", errHost},

	// the request line
	{"second empty line before it", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", errMethod},
	{"bare LF before it", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", errBareLF},
	{"bare CR before it", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", errBareCR},
	{"space before it", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", errMethod},
	{"method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", errMethod},
	{"method alone", "GET\r\n\r\n", errMethod},
	{"tab after the method", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", errControl},
	{"two spaces after the method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", errTarget},
	{"two spaces after the target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", errVersionForm},
	{"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", errVersionForm},
	{"space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", errVersionForm},
	{"tab in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", errControl},
	{"NUL in the target", "GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n", errNUL},
	{"byte beyond ASCII in the target", "GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", errTarget},
	{"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", errTarget},
	{"no target", "GET \r\nHost: a\r\n\r\n", errTarget},
	{"no slash", "GET index.html HTTP/1.1\r\nHost: a\r\n\r\n", errTargetForm},
	{"authority as target", "GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", errTargetForm},
	{"https: target", "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", errTargetForm},
	{"asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", errTargetForm},
	{"asterisk and more", "OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n", errTargetForm},
	{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", errConnect},
	{"no version, HTTP/0.9", "GET /\r\n", errNoVersion},
	{"empty version", "GET / \r\n\r\n", errVersionForm},
	{"HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", errVersion},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", errVersion},
	{"HTTP/2.0 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", errVersion},
	{"HTTP/3.1", "GET / HTTP/3.1\r\nHost: a\r\n\r\n", errVersion},
	{"lower-case http", "GET / http/1.1\r\nHost: a\r\n\r\n", errVersionForm},
	{"HTTP/1", "GET / HTTP/1\r\nHost: a\r\n\r\n", errVersionForm},
	{"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", errVersionForm},
	{"HTTP/11.1", "GET / HTTP/11.1\r\nHost: a\r\n\r\n", errVersionForm},
	{"HTTP/1.x", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", errVersionForm},
	{"a TLS client", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", errControl},

	// Connection
	{"Connection: Host", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Host\r\n\r\n", errOptionNames},
	{"Connection: Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: content-length\r\n\r\n", errOptionNames},
	{"Connection: Transfer-Encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n\r\n", errOptionNames},
	{"Connection: X-Forwarded-For", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Forwarded-For\r\n\r\n", errOptionNames},
	{"Connection: Expect", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Expect\r\n\r\n", errOptionNames},
	{"Connection that is no list of tokens", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close; now\r\n\r\n", errOption},
	{"Connection with too many options", "GET / HTTP/1.1\r\nHost: a\r\nConnection: " + strings.Repeat("a,", maxOptions+1) + "\r\n\r\n", errTooManyOptions},

	// caps
	{"101 fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: 1\r\n", maxFields) + "\r\n", errTooManyFields},
	{"a head one byte too large", headOfSize(maxHead + 1), errHeadTooLarge},
	{"a target that never ends", "GET /" + strings.Repeat("a", maxHead), errHeadTooLarge},
	{"a method that never ends", strings.Repeat("A", maxHead), errHeadTooLarge},
	{"a name that never ends", "GET / HTTP/1.1\r\n" + strings.Repeat("A", maxHead), errHeadTooLarge},
}

// headOfSize makes a valid request head of that many bytes.
func headOfSize(size int) string {
	const before, after = "GET / HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n"
	return before + strings.Repeat("x", size-len(before)-len(after)) + after
}

func TestHostileRequestsAreRefused(t *testing.T) {
	for _, c := range refusedRequests {
		t.Run(c.name, func(t *testing.T) {
			var r request
			if n, err := parseRequest([]byte(c.head), &r); n != 0 || err != error(c.want) {
				t.Errorf("got %d bytes, %v; want refused: %v", n, err, c.want)
			}
		})
	}
}

// TestRefusalsHaveTheRightStatus holds what a client is told, by reason.
func TestRefusalsHaveTheRightStatus(t *testing.T) {
	special := map[*headError]int{
		errHeadTooLarge: 431, errTooManyFields: 431, errTooManyOptions: 431,
		errConnect: 501, errCoding: 501, errVersion: 505,
	}
	for _, c := range refusedRequests {
		want := 400
		if status, ok := special[c.want]; ok {
			want = status
		}
		if c.want.status != want {
			t.Errorf("%s: status %d, want %d", c.name, c.want.status, want)
		}
	}
}

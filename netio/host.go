package netio

import (
	"bytes"
	"net/netip"
	"unsafe"
)

// maxHost is the longest host name there is: 253 characters in DNS (RFC 1035 section 2.3.4), and a final dot.
const maxHost = 254

// normaliseHost writes the host of a Host field to dst for routing: in lower case, without port, brackets and final
// dot. It returns its length, and false for what is no host and port (RFC 9110 section 7.2). Of the reg-name of RFC
// 3986 only the characters that names on the net are made of are taken; an empty field is an empty host.
func normaliseHost(dst, field []byte) (int, bool) {
	if len(field) > 0 && field[0] == '[' {
		return normaliseLiteral(dst, field)
	}
	name, port := field, []byte(nil)
	if i := bytes.IndexByte(field, ':'); i >= 0 {
		name, port = field[:i], field[i:]
	}
	if len(name) > len(dst) || !isPort(port) || len(name) == 0 && len(port) > 0 {
		return 0, false
	}
	for i, c := range name {
		if dst[i] = nameChars[c]; dst[i] == 0 {
			return 0, false
		}
	}
	if n := len(name); n > 1 && name[n-1] == '.' {
		return n - 1, true
	}
	return len(name), true
}

// normaliseLiteral does so for an IPv6 address in brackets, which can be spelled in many ways and is written in that of
// RFC 5952, as the config has it.
func normaliseLiteral(dst, field []byte) (int, bool) {
	end := bytes.IndexByte(field, ']')
	if end < 0 {
		return 0, false
	}
	text, port := field[1:end], field[end+1:]
	if len(port) > 0 && port[0] != ':' || !isPort(port) || bytes.IndexByte(text, '%') >= 0 { // no zone: it is the sender's
		return 0, false
	}
	a, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(text), len(text))) // without a zone it keeps nothing of it
	if err != nil || !a.Is6() {
		return 0, false
	}
	return len(a.AppendTo(dst[:0])), true
}

// isPort reports whether s is empty or a colon and at most five digits (RFC 3986 section 3.2.3 allows none).
func isPort(s []byte) bool {
	if len(s) == 0 {
		return true
	}
	for _, c := range s[1:] {
		if !isDigit(c) {
			return false
		}
	}
	return len(s) <= len(":65535")
}

// nameChars are what a name may be made of: each character in lower case, 0 for those not allowed.
var nameChars = lowerOf("-._~" + digits + lowers + uppers)

func lowerOf(chars string) (t [256]byte) {
	for _, c := range []byte(chars) {
		t[c] = toLower(c)
	}
	return t
}

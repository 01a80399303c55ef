package netio

import "bytes"

// maxHost is the longest host name there is: 253 characters in DNS (RFC 1035 section 2.3.4), and a final dot.
const maxHost = 254

// normaliseHost writes the host of a Host field to dst for routing: in lower case, without port, brackets and final
// dot. It returns its length, and false for what is no host and port (RFC 9110 section 7.2). Of the reg-name of RFC
// 3986 only the characters that names on the net are made of are taken; an empty field is an empty host.
func normaliseHost(dst, field []byte) (int, bool) {
	name, port, legal := field, []byte(nil), &nameChars
	if len(field) > 0 && field[0] == '[' {
		end := bytes.IndexByte(field, ']')
		if end < len("[::") {
			return 0, false
		}
		name, port, legal = field[1:end], field[end+1:], &literalChars
		if len(port) > 0 && port[0] != ':' {
			return 0, false
		}
	} else if i := bytes.IndexByte(field, ':'); i >= 0 {
		name, port = field[:i], field[i:]
	}
	if len(name) > len(dst) || !isPort(port) || len(name) == 0 && len(port) > 0 {
		return 0, false
	}
	for i, c := range name {
		if dst[i] = legal[c]; dst[i] == 0 {
			return 0, false
		}
	}
	if n := len(name); n > 1 && name[n-1] == '.' {
		return n - 1, true
	}
	return len(name), true
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

// What a host may be made of: each character in lower case, 0 for those not allowed.
var (
	nameChars    = lowerOf("-._~" + digits + lowers + uppers)
	literalChars = lowerOf(":." + digits + "abcdefABCDEF")
)

func lowerOf(chars string) (t [256]byte) {
	for _, c := range []byte(chars) {
		t[c] = toLower(c)
	}
	return t
}

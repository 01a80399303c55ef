package netio

import "iter"

// fieldKind says what a field is to a proxy. Most are nothing to it: they are forwarded as they stand.
type fieldKind uint8

const (
	fieldPlain fieldKind = iota
	fieldDropped
	fieldHost
	fieldContentLength
	fieldTransferEncoding
	fieldTrailer
	fieldExpect
	fieldForwardedFor
	fieldForwardedProto
	fieldForwardedHost
	fieldConnection
	fieldUpgrade
	fieldTE
	fieldHop // other fields that concern one connection only
	fieldKinds
)

// classify returns the kind of a field by its name, which must be a token.
func classify(name []byte) fieldKind {
	switch len(name) {
	case 2:
		return kindIf(name, "te", fieldTE)
	case 4:
		return kindIf(name, "host", fieldHost)
	case 6:
		return kindIf(name, "expect", fieldExpect)
	case 7:
		if foldsTo(name, "upgrade") {
			return fieldUpgrade
		}
		return kindIf(name, "trailer", fieldTrailer)
	case 10:
		if foldsTo(name, "connection") {
			return fieldConnection
		}
		return kindIf(name, "keep-alive", fieldHop)
	case 14:
		return kindIf(name, "content-length", fieldContentLength)
	case 15:
		return kindIf(name, "x-forwarded-for", fieldForwardedFor)
	case 16:
		if foldsTo(name, "x-forwarded-host") {
			return fieldForwardedHost
		}
		return kindIf(name, "proxy-connection", fieldHop)
	case 17:
		if foldsTo(name, "transfer-encoding") {
			return fieldTransferEncoding
		}
		return kindIf(name, "x-forwarded-proto", fieldForwardedProto)
	// The credentials and challenges of a proxy are for the next proxy (RFC 9110 section 11.7), and there is none.
	case 18:
		return kindIf(name, "proxy-authenticate", fieldHop)
	case 19:
		return kindIf(name, "proxy-authorization", fieldHop)
	case 25:
		return kindIf(name, "proxy-authentication-info", fieldHop)
	}
	return fieldPlain
}

// longestKnownName is the length of the longest name that classify knows.
const longestKnownName = 25

func kindIf(name []byte, lower string, k fieldKind) fieldKind {
	if foldsTo(name, lower) {
		return k
	}
	return fieldPlain
}

// foldsTo reports whether b, in lower case, is lower, which is made of letters, digits and hyphens. Setting bit 5 is
// enough for that: it makes a letter of nothing but a letter, and a digit or hyphen of nothing else that a field may have.
func foldsTo(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range len(lower) {
		if b[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}

// hops is what the Connection fields of a message say (RFC 9110 section 7.6.1).
type hops struct {
	close, keepAlive, upgrade bool
}

// maxOptions bounds the work that Connection fields can ask for.
const maxOptions = 32

var (
	errOption         = &headError{400, "a Connection field is not a list of tokens"}
	errTooManyOptions = &headError{431, "the Connection fields name more than 32 options"}
	errOptionNames    = &headError{400, "a Connection field names a field that is meant for the backend"}
)

// readHops reads the Connection fields and marks as dropped every field that they name. Naming one of those the message
// depends on (Host, framing, Expect, X-Forwarded-*) is how an attacker takes away what a proxy has put there: refused.
func (h *head) readHops() (hops, error) {
	var p hops
	options := 0
	for option := range h.elements(fieldConnection) {
		if options++; options > maxOptions {
			return p, errTooManyOptions
		}
		if err := h.readOption(&p, option); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (h *head) readOption(p *hops, option []byte) error {
	for _, c := range option {
		if !isToken[c] {
			return errOption
		}
	}
	switch {
	case foldsTo(option, "close"):
		p.close = true
		return nil
	case foldsTo(option, "keep-alive"):
		p.keepAlive = true
		return nil
	}
	switch classify(option) {
	case fieldUpgrade:
		p.upgrade = true
	case fieldHost, fieldContentLength, fieldTransferEncoding, fieldExpect,
		fieldForwardedFor, fieldForwardedProto, fieldForwardedHost:
		return errOptionNames
	case fieldPlain, fieldTrailer:
		h.drop(option)
	}
	return nil
}

// drop marks the fields of that name as not to be forwarded.
func (h *head) drop(name []byte) {
	for i := range h.fields[:h.count] {
		f := &h.fields[i]
		if int(f.colon-f.name) == len(name) && equalFold(h.name(f), name) {
			f.kind = fieldDropped
		}
	}
}

// persists reports whether the connection goes on after a message of that minor version (RFC 9112 section 9.3).
func (p hops) persists(minor int) bool {
	return !p.close && (minor >= 1 || p.keepAlive)
}

// names reports whether the list fields of that kind have the element, which is lower case.
func (h *head) names(k fieldKind, lower string) bool {
	for element := range h.elements(k) {
		if foldsTo(element, lower) {
			return true
		}
	}
	return false
}

// elements goes through the elements of all list fields of that kind, but for empty ones (RFC 9110 section 5.6.1.2).
func (h *head) elements(k fieldKind) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if h.seen[k] == 0 {
			return
		}
		for i := range h.fields[:h.count] {
			if h.fields[i].kind != k {
				continue
			}
			for list := h.value(&h.fields[i]); len(list) > 0; {
				var element []byte
				if element, list = nextElement(list); len(element) > 0 && !yield(element) {
					return
				}
			}
		}
	}
}

// nextElement returns the first element of a comma-separated list, without the white space around it, and the rest.
func nextElement(list []byte) (element, rest []byte) {
	i := 0
	for i < len(list) && list[i] != ',' {
		i++
	}
	element = list[:i]
	if i < len(list) {
		i++
	}
	for len(element) > 0 && isBlank(element[0]) {
		element = element[1:]
	}
	for len(element) > 0 && isBlank(element[len(element)-1]) {
		element = element[:len(element)-1]
	}
	return element, list[i:]
}

// equalFold reports whether a and b are equal but for the case of ASCII letters.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if toLower(a[i]) != toLower(b[i]) {
			return false
		}
	}
	return true
}

func toLower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

package netio

import (
	"encoding/binary"
	"math/bits"
)

// Caps of one head, of a request or of a response.
const (
	maxHead   = 16 << 10 // bytes, the empty line at its end included
	maxFields = 100
)

// A headError says why a message was refused. Every one is a package variable, so refusing allocates nothing and the
// reason can be compared, counted and logged. The status is the answer to a client whose request was at fault; a fault
// of a backend is 502 to the client whatever the status here.
type headError struct {
	status int
	reason string
}

func (e *headError) Error() string { return e.reason }

var (
	errHeadTooLarge  = &headError{431, "the head is larger than 16 KiB"}
	errTooManyFields = &headError{431, "the head has more than 100 fields"}
	errBareCR        = &headError{400, "a CR is not followed by LF"}
	errBareLF        = &headError{400, "an LF does not follow a CR"}
	errNUL           = &headError{400, "there is a NUL"}
	errControl       = &headError{400, "there is a control character"}
	errFolded        = &headError{400, "a field line begins with white space"}
	errSpaceInName   = &headError{400, "there is white space before the colon of a field"}
	errNoColon       = &headError{400, "a field line has no colon"}
	errEmptyName     = &headError{400, "a field has no name"}
	errFieldName     = &headError{400, "a field name has a character that is not allowed"}
)

// head is the part that requests and responses have in common: the fields, as offsets into the bytes that were parsed.
// It is made to be used again and again; only what a parse has written since is meaningful.
type head struct {
	raw    []byte // what was parsed, still the caller's
	fields [maxFields]field
	count  int
	seen   [fieldKinds]uint8 // how many fields there are of each kind
}

// A field is one field line. Offsets fit 16 bits because maxHead does.
type field struct {
	name, colon uint16 // the name is raw[name:colon]
	value, end  uint16 // the value is raw[value:end], without the white space around it
	kind        fieldKind
	tidy        bool // the line reads exactly "name: value\r\n", so a rewrite may copy it as it stands
}

func (h *head) name(f *field) []byte  { return h.raw[f.name:f.colon] }
func (h *head) value(f *field) []byte { return h.raw[f.value:f.end] }

// first returns the first field of a kind that was seen.
func (h *head) first(k fieldKind) *field {
	for i := range h.fields[:h.count] {
		if h.fields[i].kind == k {
			return &h.fields[i]
		}
	}
	return nil
}

// Value returns the value of the first field with the name, which is lower case. It makes a head Fields.
func (h *head) Value(name string) []byte {
	for i := range h.fields[:h.count] {
		if f := &h.fields[i]; foldsTo(h.name(f), name) {
			return h.value(f)
		}
	}
	return nil
}

// scan reads field lines (RFC 9112 section 5) from b[i:] up to and with the empty line, and returns where that ends;
// 0 and no error ask for more bytes. It goes strictly from left to right and judges each byte by those before it, so
// what it finds cannot depend on how the bytes arrived.
func (h *head) scan(b []byte, i int) (int, error) {
	h.raw, h.count, h.seen = b, 0, [fieldKinds]uint8{}
	for {
		if i >= len(b) {
			return 0, nil
		}
		if b[i] == '\r' {
			return endOfLine(b, i)
		}
		if h.count == maxFields {
			return 0, errTooManyFields
		}
		f := &h.fields[h.count]
		colon, err := scanName(b, i)
		if colon == 0 {
			return 0, err
		}
		end, next, err := scanValue(b, colon+1)
		if next == 0 {
			return 0, err
		}
		f.set(b, i, colon, end)
		h.seen[f.kind]++
		h.count++
		i = next
	}
}

// set fills f from a line whose name starts at name and whose value, white space included, is b[colon+1:end].
func (f *field) set(b []byte, name, colon, end int) {
	value, lineEnd := colon+1, end
	for value < end && isBlank(b[value]) {
		value++
	}
	for end > value && isBlank(b[end-1]) {
		end--
	}
	f.name, f.colon, f.value, f.end = uint16(name), uint16(colon), uint16(value), uint16(end)
	f.tidy = value == colon+2 && b[colon+1] == ' ' && end == lineEnd
	f.kind = classify(b[name:colon])
}

// scanName returns where the colon after the field name at b[i:] is; 0 and no error ask for more bytes.
func scanName(b []byte, i int) (int, error) {
	start := i
	for i < len(b) && isToken[b[i]] {
		i++
	}
	if i == len(b) {
		return 0, nil
	}
	if b[i] == ':' && i > start {
		return i, nil
	}
	return 0, nameFault(b[i], i == start)
}

// nameFault names what is wrong with a field name that c ends.
func nameFault(c byte, atStart bool) error {
	switch {
	case c == ':':
		return errEmptyName
	case isBlank(c) && atStart:
		return errFolded // obs-fold, or white space before the first field: RFC 9112 sections 2.2 and 5.2
	case isBlank(c):
		return errSpaceInName // RFC 9112 section 5.1
	case c == '\r':
		return errNoColon
	}
	return badByte(c, errFieldName)
}

// scanValue returns where the field value at b[i:] ends, white space included, and where the next line begins; 0, 0 and
// no error ask for more bytes.
func scanValue(b []byte, i int) (end, next int, err error) {
	for {
		i = nextControl(b, i)
		if i == len(b) {
			return 0, 0, nil
		}
		switch b[i] {
		case '\t':
			i++
		case '\r':
			next, err = endOfLine(b, i)
			return i, next, err
		default:
			return 0, 0, badByte(b[i], errControl)
		}
	}
}

// endOfLine returns what follows the CR at b[i] and its LF; 0 and no error ask for more bytes.
func endOfLine(b []byte, i int) (int, error) {
	if i+1 == len(b) {
		return 0, nil
	}
	if b[i+1] != '\n' {
		return 0, errBareCR
	}
	return i + 2, nil
}

// badByte names the fault of a byte that is not allowed where it stands; other is for those with no name of their own.
func badByte(c byte, other *headError) error {
	switch {
	case c == '\n':
		return errBareLF
	case c == 0:
		return errNUL
	case c < ' ' && c != '\r' || c == 0x7f:
		return errControl
	}
	return other
}

// nextControl returns the index of the first control character (below 0x20, or DEL) in b from i on, or len(b). Values
// are most of a head, so it looks at eight bytes at once: subtracting 0x20 from every byte borrows into the top bit of
// those below it, and likewise 0x01 after DEL was made zero. A borrow can only reach bytes above the first hit, so the
// first hit is exact.
func nextControl(b []byte, i int) int {
	const ones = 0x0101010101010101
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		del := w ^ ones*0x7f
		if hit := ((w-ones*0x20)&^w | (del-ones)&^del) & (ones * 0x80); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] < ' ' || b[i] == 0x7f {
			return i
		}
	}
	return i
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isToken holds the characters of a token (RFC 9110 section 5.6.2).
var isToken = tableOf("!#$%&'*+-.^_`|~" + digits + lowers + uppers)

const (
	digits = "0123456789"
	lowers = "abcdefghijklmnopqrstuvwxyz"
	uppers = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

func tableOf(chars string) (t [256]bool) {
	for _, c := range []byte(chars) {
		t[c] = true
	}
	return t
}

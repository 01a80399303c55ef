package netio

import "math"

// Caps of what a chunked body (RFC 9112 section 7.1) has beside its data.
const (
	maxSizeDigits = 16
	maxExtension  = 256     // bytes, of one chunk
	maxTrailers   = 8 << 10 // bytes, of the whole trailer section
)

var (
	errChunkSize      = &headError{400, "a chunk size is not a hexadecimal number"}
	errChunkTooLarge  = &headError{400, "a chunk size is too large"}
	errChunkExtension = &headError{400, "a chunk extension has a character that is not allowed"}
	errExtensionLong  = &headError{400, "a chunk extension is longer than 256 bytes"}
	errChunkEnd       = &headError{400, "the data of a chunk does not end with CRLF"}
	errTrailersLong   = &headError{400, "the trailers are longer than 8 KiB"}
	errTrailerField   = &headError{400, "a trailer is a field that only a head may have"}
)

// A chunkReader follows one chunked body. It may be given the body in pieces cut anywhere, and holds nothing back: what
// it has accepted can be forwarded as it stands. The zero value is at the beginning of a body.
type chunkReader struct {
	state chunkState
	left  int64 // bytes of the present chunk's data still to come; while its size is read, the size so far
	count int   // digits of the size, bytes of the extension or bytes of the trailers so far

	name    [longestKnownName]byte // the trailer field name that is being read
	nameLen int
}

type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	afterSizeCR
	inData
	afterData
	afterDataCR
	atTrailer // at the beginning of a trailer field, or of the empty line that ends the body
	inTrailerName
	inTrailerValue
	afterTrailerCR
	afterLastCR
	atEnd
)

// next reads on in p and returns how many of its bytes belong to the body, chunk sizes and trailers included, and
// whether they are its last. On an error those are the bytes before the fault, and c must not be used any more.
func (c *chunkReader) next(p []byte) (n int, done bool, err error) {
	for n < len(p) && !done && err == nil {
		var used int
		_, used, done, err = c.data(p[n:])
		n += used
	}
	return n, done, err
}

// data reads on in p as far as one piece of data goes, and returns that piece, with how many bytes were read for it and
// whether the body has ended. The piece is empty when p has no more data; it never is more than one chunk's.
func (c *chunkReader) data(p []byte) (data []byte, n int, done bool, err error) {
	for n < len(p) {
		if c.state == inData {
			size := int(min(c.left, int64(len(p)-n)))
			c.pass(size)
			return p[n : n+size], n + size, false, nil
		}
		if err := c.step(p[n]); err != nil {
			return nil, n, false, err
		}
		n++
		if c.state == atEnd {
			return nil, n, true, nil
		}
	}
	return nil, n, false, nil
}

// pass notes that n bytes of data have gone another way. They must all be of the present chunk.
func (c *chunkReader) pass(n int) {
	if c.left -= int64(n); c.left == 0 {
		c.state = afterData
	}
}

// step takes one byte of what is not data.
func (c *chunkReader) step(b byte) error {
	switch c.state {
	case inSize:
		return c.inSize(b)
	case inExtension:
		return c.inExtension(b)
	case afterSizeCR:
		return c.afterSizeCR(b)
	case afterData:
		return c.expect(b, '\r', afterDataCR, errChunkEnd)
	case afterDataCR:
		return c.expect(b, '\n', inSize, errChunkEnd)
	case afterTrailerCR:
		return c.expect(b, '\n', atTrailer, errBareCR)
	case afterLastCR:
		return c.expect(b, '\n', atEnd, errBareCR)
	}
	if c.count++; c.count > maxTrailers {
		return errTrailersLong
	}
	return c.inTrailer(b)
}

func (c *chunkReader) expect(b, want byte, then chunkState, otherwise error) error {
	if b != want {
		return otherwise
	}
	c.state = then
	return nil
}

func (c *chunkReader) inSize(b byte) error {
	digit := hexDigits[b]
	switch {
	case digit > 0:
		if c.count++; c.count > maxSizeDigits || c.left > math.MaxInt64>>4 {
			return errChunkTooLarge
		}
		c.left = c.left<<4 | int64(digit-1)
		return nil
	case c.count == 0:
		return badByte(b, errChunkSize)
	}
	c.count = 0
	return c.endSize(b, errChunkSize)
}

func (c *chunkReader) endSize(b byte, otherwise *headError) error {
	switch b {
	case '\r':
		c.state = afterSizeCR
	case ';':
		c.state = inExtension
	default:
		return badByte(b, otherwise)
	}
	return nil
}

func (c *chunkReader) inExtension(b byte) error {
	if c.count++; c.count > maxExtension {
		return errExtensionLong
	}
	if isBlank(b) || '!' <= b && b <= '~' {
		return nil
	}
	return c.endSize(b, errChunkExtension)
}

func (c *chunkReader) afterSizeCR(b byte) error {
	if b != '\n' {
		return errBareCR
	}
	c.count = 0
	c.state = inData
	if c.left == 0 {
		c.state = atTrailer
	}
	return nil
}

// inTrailer takes one byte of the trailer section, which is made of field lines as a head is. Fields on framing,
// routing and the connection are for heads only (RFC 9110 section 6.5.1): a backend that merges them would be misled.
func (c *chunkReader) inTrailer(b byte) error {
	switch c.state {
	case atTrailer:
		if b == '\r' {
			c.state = afterLastCR
			return nil
		}
		c.state, c.nameLen = inTrailerName, 0
		return c.inTrailerName(b)
	case inTrailerName:
		return c.inTrailerName(b)
	}
	switch {
	case b == '\r':
		c.state = afterTrailerCR
	case b < ' ' && b != '\t' || b == 0x7f:
		return badByte(b, errControl)
	}
	return nil
}

func (c *chunkReader) inTrailerName(b byte) error {
	switch {
	case isToken[b]:
		if c.nameLen < len(c.name) {
			c.name[c.nameLen] = b
		}
		c.nameLen++
	case b != ':' || c.nameLen == 0:
		return nameFault(b, c.nameLen == 0)
	case c.nameLen <= len(c.name) && classify(c.name[:c.nameLen]) != fieldPlain:
		return errTrailerField
	default:
		c.state = inTrailerValue
	}
	return nil
}

// hexDigits holds the value of each hexadecimal digit, plus one; 0 for what is none.
var hexDigits = func() (t [256]byte) {
	for i := range 16 {
		t["0123456789abcdef"[i]] = byte(i + 1)
		t["0123456789ABCDEF"[i]] = byte(i + 1)
	}
	return t
}()

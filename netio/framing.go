package netio

// framingKind is how the end of a body is known (RFC 9112 section 6.3).
type framingKind uint8

const (
	noBody framingKind = iota
	fixedLength
	chunkedBody
	untilClose // responses only
)

// framing is the one decision per message on where its body ends. length is in bytes and counts for fixedLength only,
// where it may be 0: the message said so.
type framing struct {
	kind   framingKind
	length int64
}

var (
	errBothFramings   = &headError{400, "there are both Content-Length and Transfer-Encoding"}
	errManyLengths    = &headError{400, "there is more than one Content-Length"}
	errLength         = &headError{400, "the Content-Length is not a number"}
	errLengthTooLarge = &headError{400, "the Content-Length is too large"}
	errManyCodings    = &headError{400, "the Transfer-Encoding is not one single chunked"}
	errCoding         = &headError{501, "the Transfer-Encoding has codings other than chunked"}
	errOldCoding      = &headError{400, "there is a Transfer-Encoding in an HTTP/1.0 message"}
)

// requestFraming decides where the body of a request ends.
func requestFraming(h *head, minor int) (framing, error) {
	declared, err := declaredFraming(h, minor)
	if declared.kind == untilClose {
		declared.kind = noBody // RFC 9112 section 6.3, rule 7
	}
	return declared, err
}

// responseFraming decides where the body of a response ends.
func responseFraming(h *head, minor, status int, toHead bool) (framing, error) {
	declared, err := declaredFraming(h, minor)
	if toHead || status < 200 || status == 204 || status == 304 {
		return framing{}, err // the fields of a HEAD or 304 tell of a body that is not there
	}
	return declared, err
}

// declaredFraming reads the framing that the fields declare; untilClose where they declare none. It tolerates nothing
// that two readers could read in two ways: even equal lengths repeated, which RFC 9112 section 6.3 would let us merge,
// are refused.
func declaredFraming(h *head, minor int) (framing, error) {
	lengths, codings := h.seen[fieldContentLength], h.seen[fieldTransferEncoding]
	switch {
	case codings > 0 && lengths > 0:
		return framing{}, errBothFramings
	case codings > 0 && minor == 0:
		return framing{}, errOldCoding // RFC 9112 section 6.1: faulty framing
	case codings > 1:
		return framing{}, errManyCodings
	case codings == 1:
		return framing{kind: chunkedBody}, onlyChunked(h.value(h.first(fieldTransferEncoding)))
	case lengths > 1:
		return framing{}, errManyLengths
	case lengths == 1:
		n, err := parseLength(h.value(h.first(fieldContentLength)))
		return framing{fixedLength, n}, err
	}
	return framing{kind: untilClose}, nil
}

// checkTrailer refuses a Trailer field that announces what chunkReader would refuse (RFC 9110 section 6.6.2), while
// there still is somebody to tell.
func checkTrailer(h *head) error {
	for name := range h.elements(fieldTrailer) {
		if classify(name) != fieldPlain {
			return errTrailerField
		}
	}
	return nil
}

// onlyChunked refuses every Transfer-Encoding but a single chunked: with 501 where others precede a last chunked, which
// is legal but beyond us (RFC 9112 section 6.1), with 400 where chunked is missing, repeated or not last.
func onlyChunked(list []byte) error {
	if foldsTo(list, "chunked") {
		return nil
	}
	elements, chunkeds, last := 0, 0, false
	for len(list) > 0 {
		var coding []byte
		if coding, list = nextElement(list); len(coding) == 0 {
			continue
		}
		elements++
		if last = foldsTo(coding, "chunked"); last {
			chunkeds++
		}
	}
	if last && chunkeds == 1 && elements > 1 {
		return errCoding
	}
	return errManyCodings
}

// parseLength reads a Content-Length: decimal digits and nothing else, below 10^18.
func parseLength(value []byte) (int64, error) {
	if len(value) == 0 {
		return 0, errLength
	}
	var n int64
	for _, c := range value {
		if !isDigit(c) {
			return 0, errLength
		}
		if n >= 1e17 {
			return 0, errLengthTooLarge
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

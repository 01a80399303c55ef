package netio

// A response is one parsed response head. Its slices point into the bytes given to parseResponse and are good as long
// as those stay unchanged. It is meant to be used again.
type response struct {
	head
	status    int
	reason    []byte // as received, often empty
	minor     int    // of HTTP/1.x: 0 or 1
	body      framing
	keepAlive bool // the backend will take another request on this connection once the body has ended
	interim   bool // 1xx but 101: another response to the same request follows
	upgrade   bool // 101: what follows is another protocol. Only a request that asked for one may get this
	bodiless  bool // it has no body, whatever its fields tell of
	tempting  bool // and they tell of one: some backends send it
}

var (
	errStatusLine  = &headError{502, "the status line is malformed"}
	errStatus      = &headError{502, "the status is not between 100 and 999"}
	errBareUpgrade = &headError{502, "a 101 has no Upgrade field"}
)

// parseResponse reads a response head from the beginning of b into r; headRequest says that it answers a HEAD. Results
// are those of parseRequest.
func parseResponse(b []byte, headRequest bool, r *response) (n int, err error) {
	full := len(b) >= maxHead
	if full {
		b = b[:maxHead]
	}
	i, err := r.parseLine(b)
	if i > 0 {
		i, err = r.scan(b, i)
	}
	if i == 0 {
		if err == nil && full {
			err = errHeadTooLarge
		}
		return 0, err
	}
	if err := r.conclude(headRequest); err != nil {
		return 0, err
	}
	return i, nil
}

// parseLine reads the status line (RFC 9112 section 4). The space after the status is required there, but left out by
// so many servers that have no reason to give that it is not missed.
func (r *response) parseLine(b []byte) (int, error) {
	minor, err := parseVersion(b)
	if minor < 0 {
		return 0, err
	}
	r.minor, r.status, r.reason = minor, 0, nil
	for i := versionLength; i < versionLength+len(" 200"); i++ {
		switch {
		case i == len(b):
			return 0, nil
		case i == versionLength && b[i] == ' ':
		case i > versionLength && isDigit(b[i]):
			r.status = r.status*10 + int(b[i]-'0')
		default:
			return 0, badByte(b[i], errStatusLine)
		}
	}
	if r.status < 100 {
		return 0, errStatus
	}
	return r.parseReason(b, versionLength+len(" 200"))
}

func (r *response) parseReason(b []byte, i int) (int, error) {
	if i == len(b) {
		return 0, nil
	}
	switch {
	case b[i] == '\r':
		return endOfLine(b, i)
	case b[i] != ' ':
		return 0, badByte(b[i], errStatusLine)
	}
	end, next, err := scanValue(b, i+1)
	if next > 0 {
		r.reason = b[i+1 : end]
	}
	return next, err
}

// relaxes tells whether a request that is answered so holds its service up no longer.
func (b *Backend) relaxes(r *response) bool {
	return b.RelaxTunnels && r.upgrade || b.RelaxEvents && !r.upgrade && isEventStream(r.Value("content-type"))
}

// isEventStream looks at a media type (RFC 9110 section 8.3.1).
func isEventStream(contentType []byte) bool {
	const stream = "text/event-stream"
	if len(contentType) < len(stream) || !foldsTo(contentType[:len(stream)], stream) {
		return false
	}
	return len(contentType) == len(stream) || contentType[len(stream)] == ';' || isBlank(contentType[len(stream)])
}

// conclude decides, with the whole head known, what the response means.
func (r *response) conclude(headRequest bool) error {
	body, err := responseFraming(&r.head, r.minor, r.status, headRequest)
	if err != nil {
		return err
	}
	if err := checkTrailer(&r.head); err != nil {
		return err
	}
	hops, err := r.readHops()
	if err != nil {
		return err
	}
	r.upgrade = r.status == 101
	if r.upgrade && r.seen[fieldUpgrade] == 0 {
		return errBareUpgrade // RFC 9110 section 15.2.2
	}
	r.interim = r.status < 200 && !r.upgrade
	r.bodiless = headRequest || r.status == 204 || r.status == 304
	r.tempting = r.bodiless && (headRequest || r.seen[fieldContentLength] > 0 || r.seen[fieldTransferEncoding] > 0)
	r.body = body
	r.keepAlive = hops.persists(r.minor) && body.kind != untilClose && !r.upgrade
	return nil
}

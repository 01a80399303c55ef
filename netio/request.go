package netio

import "bytes"

// A request is one parsed request head. Its slices point into the bytes given to parseRequest (host into the request
// itself, so it must not be copied) and are good as long as those stay unchanged. It is meant to be used again.
type request struct {
	head
	method []byte
	target []byte // as received; of an absolute-form what follows the authority: "/p?q", "?q", "/" or "*"
	path   []byte // the target up to '?', as received
	minor  int    // of HTTP/1.x: 0 or 1
	body   framing

	hostField []byte // what the client says it speaks to, as received: the Host field, or the authority of an absolute-form
	host      []byte // hostField for routing: lower case, without port, brackets and final dot

	keepAlive      bool // the client wants the connection to go on
	expectContinue bool // the client waits for 100 (Continue) before it sends the body
	upgrade        bool // the client asks for another protocol, and the request says so to the backend
	isHead         bool
	idempotent     bool // RFC 9110 section 9.2.2

	hostText [maxHost]byte
}

var (
	errMethod       = &headError{400, "the request line does not begin with a method"}
	errConnect      = &headError{501, "the method is CONNECT"}
	errTarget       = &headError{400, "the request target has a character that is not allowed"}
	errTargetForm   = &headError{400, "the request target is neither a path nor an http URL"}
	errNoVersion    = &headError{400, "the request line has no version"}
	errVersionForm  = &headError{400, "the HTTP version is malformed"}
	errVersion      = &headError{505, "the HTTP version is not 1.0 or 1.1"}
	errNoHost       = &headError{400, "there is no Host field"}
	errManyHosts    = &headError{400, "there is more than one Host field"}
	errHost         = &headError{400, "the Host is not a valid host and port"}
	errHostMismatch = &headError{400, "the request target and the Host field name different hosts"}
)

// parseRequest reads a request head from the beginning of b into r. It returns the length of the head, an empty line
// before it included; 0 and no error as long as b ends before the head does; or a *headError. Whether, and why, a head
// is refused depends on its bytes only, never on how many of them are in b already; and it is refused as soon as the
// bytes that decide it are there. After an error, or with more bytes needed, r is meaningless.
func parseRequest(b []byte, r *request) (n int, err error) {
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
	if err := r.conclude(); err != nil {
		return 0, err
	}
	return i, nil
}

// parseLine reads the request line (RFC 9112 section 3), and one empty line before it (section 2.2). It returns where
// the fields begin; 0 and no error ask for more bytes.
func (r *request) parseLine(b []byte) (int, error) {
	start := 0
	if len(b) > 0 && b[0] == '\r' {
		next, err := endOfLine(b, 0)
		if next == 0 {
			return 0, err
		}
		start = next
	}
	i := start
	for i < len(b) && isToken[b[i]] {
		i++
	}
	if i == len(b) {
		return 0, nil
	}
	if b[i] != ' ' || i == start {
		return 0, badByte(b[i], errMethod)
	}
	r.method = b[start:i]
	i++
	start = i
	for i < len(b) && isTarget[b[i]] {
		i++
	}
	if i == len(b) {
		return 0, nil
	}
	if b[i] != ' ' || i == start {
		return 0, targetFault(b[i], i == start)
	}
	r.target = b[start:i]
	return r.parseVersion(b, i+1)
}

// isTarget holds the characters of a request target. Beyond those of a URI (RFC 3986) it takes the ones that clients
// send unescaped and backends take; not '#', because a fragment is never sent and who sees one cuts it off or not.
var isTarget = tableOf("!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + digits + lowers + uppers)

// targetFault names what is wrong with a target that c ends.
func targetFault(c byte, atStart bool) error {
	if c == '\r' && !atStart {
		return errNoVersion
	}
	return badByte(c, errTarget)
}

// parseVersion reads the version and the end of the request line at b[i:] (RFC 9112 section 2.3).
func (r *request) parseVersion(b []byte, i int) (int, error) {
	minor, err := parseVersion(b[i:])
	if minor < 0 {
		return 0, err
	}
	i += versionLength
	if i == len(b) {
		return 0, nil
	}
	if b[i] != '\r' {
		return 0, badByte(b[i], errVersionForm)
	}
	r.minor = minor
	return endOfLine(b, i)
}

const versionLength = len("HTTP/1.1")

// parseVersion reads the version that b begins with and returns x of HTTP/1.x; -1 and no error ask for more bytes.
func parseVersion(b []byte) (int, error) {
	const form = "HTTP/1.1"
	if len(b) >= versionLength && string(b[:versionLength-1]) == form[:versionLength-1] && b[7]|1 == '1' {
		return int(b[7] - '0'), nil
	}
	for i := range min(len(b), versionLength) {
		if b[i] != form[i] && !(isDigit(form[i]) && isDigit(b[i])) {
			return -1, badByte(b[i], errVersionForm)
		}
	}
	if len(b) < versionLength {
		return -1, nil
	}
	return -1, errVersion
}

// conclude decides, with the whole head known, what the request means.
func (r *request) conclude() error {
	if err := r.concludeTarget(); err != nil {
		return err
	}
	body, err := requestFraming(&r.head, r.minor)
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
	r.body = body
	r.keepAlive = hops.persists(r.minor)
	// An Upgrade of an HTTP/1.0 client is to be ignored (RFC 9110 section 7.8). One to h2c is left out: RFC 9113 has
	// withdrawn it, and it would open a tunnel in which the backend hears requests that we never see.
	r.upgrade = hops.upgrade && r.minor >= 1 && r.seen[fieldUpgrade] > 0 && !r.names(fieldUpgrade, "h2c")
	r.expectContinue = r.minor >= 1 && body.kind != noBody && r.names(fieldExpect, "100-continue")
	r.concludeMethod()
	return nil
}

func (r *request) concludeMethod() {
	r.isHead, r.idempotent = false, false
	switch string(r.method) {
	case "HEAD":
		r.isHead, r.idempotent = true, true
	case "GET", "PUT", "DELETE", "OPTIONS", "TRACE":
		r.idempotent = true
	}
}

// concludeTarget splits the target by its form (RFC 9112 section 3.2) and finds the host.
func (r *request) concludeTarget() error {
	if string(r.method) == "CONNECT" {
		return errConnect
	}
	r.hostField = nil
	switch {
	case r.target[0] == '/':
	case len(r.target) == 1 && r.target[0] == '*' && string(r.method) == "OPTIONS":
	default:
		if err := r.splitAbsolute(); err != nil {
			return err
		}
	}
	r.path = r.target
	if i := bytes.IndexByte(r.target, '?'); i >= 0 {
		r.path = r.target[:i]
	}
	if len(r.path) == 0 {
		r.path = slash
	}
	return r.concludeHost()
}

var (
	slash    = []byte("/")
	asterisk = []byte("*")
)

// splitAbsolute takes an absolute-form apart into the authority and what follows it. Only http: is spoken here.
func (r *request) splitAbsolute() error {
	const scheme = "http://"
	if len(r.target) < len(scheme) || !equalFold(r.target[:len(scheme)], []byte(scheme)) {
		return errTargetForm
	}
	rest := r.target[len(scheme):]
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if end == 0 {
		return errHost // RFC 9110 section 4.2.1: an http URI without a host is invalid
	}
	r.hostField, r.target = rest[:end], rest[end:]
	if len(r.target) == 0 {
		r.target = slash
		if string(r.method) == "OPTIONS" {
			r.target = asterisk // RFC 9112 section 3.2.4
		}
	}
	return nil
}

// concludeHost finds the host among the Host field and the authority of an absolute-form. RFC 9112 section 3.2.2 lets
// the authority win over a different Host; we refuse, since not every backend behind us would agree.
func (r *request) concludeHost() error {
	switch r.seen[fieldHost] {
	case 0:
		if r.minor >= 1 {
			return errNoHost
		}
	case 1:
		value := r.value(r.first(fieldHost))
		if r.hostField != nil && !equalFold(value, r.hostField) {
			return errHostMismatch
		}
		r.hostField = value
	default:
		return errManyHosts
	}
	n, ok := normaliseHost(r.hostText[:], r.hostField)
	if !ok {
		return errHost
	}
	r.host = r.hostText[:n]
	return nil
}

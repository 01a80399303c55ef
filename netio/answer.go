package netio

import (
	"net/http"
	"strconv"
	"time"
)

// How long the end of a connection is drawn out for a client that still sends: as in nginx.
const (
	lingerQuiet = 5 * time.Second  // since it last sent something
	lingerTotal = 30 * time.Second // since our reply was written
	lingerLast  = time.Second      // when the server is to end: a client may have sent for ever, and has only to read
)

// The answers that netio gives by itself. They say nothing of what is behind it.
var (
	noRouteAnswer     = &Answer{Status: 404, Body: "No service has this address.\n"}
	slowRequestAnswer = &Answer{Status: 408}
	brokenAnswer      = &Answer{Status: 502}
	closingAnswer     = &Answer{Status: 503, RetryAfter: time.Second, Body: "The gateway is going down.\n"}
	overloadedAnswer  = &Answer{Status: 503, RetryAfter: time.Second}
	timeoutAnswer     = &Answer{Status: 504}
)

var (
	errInterims      = &headError{502, "there are too many interim responses"}
	errUnasked       = &headError{502, "the backend switches protocols unasked"}
	errMalformedBody = &headError{400, "the chunked body is malformed"}
)

// answer replies to the present request in place of a backend. The lease and the upstream are given back at once. The
// connection goes on if the request wanted it to and was read to its end.
func (c *client) answer(a *Answer) {
	x, s := c.x, c.s
	s.tally.answers.Add(1)
	if x.up != nil {
		x.up.free(false)
		x.up = nil
	}
	if x.lease != nil {
		c.release()
	}
	c.skipBody()
	x.keepAlive = x.keepAlive && x.request.ended && !s.closing() && !c.overloaded
	x.status, x.headSent = a.Status, true
	out := appendAnswer(s.scratch[:0], a, x.isHead, x.keepAlive, time.Now())
	s.scratch = out[:0]
	// An interim response may still wait to be written: the answer goes behind it.
	if held := x.reply.held; held != nil {
		out = append(append([]byte(nil), bytesOf(held)...), out...)
	}
	x.reply.drop(s)
	x.reply.ended, x.reply.dechunk = true, false
	c.state = stateAnswer
	if errno := s.send(&x.reply, &c.conn, out); errno != 0 {
		c.leave()
	}
}

// skipBody passes over what is here of the body of a request that goes nowhere.
func (c *client) skipBody() {
	x := c.x
	x.request.drop(c.s)
	if x.headLen == 0 || x.taken > 0 {
		return
	}
	n, ended, err := x.request.body.take(bytesOf(c.in)[x.headLen:])
	x.taken = x.headLen + n
	x.request.ended = x.request.ended || ended && err == nil
}

// flushAnswer writes the rest of an answer, and goes on to what follows it.
func (c *client) flushAnswer() bool {
	x, s := c.x, c.s
	if errno := s.flush(&x.reply, &c.conn); errno != 0 {
		if !c.clientBroke(errno) {
			s.wheel.set(&c.timer, x.reply.moved+int64(s.server.options.Timeouts.Write))
		}
		return false
	}
	c.consume()
	c.endRequest(false)
	if x.keepAlive {
		return c.nextRequest()
	}
	c.finish()
	return true
}

// refuseHead answers a head that is not acceptable. Nothing that follows it can be trusted to be a request.
func (c *client) refuseHead(err error) {
	status := 400
	if e, ok := err.(*headError); ok {
		status = e.status
	}
	if status == 431 {
		c.s.tally.headTooLarge.Add(1)
	} else {
		c.s.tally.badRequest.Add(1)
	}
	c.s.headOf = nil
	c.x = c.s.exchanges.get()
	*c.x = exchange{open: true, minor: 1, started: c.s.now}
	if c.s.server.options.RequestLog != nil {
		c.x.entry = &Entry{Client: c.address}
	}
	c.answer(&Answer{Status: status, Body: err.Error() + "\n"})
}

// refuseBody ends a request whose body is malformed: by an answer if its reply has not begun, else by a break.
func (c *client) refuseBody(err error) {
	c.s.tally.badRequest.Add(1)
	if c.x.headSent {
		c.abort()
		return
	}
	c.x.keepAlive = false
	c.answer(&Answer{Status: 400, Body: err.Error() + "\n"})
}

// appendAnswer appends a as HTTP/1.1 (RFC 9110 section 2.5 lets it be sent to a client of 1.0, too). The reply to a HEAD
// has the fields of one to a GET, and no body.
func appendAnswer(dst []byte, a *Answer, isHead, keepAlive bool, now time.Time) []byte {
	text := http.StatusText(a.Status)
	body := a.Body
	if body == "" {
		body = strconv.Itoa(a.Status) + " " + text + "\n"
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(a.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, text...)
	dst = append(dst, "\r\nDate: "...)
	dst = now.UTC().AppendFormat(dst, http.TimeFormat)
	dst = append(dst, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	if a.RetryAfter > 0 {
		dst = append(dst, "\r\nRetry-After: "...)
		dst = strconv.AppendInt(dst, int64((a.RetryAfter+time.Second-1)/time.Second), 10)
	}
	if !keepAlive {
		dst = append(dst, "\r\nConnection: close"...)
	}
	dst = append(dst, "\r\n\r\n"...)
	if isHead {
		return dst
	}
	return append(dst, body...)
}

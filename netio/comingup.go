package netio

import "time"

// A service can be ready and not be there yet: docker-proxy accepts connections with nothing behind it, and a service
// without a health check listens when it likes. For as long as its start may take (Backend.RetryUntil), and until it has
// answered a request, one that was refused, or whose connection was closed before any byte of a reply, waits a little
// and is tried again.

const (
	firstRetry = time.Millisecond
	lastRetry  = 50 * time.Millisecond
)

// comingUp tells whether the request may be tried again later. Its backend must be in the time of its start, and the
// whole request in our buffer; and if the backend may have seen any of it, it must be one that may be repeated
// (RFC 9110 section 9.2.2).
func (c *client) comingUp(unseen bool) bool {
	x := c.x
	return !x.begun && x.headLen > 0 && (unseen || x.idempotent) &&
		!x.backend.retired.Load() && !x.backend.answered.Load() && time.Now().Before(x.backend.RetryUntil)
}

// pause lets the request rest until it is tried again. The pauses grow with the time it has waited.
func (c *client) pause() {
	x, s := c.x, c.s
	if x.paused == 0 {
		x.paused = s.now
	}
	s.tally.retries.Add(1)
	c.state = statePause
	rest := min(max(int64(firstRetry), (s.now-x.paused)/20), int64(lastRetry))
	s.wheel.set(&c.timer, s.now+rest)
}

// resume tries the request again, unless its run has ended meanwhile.
func (c *client) resume() {
	if c.x.backend.retired.Load() {
		c.answer(brokenAnswer)
		return
	}
	c.sendAgain()
}

// sendAgain sends the request on a connection of its own.
func (c *client) sendAgain() {
	x := c.x
	x.deaf, x.asked, x.request.total = false, 0, 0
	c.forward(false)
}

package netio

import "time"

// A Waiter is one request that waits for its service. It is made for each Wait and never used again, so an answer that
// comes late meets nobody. Its address is its identity.
type Waiter struct {
	splicer  *splicer
	client   *client // touched on the loop only
	accepted time.Time
	granted  time.Time
}

// Grant says "try the gate again": Acquire is called with w, and if that fails, Wait. Any goroutine may call it.
func (w *Waiter) Grant() {
	w.splicer.inbox.post(message{kind: grantMessage, waiter: w})
}

// Refuse has the request answered with a. Any goroutine may call it.
func (w *Waiter) Refuse(a Answer) {
	w.splicer.inbox.post(message{kind: refuseMessage, waiter: w, answer: a})
}

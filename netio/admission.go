package netio

import "time"

// Admission is what netio needs to know of services; the engine provides it. Its methods, and those of the Route and
// the Lease it hands out, are called on a splicer's loop: they must not block, and they must not keep the byte slices.
type Admission interface {
	// Route finds the service of a request. listener is the index in Options.Listeners. host is lower case and has no
	// port; an IPv6 literal has no brackets. path is the raw path without the query. fields has the rest of the head.
	// nil is answered 404.
	Route(listener int, host, path []byte, fields Fields) Route
}

// Fields are those of a request's head, for the length of a call.
type Fields interface {
	// Value is that of the first field with the name, which is in lower case; nil if there is none. It allocates
	// nothing, and goes over the whole head: ask only where the answer counts.
	Value(name string) []byte
}

// Route is where a request goes. One value may serve any number of requests at once.
type Route interface {
	// Acquire takes a lease if the service is ready: one compare-and-swap, free of allocation. It returns nil, nil when
	// the service must be waited for. The lease covers one request, to the last byte of its reply. granted is what the
	// request waited with, if it has; a lease may have been set aside for it.
	Acquire(granted *Waiter) (Lease, *Backend)
	// Wait asks that the service be made ready. Exactly one w.Grant or w.Refuse follows, from any goroutine or from
	// within the call, unless Cancel came first.
	Wait(w *Waiter)
	// Cancel takes back a Wait: the client left, or the server closes. A Grant or Refuse that crosses it is harmless.
	Cancel(w *Waiter)
	// Unreachable reports that no connection to b can be made, as nobody listens there: a request is answered 502.
	Unreachable(b *Backend)
	// Served reports the first byte of the reply to a request that had waited. l is the lease that Acquire gave it. What it
	// returns is added to the head of the reply: field lines, each with its CRLF, or nothing.
	Served(l Lease, t Timing) (fields string)
}

// Lease is what a request has of a service from Acquire on. netio calls Release or Relax exactly once.
type Lease interface {
	Release()
	// Relax exchanges it for one that does not hold the service up (see Backend.RelaxTunnels).
	Relax() Lease
}

// Timing is the clock of a request that had to wait for its service.
type Timing struct {
	Accepted  time.Time // the head was whole, and the service was not ready
	Granted   time.Time // the last Grant arrived
	Connected time.Time // the connection to the backend stood
	FirstByte time.Time // the first byte of the reply arrived
}

// Answer is a reply of our own, sent as text/plain.
type Answer struct {
	Status     int           // one whose reply has a body
	RetryAfter time.Duration // rounded up to seconds; 0: no Retry-After field
	Body       string        // "" stands for the status and its name
}

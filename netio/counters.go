package netio

import "sync/atomic"

// Counters are sums over all loops since Serve, but for those that say "now". They are read one by one while the loops
// go on, so two of them may be a request apart.
type Counters struct {
	Accepted    int64 // client connections
	Connections int64 // client connections now
	Refused     int64 // closed at once: the hard cap on sockets, or few descriptors left
	Overloaded  int64 // requests answered 503: the soft cap on clients

	Requests int64 // heads that were whole and valid
	Waiting  int64 // requests that wait for their service now
	Leases   int64 // held now
	Tunnels  int64 // upgraded connections now
	Answers  int64 // replies of our own, whatever the reason
	Retries  int64 // requests sent again: a pooled connection had died, or the backend was coming up

	BytesIn  int64 // read from clients
	BytesOut int64 // written to clients
	Spliced  int64 // of both directions, what went from socket to socket within the kernel

	BackendConnects int64 // connections opened
	BackendReuses   int64 // requests sent on a pooled connection
	BackendIdle     int64 // pooled connections now

	Errors Errors
}

// Errors counts what went wrong, by kind.
type Errors struct {
	Accept          int64 // times evio gave up accepting and was started again
	BadRequest      int64 // heads and bodies refused as malformed
	HeadTooLarge    int64 // heads over the caps (431)
	HeadTimeout     int64 // heads that were not whole in time
	NoRoute         int64 // no service for the host and path (404)
	Refused         int64 // Admission refused the request
	Connect         int64 // a backend refused the connection
	ConnectTimeout  int64
	Backend         int64 // a backend broke the connection, or the protocol, before or in a reply
	ResponseTimeout int64
	Stalled         int64 // a peer took or sent nothing for Timeouts.Write
	ClientGone      int64 // the client left before the end of its reply
	Panics          int64 // recovered in a loop
}

// tally is the same as Counters, as a loop keeps it: written by the loop alone, read by anybody.
type tally struct {
	requests, waiting, leases, tunnels, answers, retries atomic.Int64
	bytesIn, bytesOut, spliced                           atomic.Int64
	backendConnects, backendReuses, backendIdle          atomic.Int64
	overloaded                                           atomic.Int64

	badRequest, headTooLarge, headTimeout, noRoute, refused atomic.Int64
	connect, connectTimeout, backend, responseTimeout       atomic.Int64
	stalled, clientGone, panics                             atomic.Int64
}

// addTo adds what the loop has counted to c.
func (t *tally) addTo(c *Counters) {
	c.Overloaded += t.overloaded.Load()
	c.Requests += t.requests.Load()
	c.Waiting += t.waiting.Load()
	c.Leases += t.leases.Load()
	c.Tunnels += t.tunnels.Load()
	c.Answers += t.answers.Load()
	c.Retries += t.retries.Load()
	c.BytesIn += t.bytesIn.Load()
	c.BytesOut += t.bytesOut.Load()
	c.Spliced += t.spliced.Load()
	c.BackendConnects += t.backendConnects.Load()
	c.BackendReuses += t.backendReuses.Load()
	c.BackendIdle += t.backendIdle.Load()
	e := &c.Errors
	e.BadRequest += t.badRequest.Load()
	e.HeadTooLarge += t.headTooLarge.Load()
	e.HeadTimeout += t.headTimeout.Load()
	e.NoRoute += t.noRoute.Load()
	e.Refused += t.refused.Load()
	e.Connect += t.connect.Load()
	e.ConnectTimeout += t.connectTimeout.Load()
	e.Backend += t.backend.Load()
	e.ResponseTimeout += t.responseTimeout.Load()
	e.Stalled += t.stalled.Load()
	e.ClientGone += t.clientGone.Load()
	e.Panics += t.panics.Load()
}

// Package netio carries HTTP/1.1 requests from clients to backends and the replies back: bytes in, bytes out. What a
// service is, and whether it runs, it learns through the interface Admission, which the engine provides.
//
// # The life of a connection
//
// front.go, round.go: evio accepts it, and lets go of the socket at once. From here on it is a client (client.go) of one
// splicer at a time, and touched by that one's goroutine alone. A silent or slow client costs a few hundred bytes.
//
// guest.go: that splicer is the front's own, the guest, which turns within evio's loop. It serves those whose first
// request is their last. All others, as soon as it knows, or when their first head does not come soon, go to another
// splicer, where they stay: handOver (evio.go) adds the socket to its epoll.
//
// splicer.go: the loop. Each turn takes a batch of events, finds whom each is for (table.go), and has that client do
// what can be done. A client does so by its state, in step:
//
//	stateHead    readHead     reads and parses until a head is whole, then begins an exchange (exchange.go):
//	                          Admission.Route says where it goes, Route.Acquire gives a lease
//	stateWait    stillThere   the service is not ready: parked until Grant or Refuse comes by the inbox, reading nothing
//	statePause   stillThere   the service is just coming up: the request is tried again in a moment (comingup.go)
//	stateBridge  stillThere   its backend speaks TLS, and a bridge to it is being made (secure.go)
//	stateRelay   relay        the head, rewritten, goes to a connection of the pool (pool.go) or a new one (upstream.go),
//	                          the body follows; the reply comes back (reply.go). What goes wrong is in failure.go
//	stateTunnel  tunnel       after a 101, bytes go both ways until both ends have closed (tunnel.go)
//	stateAnswer  flushAnswer  an answer of our own goes out (answer.go)
//	stateLinger  linger       it was the last one, and the client still sends: it is read to the end, and dropped
//
// When another server takes the place of this one (heir.go), clients go to it whenever they are between two requests.
//
// After a reply the connection to the backend goes back to its pool, the lease to its owner, and the client to
// stateHead, for as long as both sides want.
//
// # How bytes move
//
// Everything is edge-triggered and registered once, so there is no epoll_ctl per request: a conn remembers that it is
// readable or writable until a call shows that it no longer is. A write is tried at once; what the other side does not
// take is held in one buffer, and while something is held nothing more is read. So each direction needs one buffer of
// 16 KiB at most, and a slow reader stops its writer. Bodies and tunnels move in one place, splicer.move (relay.go).
// Where a source fills a whole buffer and more of the body is to come, that goes through a pipe and never enters user
// space (splice.go).
// A small request on a warm connection costs six system calls, two of them waits that many connections share, and no
// allocation. One on a connection of its own costs fourteen or fifteen, eight of them evio's.
//
// A backend that speaks TLS has a bridge before it (bridge.go): two goroutines with crypto/tls at the other end of a pair
// of unix sockets, whose one end is an upstream to the loop, which knows of no TLS otherwise.
//
// # Who owns what
//
//	listening sockets      the Listener; evio's loop watches duplicates of them
//	the guest              its own goroutine; evio's loop from moveInto to lodging.close
//	socket of a client     evio until onDetached, then the client; another loop's from client.passOn; closed by
//	                       client.close, or the heir's from client.bequeath
//	socket to a backend    the upstream; closed by upstream.close. The upstream is its client's from pool.take or dial to
//	                       free, and its pool's otherwise
//	a bridge               itself while it is made, the client may only cancel it; then its upstream: what the loop closes
//	                       ends it (upstream.close, bridge.end). It closes all its descriptors but the loop's
//	lease                  the exchange, from acquire to endRequest (an answer of ours gives it back early); passFinal may
//	                       exchange it for one that does not hold the service up
//	waiter                 Admission from Wait to Grant, Refuse or Cancel; the client compares, so a late one meets nobody
//	buffers                a pool of the loop. client.in: bytes read and not used. flow.held: read and not yet taken by the
//	                       other side. upstream.in: the beginning of a reply's head
//	pipes                  a pool of the loop, empty ones; flow.pipe as long as there are bytes in it. One that is given up
//	                       with bytes in it is closed
//	exchange               a pool of the loop; the client's from begin to nextRequest, or to its close
//	timers                 the loop's wheel; each conn has one deadline, whatever it stands for
//	the parsed head        the loop: one request and one response for all its connections, good until the next is parsed
//
// What another goroutine may do to a loop is in inbox.go; what it may read is the tally. The hand-over of a connection
// is published by an atomic pointer in the table, and a generation number in the epoll data tells events for an earlier
// use of a descriptor from those for this one.
package netio

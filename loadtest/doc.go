// Package loadtest is `dynapm loadtest`: a client from outside, which asks any HTTP/1.1 gateway and says how it
// answered. It imports nothing of the gateway.
//
// One thread and one epoll make all requests (generator.go, client.go), so the generator takes little of the machine
// and its share of a core is one number; above 90% the run is marked void, and so is its exit status. A pacer (pacer.go) says when a request is
// due, a strict reader (reply.go) reads and checks what comes back, a recorder (recorder.go) keeps the latency or the
// kind of error. Latency counts from when a request was due, in an open loop too if no connection was free: what a
// stall made others wait is in it. A request that is not answered rightly and in full is an error, and so is a body
// that differs from the expected one: that of -expect, or what the server answered when it was asked twice beforehand;
// if those two differ, bodies are not compared, and the report says so. A request that has no answer after the patience
// of a run (30 s from when it was due) is an error; one that is in flight when the user interrupts is in no count, and a note says so.
//
// The server is a stranger. What is kept of what it says is bounded (a head, a line, a body to compare, the kinds of
// errors), it cannot hold up the clients beside the one that it floods, and nothing that it says drives a terminal.
//
//	main.go, flags.go, run.go, progress.go  the command line, a run, the line on the terminal
//	measure.go, compare.go                  latency, throughput and rate, of one target or of two in turns
//	mixed.go                                many hosts of different popularity; a soak
//	hold.go, stream.go, owed.go             streams of events, and what was due when the time was over
//	rounds.go, coldstart.go, herd.go        what happens to a service that sleeps
//	admin.go                                the engine that knows when it does
//	secured.go                              TLS under a client of the generator
//	result.go                               the report, and the schema of its JSON
//	table.go, files.go, units.go            the table, the Markdown, what they share
//	html.go, report.html, plot.go, bars.go  the page and its drawings
//	target.go, poller.go, usage.go          addresses, epoll and timer, the generator's own CPU
package loadtest

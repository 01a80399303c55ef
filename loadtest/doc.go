// Package loadtest is `dynapm loadtest`: a client from outside, which asks any HTTP/1.1 gateway and says how it
// answered. It imports nothing of the gateway.
//
// One thread and one epoll make all requests (generator.go, client.go), so the generator takes little of the machine
// and its share of a core is one number; above 90% the run is marked void. A pacer (pacer.go) says when a request is
// due, a strict reader (reply.go) reads and checks what comes back, a recorder (recorder.go) keeps the latency or the
// kind of error. Latency counts from when a request was due, in an open loop too if no connection was free: what a
// stall made others wait is in it. A request that is not answered rightly and in full is an error, and so is a body
// that differs from what the server answered when it was asked twice beforehand; if those two differ, bodies are not
// compared, and the report says so.
//
//	main.go, run.go, progress.go     the command line, a run, the line on the terminal
//	measure.go, compare.go           latency, throughput and rate, of one target or of two in turns
//	mixed.go                         many hosts of different popularity; a soak
//	hold.go                          streams of events
//	coldstart.go, herd.go, admin.go  what happens to a service that sleeps
//	result.go                        the report, and the schema of its JSON
//	table.go, files.go, units.go     the table, the Markdown, what they share
//	html.go, report.html, plot.go    the page and its drawings
//	target.go, poller.go, usage.go   addresses, epoll and timer, the generator's own CPU
package loadtest

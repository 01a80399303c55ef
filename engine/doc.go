// Package engine joins the rooms: it turns a config into listeners, routes and services, answers netio's question "who
// serves this request?" with the actors' gates, and owns the order of coming up and going down.
//
// No room knows another. What netio asks (netio.Admission) and what actors tell (actors.Traffic, actors.Journal) is
// declared there and joined here:
//
//	engine.go    coming up
//	listen.go    what is listened on, opened here or by somebody else
//	leave.go     draining, going down
//	predecessor.go, successor.go: one engine takes the place of another (package takeover)
//	supervisor.go: what systemd is told
//	routes.go    host, path and port to a service
//	plan.go      the config to services, routes, targets and ports
//	service.go   one configured service: its actor or its plain gate, its routes' backends
//	target.go    where a route leads when that has a name
//	found.go     what an earlier engine has left running
//	memory.go    what an earlier engine knew, and what the next one will
//	admit.go     a request that must wait, what it is told, and the line that says it woke something
//	journal.go   what happened, one log line per event
//	traffic.go   the connections of a run that ends
//	ports.go     the port of a service that has no base
//	control.go   what the admin API may ask for
package engine

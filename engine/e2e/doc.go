// Package e2e holds the end-to-end tests: the built binary, real child processes and real sockets on loopback, seen
// only from outside. It imports nothing of the project.
//
// Each test makes a world: a folder, ports that no other test has, and a mark in the environment that every process of
// the test inherits. When the test ends, its engine is told to leave and nothing may remain: no process with the mark,
// no listening port. The services are the test binary itself, started with DYNAPM_E2E_SERVICE set; what happened to
// each (started, asked, told to stop) it writes to a file, which the tests read.
//
//	main_test.go       builds the binary; ends what a test that broke off left behind
//	world_test.go      folder, ports, gates and the config of one test
//	engine_test.go     the engine as a child: start, log, end
//	client_test.go     requests, raw connections and the admin API
//	procs_test.go      what /proc tells of processes and ports
//	service*_test.go   the services
//	armed_test.go      the binary with fail points, and who is ended at one of them
//
// The scenarios are in scenarios_test.go, everything else beside it by subject. DYNAPM_LARGE=1 makes the big bodies
// 1 GiB, DYNAPM_MANY=1 has engines with a thousand and with ten thousand services (many_test.go).
package e2e

// Package real runs examples/ against the programs they name: Docker, PM2, nginx, redis, PostgreSQL, Node and Python.
// `make test-real` installs what is missing (install.sh) and sets DYNAPM_REAL=1, without which the tests are skipped.
//
// Each test copies examples/ into a folder of its own, with other ports, and runs the copy as its head says. HOME,
// PGDATA and DOCKER_HOST lead into that folder, so that nothing that is installed on the machine is touched, and dockerd
// is the test's own. When a test ends, no process of its folder may be left.
//
//	main_test.go    builds the binary; ends what a test that broke off left behind
//	world_test.go   folder, ports and the copy of the examples
//	engine_test.go  the engine and the command line
//	procs_test.go   what /proc tells of what is left
//	machine_test.go a virtual machine, for what the engine does with a whole kernel; it has no example
//	guest_test.go   what is tested in it
//	wrk_test.go     what a request costs `dynapm loadtest`, beside wrk; it has no example
//	life_test.go    what every example goes through: waking, kill -9 of the engine, sleeping, waking again
package real

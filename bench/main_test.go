package main

import (
	"fmt"
	"os"
	"testing"
)

// mainSwitch has the test binary be the program.
const mainSwitch = "DYNAPM_BENCH_MAIN"

// TestMain lets the test binary be the backend and the proxies, as the program itself is.
func TestMain(m *testing.M) {
	if os.Getenv(roleSwitch) != "" {
		fmt.Fprintln(os.Stderr, playRole(os.Args[1:]))
		os.Exit(exitFailed)
	}
	if os.Getenv(mainSwitch) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

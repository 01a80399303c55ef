package main

import (
	"fmt"
	"os"
	"testing"
)

// TestMain lets the test binary be the backend and the proxies, as the program itself is.
func TestMain(m *testing.M) {
	if os.Getenv(roleSwitch) != "" {
		fmt.Fprintln(os.Stderr, playRole(os.Args[1:]))
		os.Exit(exitFailed)
	}
	os.Exit(m.Run())
}

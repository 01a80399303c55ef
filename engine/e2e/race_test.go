//go:build race

package e2e

// raceEnabled tells that these tests run with the race detector; the binary is then built with it too.
const raceEnabled = true

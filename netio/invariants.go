//go:build !race

package netio

// invariants are checked in builds with the race detector, which are the ones that are tested.
const invariants = false

//go:build race

package netio

const invariants = true

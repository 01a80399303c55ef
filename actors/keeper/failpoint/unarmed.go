//go:build !failpoint

package failpoint

// Reached tells that a step was done.
func Reached(string) {}

// Did tells that an effect was carried out.
func Did(any) {}

package probe

import (
	"context"
	"testing"
	"time"
)

// TestPause: whether it is a nap, a timer because another one naps, or a timer because it is long, a pause tells when
// nobody waits any longer.
func TestPause(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, d := range []time.Duration{time.Microsecond, time.Hour} {
		if pause(ended, d) {
			t.Errorf("a pause of %v goes on after the end", d)
		}
	}
	if !pause(t.Context(), time.Microsecond) {
		t.Error("a nap says that the wait has ended")
	}
	napping.Lock()
	defer napping.Unlock()
	if !pause(t.Context(), time.Microsecond) {
		t.Error("a pause beside a nap says that the wait has ended")
	}
	if pause(ended, time.Hour) {
		t.Error("a pause beside a nap goes on after the end")
	}
}

package keeper

import (
	"testing"
	"testing/synctest"
	"time"
)

// The end of what a leader left is seen soon, and of what does not end there are few
// looks.
func TestLookUntil(t *testing.T) {
	for _, tc := range []struct{ ends, late time.Duration }{
		{0, 0}, {20 * time.Millisecond, time.Millisecond}, {time.Second, 50 * time.Millisecond}, {time.Hour, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			began, looks := time.Now(), 0
			ended := func() bool {
				looks++
				return time.Since(began) >= tc.ends
			}
			if !lookUntil(nil, ended) || time.Since(began) > tc.ends+tc.late {
				t.Errorf("the end after %v was seen after %v", tc.ends, time.Since(began))
			}
			if most := 200 + int(tc.ends/(2*time.Second)); looks > most {
				t.Errorf("%d looks in %v, want at most %d", looks, tc.ends, most)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(over) })
		if began := time.Now(); lookUntil(over, func() bool { return false }) || time.Since(began) != time.Hour {
			t.Errorf("ended after %v", time.Since(began))
		}
	})
}

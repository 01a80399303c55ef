package loadtest

import (
	"fmt"
	"testing"
	"time"
)

// A trial is one try of a test about times. What is wrong with it need not be wrong with the test.
type trial struct {
	*testing.T
	wrong []string
}

func (t *trial) Errorf(format string, args ...any) {
	t.wrong = append(t.wrong, fmt.Sprintf(format, args...))
}

const (
	steady = 100 * time.Millisecond // what the tests about times can stand
	trials = 20
)

// steadily wants a try without a fault. One that has some is repeated if this process stood still in it, as it does on a
// machine that has other things to do: then its times are those of the machine.
func steadily(t *testing.T, try func(t *trial)) {
	t.Helper()
	for range trials {
		one := &trial{T: t}
		still := longestPause(func() { try(one) })
		if len(one.wrong) == 0 {
			return
		}
		if still < steady {
			for _, wrong := range one.wrong {
				t.Error(wrong)
			}
			return
		}
		t.Logf("this process stood still for %v: %q", still, one.wrong)
	}
	t.Errorf("in each of %d tries this process stood still", trials)
}

// longestPause tells for how long at most this process did nothing while do ran.
func longestPause(do func()) (longest time.Duration) {
	over, told := make(chan struct{}), make(chan time.Duration)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		last := time.Now()
		for longest := time.Duration(0); ; {
			select {
			case <-tick.C:
			case <-over:
				told <- max(longest, time.Since(last))
				return
			}
			now := time.Now()
			longest, last = max(longest, now.Sub(last)), now
		}
	}()
	do()
	close(over)
	return <-told
}

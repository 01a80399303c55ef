package loadtest

import (
	"testing"
	"time"
)

func TestConstantRateIsEven(t *testing.T) {
	t.Parallel()
	p := constantRate{bound{duration: 10 * time.Second}, 30_000}
	for _, c := range []struct {
		taken int64
		due   time.Duration
		ok    bool
	}{
		{0, 0, true},
		{3, 100 * time.Microsecond, true},
		{30_000, time.Second, true},
		{299_997, 9_999_900 * time.Microsecond, true},
		{300_000, 10 * time.Second, false},
	} {
		// Whatever time it is: a request that is late was due when it was due.
		for _, elapsed := range []time.Duration{0, time.Second, time.Hour} {
			if due, ok := p.pace(elapsed, c.taken); due != c.due || ok != c.ok {
				t.Errorf("request %d at %v: due %v, %v; want %v, %v", c.taken, elapsed, due, ok, c.due, c.ok)
			}
		}
	}
}

func TestClosedLoopIsDueAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bound   bound
		elapsed time.Duration
		taken   int64
		ok      bool
	}{
		{bound{}, time.Hour, 1 << 40, true},
		{bound{duration: time.Second}, time.Second - 1, 1 << 40, true},
		{bound{duration: time.Second}, time.Second, 0, false},
		{bound{requests: 5}, time.Hour, 4, true},
		{bound{requests: 5}, 0, 5, false},
		{bound{time.Second, 5}, time.Second, 2, false},
	} {
		if due, ok := (closedLoop{c.bound}).pace(c.elapsed, c.taken); due != c.elapsed || ok != c.ok {
			t.Errorf("%+v after %v and %d requests: due %v, %v; want %v", c.bound, c.elapsed, c.taken, due, ok, c.ok)
		}
	}
}

package main

import (
	"testing"
	"time"
)

// TestColdSample: a direct start that was quick by chance is in the differences within a cycle, and not in the difference
// of the percentiles; a start that failed is in neither.
func TestColdSample(t *testing.T) {
	const ms = time.Millisecond
	direct := coldTimes{}
	gateway := coldTimes{errors: map[string]int{"status 502": 1}}
	for range 49 {
		direct.times = append(direct.times, 10*ms)
		gateway.times = append(gateway.times, 11*ms)
	}
	direct.times = append(direct.times, 2*ms, 10*ms)
	gateway.times = append(gateway.times, 12*ms, failedStart)
	s := gateway.sample(direct.times)
	if s.Work != 51 || s.P50 != 11*ms || s.P99 != 12*ms || s.Over50 != ms || s.Over99 != 10*ms || s.Beyond99 != 2*ms ||
		s.Errors["status 502"] != 1 {
		t.Errorf("%+v", s)
	}
	if s := direct.sample(direct.times); s.Over50 != 0 || s.Over99 != 0 || s.Beyond99 != 0 {
		t.Errorf("direct, beside itself: %+v", s)
	}
	if s := gateway.sample(nil); s.Over50 != 0 || s.Beyond99 != 0 || s.P50 != 11*ms {
		t.Errorf("with nothing to compare with: %+v", s)
	}
}

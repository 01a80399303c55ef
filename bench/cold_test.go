package main

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// TestColdSample: a direct start that was quick by chance is in the differences within a cycle, and not in the difference
// of the percentiles; a start that failed is in neither.
func TestColdSample(t *testing.T) {
	const ms = time.Millisecond
	direct, gateway := coldTimes{}, coldTimes{}
	for range 49 {
		direct.starts = append(direct.starts, coldStart{took: 10 * ms})
		gateway.starts = append(gateway.starts, coldStart{took: 11 * ms})
	}
	direct.starts = append(direct.starts, coldStart{took: 2 * ms}, coldStart{took: 10 * ms})
	gateway.starts = append(gateway.starts, coldStart{took: 12 * ms}, coldStart{took: 500 * ms, failed: "status 502"})
	s := gateway.sample(direct.starts)
	if s.Work != 51 || s.P50 != 11*ms || s.P99 != 12*ms || s.Over50 != ms || s.Over99 != 10*ms || s.Beyond99 != 2*ms ||
		s.Errors["status 502"] != 1 {
		t.Errorf("%+v", s)
	}
	if s := direct.sample(direct.starts); s.Over50 != 0 || s.Over99 != 0 || s.Beyond99 != 0 {
		t.Errorf("direct, beside itself: %+v", s)
	}
	if s := gateway.sample(nil); s.Over50 != 0 || s.Beyond99 != 0 || s.P50 != 11*ms {
		t.Errorf("with nothing to compare with: %+v", s)
	}
}

// TestColdBrokenOff: of a case that was broken off the cycles are kept that all have been through, with what was spent on
// those alone; one without any has no sample.
func TestColdBrokenOff(t *testing.T) {
	var all []*coldTimes
	for i, kind := range []string{kindOurs, kindDirect} {
		one := &coldTimes{running: running{contender: contender{name: kind, kind: kind}}}
		for range 2 + i {
			one.starts = append(one.starts, coldStart{took: 5, spent: coldUse{3, 1}, ended: coldUse{2, 2}})
		}
		all = append(all, one)
	}
	var c Case
	keepCold(&c, all)
	if len(c.Series) != 2 {
		t.Fatalf("%+v", c)
	}
	for _, s := range c.Series {
		if got := s.Samples[0]; got.Work != 2 || got.CPU != 6 || got.Keeper != 2 || got.Stop != 8 {
			t.Errorf("%s: %+v", s.Contender, got)
		}
	}
	all[0].starts = nil
	var none Case
	if keepCold(&none, all); len(none.Series) > 0 {
		t.Errorf("there is no whole cycle, and %+v", none)
	}
}

// TestColdInterrupted: cold starts that are broken off end, say that they were, and leave the whole cycles in the result.
func TestColdInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := openSite(ctx, os.Args[0]) // no engine is needed
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	chosen, _, err := choose(allContenders(""), "direct", false)
	if err != nil {
		t.Fatal(err)
	}
	progress := writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte(", 3 of ")) {
			cancel()
		}
	})
	result, err := coldOf(coldQuick).run(ctx, s, chosen, options{rounds: 1, scale: 1, progress: progress, live: true})
	if err != errInterrupted {
		t.Errorf("it ended with: %v", err)
	}
	if len(result.Cases) != 1 || len(result.Cases[0].Series) != 2 {
		t.Fatalf("%+v", result.Cases)
	}
	for _, series := range result.Cases[0].Series {
		if series.Samples[0].Work != 3 || series.wrong() > 0 {
			t.Errorf("%s: %+v", series.Contender, series.Samples)
		}
	}
}

// TestNeverListens: a service that does not listen keeps nobody waiting. What was broken off by the user is told from what
// took too long, and of the shell's session nothing is left.
func TestNeverListens(t *testing.T) {
	s, began := deafSite(t)
	late := errors.New("too late")
	for _, run := range []struct {
		name  string
		start func(context.Context, int) (time.Duration, error)
	}{
		{"shell loop", s.untilAnswered},
		{"direct", func(ctx context.Context, _ int) (time.Duration, error) { return 0, getUntil(ctx, s.cold[0]) }},
	} {
		expired, cancel := context.WithTimeoutCause(t.Context(), 1, late)
		if _, err := run.start(expired, 0); !errors.Is(err, late) {
			t.Errorf("%s, when its time is over: %v", run.name, err)
		}
		cancel()
	}
	ctx, cancel := context.WithCancel(t.Context())
	pidfd := make(chan int, 1)
	go func() {
		defer cancel()
		pidfd <- began()
	}()
	if _, err := s.inShellLoop(ctx, 0); !errors.Is(err, errInterrupted) || strings.Contains(err.Error(), "within") {
		t.Errorf("broken off: %v", err)
	}
	hasEnded(t, <-pidfd)
}

// TestStillListens: who breaks the run off while a service ends is not told that it does not.
func TestStillListens(t *testing.T) {
	at := serve(t, func(int) string { return goodReply })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := untilFree(ctx, at); err != errInterrupted {
		t.Errorf("broken off: %v", err)
	}
}

// deafSite has a case whose service listens nowhere. began waits for one, as signalling says.
func deafSite(t *testing.T) (s *site, began func() int) {
	t.Helper()
	server, began := signalling(t, "exec sleep 600")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	s = &site{dir: t.TempDir(), server: server, null: null, self: os.Args[0], coldCases: []coldCase{coldQuick}, cold: []netip.AddrPort{address(t)}}
	return s, began
}

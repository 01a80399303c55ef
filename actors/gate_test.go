package actors

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestGateStartsShutAndOpens(t *testing.T) {
	g := NewGate(3, "127.0.0.1:80")
	if g.Acquire() || g.AcquirePassive() {
		t.Fatal("a new gate lets in")
	}
	g.Open()
	if !g.Acquire() || !g.AcquirePassive() {
		t.Fatal("an open gate does not let in")
	}
	if h, p := g.Counts(); h != 1 || p != 1 {
		t.Errorf("counts are %d, %d", h, p)
	}
	if g.Run() != 3 || g.Address() != "127.0.0.1:80" {
		t.Error("it forgot its run or address")
	}
}

func TestGateTellsDrainedAtTheLastReleaseAfterShut(t *testing.T) {
	told := 0
	g := NewGate(1, "")
	g.drained = func() { told++ }
	g.Open()
	g.Acquire()
	g.Acquire()
	g.AcquirePassive()
	g.Release()
	if told != 0 {
		t.Fatal("told while open")
	}
	if g.Shut() {
		t.Fatal("drained with a lease out")
	}
	g.ReleasePassive()
	if told != 0 {
		t.Fatal("a passive lease counts")
	}
	g.Release()
	if told != 1 || !g.isDrained() {
		t.Fatalf("told %d times", told)
	}
}

func TestGateShutIdle(t *testing.T) {
	g := NewGate(1, "")
	g.Open()
	opened := g.LastUse()
	if last, shut := g.shutIdle(opened.Add(-1), time.Time{}); shut || !last.Equal(opened) {
		t.Error("it was opened after unusedSince, and shut")
	}
	g.Acquire()
	if last, shut := g.shutIdle(time.Now(), time.Time{}); shut || last.Before(opened) {
		t.Error("shut with a lease out")
	}
	g.Release()
	if g.LastUse().Before(opened) {
		t.Error("the release is no use")
	}
	g.AcquirePassive()
	if _, shut := g.shutIdle(time.Now(), time.Time{}); !shut {
		t.Error("a passive lease held it up")
	}
	g.ReleasePassive()
	if g.Acquire() {
		t.Error("admitted after shut")
	}
}

func TestGateIsNotIdleBeforeWhoIsExpectedHasCome(t *testing.T) {
	g := NewGate(1, "")
	g.Open()
	let := g.LastUse()
	if _, shut := g.shutIdle(time.Now(), let); shut {
		t.Fatal("shut before anybody came through")
	}
	g.AcquirePassive()
	g.ReleasePassive()
	if _, shut := g.shutIdle(time.Now(), let); shut {
		t.Fatal("shut, and only somebody came who was not waited for")
	}
	g.Acquire()
	g.Release()
	if _, shut := g.shutIdle(time.Now(), let); !shut {
		t.Error("not shut after somebody came through")
	}
}

func TestGateRelax(t *testing.T) {
	told := 0
	g := NewGate(1, "")
	g.drained = func() { told++ }
	g.Open()
	g.Acquire()
	g.Acquire()
	before := time.Now()
	g.Relax()
	if h, p := g.Counts(); h != 1 || p != 1 {
		t.Fatalf("counts are %d, %d", h, p)
	}
	if g.LastUse().Before(before) {
		t.Error("it was no use")
	}
	if g.Shut() || told != 0 {
		t.Error("drained with a lease out")
	}
	g.Relax() // the last one that held it up
	if told != 1 || !g.isDrained() {
		t.Errorf("told %d times", told)
	}
	g.ReleasePassive()
	g.ReleasePassive()
	if h, p := g.Counts(); h != 0 || p != 0 || told != 1 {
		t.Errorf("counts are %d, %d; told %d times", h, p, told)
	}
}

func TestGateReopensIfUsedWhileItWasShutForIdleness(t *testing.T) {
	g := NewGate(1, "")
	g.Open()
	last := g.lastUse.Load()
	g.Acquire()
	g.Release() // between the look at the last use and the compare-and-swap
	g.Shut()
	if used, shut := g.confirm(last); shut || !g.isOpen() || !used.Equal(g.LastUse()) {
		t.Error("shut although it was used meanwhile")
	}
}

func TestReleaseTwicePanics(t *testing.T) {
	for name, c := range map[string]struct{ release func(*Gate) }{
		"holding": {(*Gate).Release},
		"passive": {(*Gate).ReleasePassive},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewGate(1, "")
			g.Open()
			defer func() {
				if recover() == nil {
					t.Error("a second release did not panic")
				}
			}()
			c.release(g)
		})
	}
}

// TestGateUnderUse has many clients race with an owner who shuts for idleness
// and opens again, and at last shuts by order.
func TestGateUnderUse(t *testing.T) {
	var told atomic.Int32
	drained := make(chan struct{}, 100)
	g := NewGate(1, "")
	g.drained = func() { told.Add(1); drained <- struct{}{} }
	g.Open()

	var asleep, stop atomic.Bool // asleep: the owner believes that nobody is in
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for !stop.Load() {
				if !g.Acquire() {
					continue
				}
				if asleep.Load() {
					t.Error("admitted after a shut that stuck")
				}
				g.Release()
			}
		})
		clients.Go(func() {
			for !stop.Load() {
				if g.AcquirePassive() {
					g.ReleasePassive()
				}
			}
		})
	}
	shuts, tries := 0, 0
	for ; shuts < 200 && tries < 1_000_000; tries++ {
		since := time.Now()
		if _, shut := g.shutIdle(since, time.Time{}); shut {
			shuts++
			if g.LastUse().After(since) {
				t.Error("shut for idleness although it was used meanwhile")
			}
			asleep.Store(true)
			asleep.Store(false)
			g.Open()
		}
	}
	t.Logf("%d shuts in %d tries", shuts, tries)
	if told.Load() != 0 {
		t.Errorf("a shut for idleness told drained %d times", told.Load())
	}
	if !g.Shut() {
		<-drained
	}
	asleep.Store(true)
	stop.Store(true)
	clients.Wait()
	if h, p := g.Counts(); h != 0 || p != 0 || told.Load() > 1 {
		t.Errorf("leases out: %d, %d; told %d times", h, p, told.Load())
	}
}

// TestShutIsDrainedOnce shuts gates that are in use: exactly one of Shut and
// the last Release says that it is empty.
func TestShutIsDrainedOnce(t *testing.T) {
	for range 2000 {
		var told atomic.Int32
		g := NewGate(1, "")
		g.drained = func() { told.Add(1) }
		g.Open()
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for g.Acquire() {
					g.Release()
				}
			})
		}
		if g.Shut() {
			told.Add(1)
		}
		clients.Wait()
		if told.Load() != 1 {
			t.Fatalf("told %d times", told.Load())
		}
	}
}

func TestGateAllocatesNothing(t *testing.T) {
	g := NewGate(1, "")
	g.Open()
	if n := testing.AllocsPerRun(1000, func() { g.Acquire(); g.Release() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGate(b *testing.B) {
	g := NewGate(1, "")
	g.Open()
	b.ReportAllocs()
	for b.Loop() {
		g.Acquire()
		g.Release()
	}
}

func BenchmarkGateParallel(b *testing.B) {
	g := NewGate(1, "")
	g.Open()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			g.Acquire()
			g.Release()
		}
	})
}

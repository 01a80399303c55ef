package netio

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestWheelFiresInTime walks a wheel at random against a plain list of deadlines: none may fire early, none may be more
// than a tick and a step late, none may be lost, and one that was taken back must not fire.
func TestWheelFiresInTime(t *testing.T) {
	const tick = 1 << tickShift
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var w wheel
	timers := make([]*timer, 200)
	want := make(map[*timer]int64)
	for i := range timers {
		timers[i] = &timer{owner: &conn{fd: i}}
	}
	now, slept := int64(time.Second), int64(0)
	for range 20_000 {
		tm := timers[r.IntN(len(timers))]
		switch r.IntN(4) {
		case 0:
			w.set(tm, 0)
			delete(want, tm)
		case 1:
			w.remove(tm)
			delete(want, tm)
		default:
			at := now + r.Int64N(int64(3*time.Second)<<(r.IntN(8)))
			w.set(tm, at)
			want[tm] = at
		}
		if next := w.wait(now); next < 0 && len(want) > 0 {
			t.Fatalf("seed %d: the wheel sleeps for ever with %d deadlines ahead", seed, len(want))
		}
		slept = r.Int64N(int64(time.Second))
		now += slept
		for fired := w.due(now); fired != nil; fired = w.due(now) {
			at, ok := want[fired]
			if !ok || at > now {
				t.Fatalf("seed %d: a timer for %d fired at %d (set: %v)", seed, at, now, ok)
			}
			delete(want, fired)
		}
		for _, at := range want {
			if now-at > 2*tick {
				t.Fatalf("seed %d: a timer for %d has not fired at %d", seed, at, now)
			}
		}
	}
}

// TestWheelSleepsToTheSlot checks that the loop is woken for a deadline by the wheel alone.
func TestWheelSleepsToTheSlot(t *testing.T) {
	for _, after := range []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour} {
		var w wheel
		now := int64(time.Second)
		deadline := now + int64(after)
		w.due(now)
		w.set(&timer{owner: &conn{}}, deadline)
		wakes := 0
		for w.due(now) == nil {
			wakes++
			wait := w.wait(now)
			if wait <= 0 {
				t.Fatalf("%v: the wheel does not sleep", after)
			}
			now += wait
		}
		if now < deadline || now > deadline+2<<tickShift {
			t.Errorf("%v: it fired %v after the deadline", after, time.Duration(now-deadline))
		}
		if limit := 2 + int(after/(7*time.Second)); wakes > limit {
			t.Errorf("%v: the loop was woken %d times", after, wakes)
		}
	}
}

// BenchmarkWheel has a thousand connections with an idle deadline each: one of them gets another, nearer or later one, and
// the loop looks at what is due.
func BenchmarkWheel(b *testing.B) {
	var w wheel
	timers := make([]timer, 1000)
	now := int64(time.Second)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now += int64(10 * time.Microsecond)
		t := &timers[i%len(timers)]
		w.set(t, now+int64(10*time.Millisecond)<<(i%8))
		if i%16 == 0 {
			w.remove(t)
		}
		for w.due(now) != nil {
		}
	}
}

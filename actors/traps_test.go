package actors

import (
	"slices"
	"testing"
	"time"
)

// The mistakes that people made before, one test each.

func find[E Effect](effects []Effect) (found E, ok bool) {
	for _, e := range effects {
		if e, is := e.(E); is {
			return e, true
		}
	}
	return found, false
}

func has[E Effect](effects []Effect) bool {
	_, ok := find[E](effects)
	return ok
}

func (p *play) expect(t *testing.T, want State) {
	t.Helper()
	if p.state != want {
		t.Fatalf("the service is %v, not %v", p.state, want)
	}
}

func TestStartTimeoutLeavesNoProcessBesideTheNext(t *testing.T) {
	p := newPlay()
	p.acquire("first")
	p.launched()
	effects := p.after(30 * time.Second).probeFailed()
	p.expect(t, StateStopping)
	if refusal, ok := find[Refuse](effects); !ok || refusal.Refusal.Reason != StartTimeout {
		t.Error("the request that waited was not told of the timeout")
	}
	if !has[Term](effects) {
		t.Error("the old process was not told to end")
	}
	if has[Launch](p.acquire("second")) {
		t.Fatal("a second process was launched beside the first")
	}
	if !has[Kill](p.after(10 * time.Second).fired()) {
		t.Error("a process that does not end was not killed")
	}
	if !has[Launch](p.exited()) {
		t.Error("once the old process was gone, the second request did not start the next")
	}
}

func TestIdleTimerArmedBeforeARequestThatFiresAfterIt(t *testing.T) {
	p := newPlay()
	p.up()
	lastUse := p.after(4 * time.Minute).now
	shut, ok := find[Shut](p.after(time.Minute).fired())
	if !ok || !shut.UnusedSince.Equal(p.now.Add(-5*time.Minute)) {
		t.Fatal("the timer did not try the gate")
	}
	armed, ok := find[Arm](p.Step(InUse{p.fact(), lastUse}))
	if !ok || !armed.At.Equal(lastUse.Add(5*time.Minute)) {
		t.Fatal("the timer was not set anew, from the last use")
	}
	p.expect(t, StateReady)
}

func TestARunIsNotIdleBeforeItsFirstRequestHasComeThrough(t *testing.T) {
	const idle = 100 * time.Millisecond
	p := newPlay()
	p.limits.IdleTimeout = idle
	p.up()
	granted := p.now
	shut, _ := find[Shut](p.after(idle).fired())
	if !shut.Expected.Equal(granted) {
		t.Fatal("the gate is tried although the request that was granted has not come through")
	}
	if armed, ok := find[Arm](p.Step(InUse{p.fact(), granted})); !ok || armed.At.Sub(p.now) != idle {
		t.Error("it is not looked at again soon")
	}
	came := p.after(idle / 2).now
	p.after(idle / 2).fired()
	if armed, ok := find[Arm](p.Step(InUse{p.fact(), came})); !ok || !armed.At.Equal(came.Add(idle)) {
		t.Error("once it has come through the idle clock does not run from its end")
	}
	if shut, ok := find[Shut](p.after(idle / 2).fired()); !ok || !shut.Expected.IsZero() {
		t.Error("somebody is still expected")
	}
}

func TestARunThatNobodyComesToIsIdleAfterASecond(t *testing.T) {
	p := newPlay()
	p.limits.IdleTimeout = 300 * time.Millisecond
	p.up()
	granted := p.now
	for range 3 {
		if shut, ok := find[Shut](p.after(300 * time.Millisecond).fired()); !ok || shut.Expected.IsZero() {
			t.Fatal("nobody is expected any longer")
		}
		p.Step(InUse{p.fact(), granted})
	}
	if shut, ok := find[Shut](p.after(100 * time.Millisecond).fired()); !ok || !shut.Expected.IsZero() {
		t.Error("a second later somebody is still expected")
	}
	p = newPlay()
	p.limits.IdleTimeout = 300 * time.Millisecond
	p.Step(Start{somebody("operator"), p.now})
	p.launched()
	p.passed()
	if shut, ok := find[Shut](p.after(300 * time.Millisecond).fired()); !ok || !shut.Expected.IsZero() {
		t.Error("an operator's start lets no request in, and one is expected")
	}
}

func TestMinUptimeHoldsOffTheIdleStopAlone(t *testing.T) {
	p := newPlay()
	p.limits.MinUptime = time.Hour
	p.acquire("first")
	p.launched()
	armed, ok := find[Arm](p.passed())
	if !ok || armed.At.Sub(p.now) != time.Hour {
		t.Fatalf("the timer is set for %v", armed.At.Sub(p.now))
	}
	ready := p.now
	p.after(time.Hour).fired()
	lastUse := p.now.Add(-time.Minute)
	if armed, ok := find[Arm](p.Step(InUse{p.fact(), lastUse})); !ok || !armed.At.Equal(lastUse.Add(5*time.Minute)) {
		t.Error("after the hour the idle timeout is not what counts")
	}
	p.now = ready
	p.stop(false)
	p.expect(t, StateDraining)

	p = newPlay()
	p.limits.MinUptime = 3 * time.Hour
	p.adopt(time.Hour) // ready for two hours
	if armed, ok := find[Arm](p.passed()); !ok || armed.At.Sub(p.now) != time.Hour {
		t.Error("the time under an earlier engine does not count")
	}
}

func TestExitWhileDrainingIsNoFailure(t *testing.T) {
	p := newPlay()
	p.up()
	p.stop(false)
	p.expect(t, StateDraining)
	if grant, ok := find[Grant](p.exited()); !ok || grant.Waiter != somebody("stopper") {
		t.Error("whoever stopped it was not told that it is down")
	}
	p.expect(t, StateStopped)
	if p.Failures != 0 {
		t.Error("the exit was counted as a failure")
	}
}

func TestSecondStopJoinsTheFirstAndLeavesNobodyParked(t *testing.T) {
	p := newPlay()
	p.up()
	p.stop(false)
	p.drained()
	p.acquire("request")
	effects := p.Step(Stop{somebody("second"), true, p.now})
	if refusal, ok := find[Refuse](effects); !ok || refusal.Waiter != somebody("request") || refusal.Refusal.Reason != Held {
		t.Error("the request stays parked for a next run that is not to come")
	}
	if has[Term](effects) {
		t.Error("the service was stopped twice")
	}
	granted := p.exited()
	for _, w := range []somebody{"stopper", "second"} {
		if !slices.Contains(granted, Effect(Grant{w})) {
			t.Errorf("%s was not told that it is down", w)
		}
	}
}

func TestFailedStartsArmTheBackoff(t *testing.T) {
	p := newPlay()
	p.failStart()
	if !has[Launch](p.acquire("again")) {
		t.Fatal("after a first failure the next request did not try at once")
	}
	p.launched()
	p.exited()
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		want *= time.Second
		refusal, ok := find[Refuse](p.acquire("early"))
		if !ok || refusal.Refusal.Reason != Backoff || refusal.Refusal.RetryAfter != want {
			t.Fatalf("want a backoff of %v, got %+v", want, refusal)
		}
		if has[Launch](p.after(want - 1).acquire("early")) {
			t.Fatalf("started within the backoff of %v", want)
		}
		if !has[Launch](p.after(1).acquire("in time")) {
			t.Fatalf("not started after the backoff of %v", want)
		}
		p.launched()
		p.exited()
	}
}

func TestAMinuteOfReadyResetsTheBackoff(t *testing.T) {
	p := newPlay()
	p.failStart()
	p.up()
	p.after(time.Minute).exited()
	p.expect(t, StateStopped)
	p.failStart()
	p.expect(t, StateFailed)
	if !has[Launch](p.acquire("next")) {
		t.Error("a failure before the minute still counts")
	}
}

func TestRequestWhileStoppingStartsTheNextRun(t *testing.T) {
	p := newPlay()
	p.up()
	p.after(5 * time.Minute).fired()
	p.drained()
	p.expect(t, StateStopping)
	if effects := p.acquire("request"); len(effects) != 0 {
		t.Fatalf("the request was not parked: %v", effects)
	}
	if launch, ok := find[Launch](p.exited()); !ok || launch.Run != 2 {
		t.Fatal("the exit did not start the next run")
	}
	p.launched()
	if grant, ok := find[Grant](p.passed()); !ok || grant.Waiter != somebody("request") {
		t.Error("the next run did not serve the request")
	}
}

func TestRequestsDoNotCancelAStop(t *testing.T) {
	p := newPlay()
	p.up()
	p.stop(false)
	p.acquire("request")
	p.expect(t, StateDraining)
	if !has[Term](p.drained()) {
		t.Error("a busy service cannot be stopped")
	}
}

func TestStartGoesOnWhenNobodyWaitsAnyLonger(t *testing.T) {
	p := newPlay()
	p.acquire("request")
	p.Step(Cancel{somebody("request"), p.now})
	p.launched()
	if has[Grant](p.passed()) {
		t.Error("somebody who had left was answered")
	}
	p.expect(t, StateReady)
}

func TestFailedStopIsNeverShownAsStoppedAndIsTriedAgain(t *testing.T) {
	p := newPlay()
	p.up()
	p.stop(false)
	p.drained()
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		armed, ok := find[Arm](p.stillUp())
		p.expect(t, StateFailed)
		if !ok || armed.At.Sub(p.now) != wait*time.Second {
			t.Fatalf("want the next try in %d s", wait)
		}
		p.after(wait * time.Second)
		if !has[Term](p.fired()) {
			t.Fatal("the stop was not tried again")
		}
	}
	p.exited()
	p.expect(t, StateStopped)
}

func TestOrderedStartNeedNotWaitForABackoff(t *testing.T) {
	p := newPlay()
	p.failStart()
	p.acquire("first")
	p.launched()
	p.after(30 * time.Second).probeFailed()
	p.Step(Start{somebody("operator"), p.now})
	if !has[Launch](p.exited()) {
		t.Error("the order was refused for the backoff of requests")
	}
}

func TestAStartThatWaitsForItsTurnIsNotTimed(t *testing.T) {
	p := newPlay()
	p.busy = "its turn to start"
	if effects := p.acquire("first"); has[Launch](effects) || has[Arm](effects) {
		t.Fatalf("it did not wait: %v", effects)
	}
	p.expect(t, StateStarting)
	if p.last().Run != 0 {
		t.Error("a later engine would look for what was never launched")
	}
	p.acquire("second")
	effects := p.after(time.Hour).turnCame()
	if armed, ok := find[Arm](effects); !has[Launch](effects) || !ok || armed.At.Sub(p.now) != 30*time.Second+launchGrace {
		t.Errorf("an hour later its turn came: %v", effects)
	}
	if has[Launch](p.turnCame()) {
		t.Error("it was launched twice")
	}
	if probe, ok := find[Probe](p.after(time.Second).launched()); !ok || probe.Until.Sub(p.now) != 30*time.Second {
		t.Error("the time for the start did not begin at the launch")
	}
	if p.StartCount != 1 {
		t.Errorf("%d starts were counted", p.StartCount)
	}
}

func TestAStopOfAStartThatWaitsForItsTurnHasNothingToStop(t *testing.T) {
	p := newPlay()
	p.busy = "its turn to start"
	p.acquire("request")
	if effects := p.stop(false); has[Term](effects) || !has[Withdraw](effects) {
		t.Errorf("the effects of the stop are %v", effects)
	}
	effects := p.exited()
	p.expect(t, StateStopped)
	if !slices.Contains(effects, Effect(Grant{somebody("stopper")})) {
		t.Errorf("the effects are %v", effects)
	}
	if has[Launch](p.Step(TurnCame{Fact{1, p.now}, ""})) || p.StartCount != 0 {
		t.Error("it was started all the same")
	}
}

func TestListensAndDiesIsAFailedStart(t *testing.T) {
	p := newPlay()
	p.up()
	p.after(settled - 1).exited()
	p.expect(t, StateFailed)
	p.up()
	p.after(settled).exited()
	p.expect(t, StateStopped)
}

func TestFactsOfAnEarlierLifeAreDropped(t *testing.T) {
	for _, c := range conditions {
		p := newPlay()
		c.story(p)
		older := Fact{p.run - 1, p.now}
		if p.run == 0 {
			older.Run = p.LastRun
		}
		for _, e := range []Event{
			Queued{older, "x"}, TurnCame{older, "x"}, Lacking{older, Refusal{Reason: StartFailed}}, Launched{older, 1}, Returned{older},
			ProbePassed{older, "x", p.now}, ProbeFailed{older, "x", false}, Exited{older, "x"},
			StillUp{older, "x"}, Drained{older}, InUse{older, p.now}, Served{older, p.now, p.now, p.now},
			TimerFired{p.timer - 1, p.now}, TimerFired{p.LastSeq + 1, p.now},
		} {
			before := *p.Machine
			if effects := p.Step(e); len(effects) != 0 || p.state != before.state || p.run != before.run || p.timer != before.timer {
				t.Errorf("%s: %#v was not dropped: %v", c.name, e, effects)
			}
		}
	}
}

func TestStepsAllocateLittle(t *testing.T) {
	p := newPlay()
	p.up()
	request := Event(Acquire{somebody("x"), p.now})
	if n := testing.AllocsPerRun(1000, func() { p.Step(request) }); n > 1 {
		t.Errorf("%v allocations for a step with one effect", n)
	}
}

func TestStopThatFailsLaterThanItWasWaitedForBeginsAnew(t *testing.T) {
	p := newPlay()
	p.up()
	p.stop(false)
	p.drained()
	p.after(10 * time.Second).fired()
	p.after(killGrace).fired()
	p.expect(t, StateFailed)
	p.after(time.Second).stillUp()
	effects := p.after(time.Minute).fired()
	p.expect(t, StateStopping)
	if !has[Term](effects) {
		t.Errorf("its stop has ended, and no other one is begun: %v", effects)
	}
}

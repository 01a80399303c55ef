package actors

import (
	"reflect"
	"testing"
	"time"

	"dynapm/actors/keeper"
)

// nextEngine is the machine of an engine that begins after a while, and finds a
// process of the run or not.
func (p *play) nextEngine(away time.Duration, found bool) (*play, []Effect) {
	next := &play{now: p.now.Add(away)}
	spec := Spec{Address: "127.0.0.1:80", Last: p.last().asOf(next.now)}
	if found && p.run != 0 {
		spec.Found = &keeper.Process{Run: uint64(p.run), Pid: p.pid}
	}
	next.Machine = NewMachine(testLimits, spec.Last.Memory)
	if e := spec.leftover(next.now); e != nil {
		return next, next.Step(e)
	}
	return next, nil
}

func TestLeftover(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	used := now.Add(-time.Minute)
	found := &keeper.Process{Run: 7, Pid: 107}
	newer := &keeper.Process{Run: 8, Pid: 108}
	known := func(s State, r Run) *Last {
		return &Last{State: s, Run: r, Reason: "why", Since: now.Add(-time.Hour), LastUse: used, Address: "127.0.0.1:80", Memory: Memory{LastRun: 7}}
	}
	half := known(StateStarting, 7)
	half.Memory.LastStart.Accepted = now.Add(-time.Second)
	adopt := func(reason string, ending bool, pid int) Event {
		return Adopt{Run: 7, Pid: pid, Ending: ending, Address: "127.0.0.1:80", LastUse: used, Reason: reason, At: now}
	}
	for name, c := range map[string]struct {
		last  *Last
		found *keeper.Process
		want  Event
	}{
		"nothing":                       {nil, nil, nil},
		"a process and no record":       {nil, found, Adopt{Run: 7, Pid: 107, Reason: "found running", At: now}},
		"stopped":                       {known(StateStopped, 0), nil, Recall{false, "why", now.Add(-time.Hour), now}},
		"stopped, a process of later":   {known(StateStopped, 0), newer, Adopt{Run: 8, Pid: 108, Reason: "found running", At: now}},
		"ready, a process of later":     {known(StateReady, 7), newer, Adopt{Run: 8, Pid: 108, Reason: "found running", At: now}},
		"stopping, a process of later":  {known(StateStopping, 7), newer, Adopt{Run: 8, Pid: 108, Reason: "found running", At: now}},
		"ready":                         {known(StateReady, 7), found, adopt("found running", false, 107)},
		"ready, no process":             {known(StateReady, 7), nil, adopt("it was ready when the engine ended", false, 0)},
		"draining":                      {known(StateDraining, 7), found, adopt("its stop was not finished", true, 107)},
		"stopping":                      {known(StateStopping, 7), found, adopt("its stop was not finished", true, 107)},
		"stopping, no process":          {known(StateStopping, 7), nil, adopt("its stop was not finished", true, 0)},
		"failed to stop":                {known(StateFailed, 7), found, adopt("its stop was not finished", true, 107)},
		"failed to stop, no process":    {known(StateFailed, 7), nil, adopt("its stop was not finished", true, 0)},
		"failed to start":               {known(StateFailed, 0), nil, Recall{true, "why", now.Add(-time.Hour), now}},
		"failed, and began after it":    {known(StateFailed, 0), newer, Adopt{Run: 8, Pid: 108, Reason: "found running", At: now}},
		"half started since its use":    {half, nil, Adopt{Run: 7, Began: now.Add(-time.Hour), Address: "127.0.0.1:80", LastUse: now.Add(-time.Second), Reason: "it was starting when the engine ended", At: now}},
		"ready, without a run (broken)": {known(StateReady, 0), nil, nil},
	} {
		spec := Spec{Address: "localhost:80", Last: c.last, Found: c.found}
		if got := spec.leftover(now); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
	moved := Spec{Address: "localhost:81", Last: known(StateReady, 7), Found: found}
	if e, ok := moved.leftover(now).(Adopt); !ok || !e.Ending || e.Reason != "it is at 127.0.0.1:80, and is to be at localhost:81" {
		t.Errorf("at another address than it is to be: %+v", e)
	}
}

func TestAddressesThatHaveMoved(t *testing.T) {
	for _, c := range []struct {
		was, is string
		want    bool
	}{
		{"", "localhost:80", false},
		{"127.0.0.1:80", "localhost:80", false},
		{"[::1]:80", "localhost:80", false},
		{"[::1]:80", "localhost:81", true},
		{"unix:/run/a", "unix:/run/a", false},
		{"unix:/run/a", "unix:/run/b", true},
		{"127.0.0.1:80", "unix:/run/a", true},
	} {
		if got := moved(c.was, c.is); got != c.want {
			t.Errorf("from %q to %q: %v", c.was, c.is, got)
		}
	}
}

func TestLastIsTakenAsOfNow(t *testing.T) {
	now := time.Now()
	ahead := Last{Since: now.Add(time.Hour), LastUse: now.Add(time.Hour), ReadySince: now.Add(time.Hour), Memory: Memory{Retiring: true, Held: true}}
	l := ahead.asOf(now)
	if !l.Since.Equal(now) || !l.LastUse.Equal(now) || !l.ReadySince.Equal(now) || l.Memory.Retiring || !l.Memory.Held || !ahead.Memory.Retiring {
		t.Errorf("%+v", l)
	}
	if l := (Last{}).asOf(now); !reflect.DeepEqual(*l, Last{}) {
		t.Errorf("of nothing: %+v", l)
	}
}

func TestIdleTimeThatRanOutWhileTheEngineWasAway(t *testing.T) {
	p := newPlay()
	p.up()
	used := p.now
	p, _ = p.nextEngine(time.Hour, true)
	p.before.lastUse = used // as the gate told
	effects := p.passed()
	p.expect(t, StateReady)
	if open, ok := find[Open](effects); !ok || !open.LastUse.Equal(used) {
		t.Errorf("the gate does not know the last use: %+v", open)
	}
	if armed, ok := find[Arm](effects); !ok || armed.At.After(p.now) {
		t.Fatal("it does not sleep at once")
	}
	if shut, ok := find[Shut](p.fired()); !ok || shut.UnusedSince.Before(used) {
		t.Error("the gate would not shut")
	}
}

func TestIdleTimeThatRanOutAndARequestWaits(t *testing.T) {
	p := newPlay()
	p.up()
	p, _ = p.nextEngine(time.Hour, true)
	p.acquire("request")
	effects := p.passed()
	if open, ok := find[Open](effects); !ok || !open.LastUse.Equal(p.now) {
		t.Errorf("the gate would shut before the request has come through it: %+v", open)
	}
	if armed, ok := find[Arm](effects); !ok || !armed.At.Equal(p.now.Add(5*time.Minute)) {
		t.Error("the idle clock does not start with the request")
	}
}

func TestHalfStoppedIsFinished(t *testing.T) {
	for name, story := range map[string]func(p *play){
		"draining":        func(p *play) { p.up(); p.stop(false) },
		"stopping":        func(p *play) { p.up(); p.stop(false); p.drained() },
		"failed to stop":  func(p *play) { p.up(); p.stop(false); p.drained(); p.stillUp() },
		"stop of a start": func(p *play) { p.acquire("waiter"); p.launched(); p.stop(false) },
		"start that timed out": func(p *play) {
			p.acquire("waiter")
			p.launched()
			p.after(30 * time.Second).probeFailed()
		},
	} {
		p := newPlay()
		story(p)
		p, effects := p.nextEngine(time.Second, true)
		if p.state != StateStopping || !has[Term](effects) || has[Verify](effects) {
			t.Errorf("%s: the service is %v after %v", name, p.state, effects)
		}
		p.acquire("request")
		if launch, ok := find[Launch](p.exited()); !ok || launch.Run != 2 {
			t.Errorf("%s: the next run is not begun once it is gone: %+v", name, launch)
		}
	}
}

func TestRunNumbersGoOn(t *testing.T) {
	p := newPlay()
	p.up()
	p.after(time.Minute).exited()
	p.failStart()
	p, _ = p.nextEngine(time.Hour, false)
	if launch, ok := find[Launch](p.acquire("request")); !ok || launch.Run != 3 || p.StartCount != 3 {
		t.Errorf("%+v, start %d", launch, p.StartCount)
	}
}

func TestBackoffSurvivesTheEngine(t *testing.T) {
	p := newPlay()
	for range 4 {
		p.failStart()
		p.after(p.RetryAt.Sub(p.now))
	}
	p.failStart() // 8 s
	p, _ = p.nextEngine(3*time.Second, false)
	p.expect(t, StateFailed)
	if p.reason != "exit status 1" {
		t.Errorf("failed because of %q", p.reason)
	}
	if refusal, ok := find[Refuse](p.acquire("early")); !ok || refusal.Refusal.Reason != Backoff || refusal.Refusal.RetryAfter != 5*time.Second {
		t.Errorf("answered %+v", refusal)
	}
	p, _ = p.nextEngine(5*time.Second, false)
	if !has[Launch](p.acquire("in time")) {
		t.Fatal("not started after the backoff")
	}
	p.launched()
	p.exited()
	if wait := p.RetryAt.Sub(p.now); wait != 16*time.Second {
		t.Errorf("the next backoff is %v", wait)
	}
}

func TestSinceWhenAndWhySurviveTheEngine(t *testing.T) {
	for name, story := range map[string]func(p *play){
		"stopped": func(p *play) { p.up(); p.after(time.Hour).exited() },
		"failed":  func(p *play) { p.failStart() },
		"ready":   func(p *play) { p.up() },
	} {
		p := newPlay()
		story(p)
		before := p.status(p.now)
		for range 2 {
			p, _ = p.nextEngine(time.Hour, true)
			if before.State == StateReady {
				p.passed()
			}
			if is := p.status(p.now); is.State != before.State || is.Reason != before.Reason || !is.Since.Equal(before.Since) {
				t.Errorf("%s: was %v since %v, %q\nand is %v since %v, %q", name, before.State, before.Since, before.Reason, is.State, is.Since, is.Reason)
			}
		}
	}
}

func TestHoldSurvivesTheEngine(t *testing.T) {
	p := newPlay()
	p.up()
	p.stop(true)
	half, effects := p.nextEngine(time.Second, true)
	if half.state != StateStopping || !has[Term](effects) {
		t.Errorf("held down and found running: %v, %v", half.state, effects)
	}
	p.drained()
	p.exited()
	p, _ = p.nextEngine(time.Hour, false)
	if refusal, ok := find[Refuse](p.acquire("request")); !ok || refusal.Refusal.Reason != Held {
		t.Errorf("answered %+v", refusal)
	}
}

func TestHalfStartedMayComeYet(t *testing.T) {
	p := newPlay()
	p.acquire("request")
	for away, want := range map[time.Duration]time.Duration{
		10 * time.Second: 20 * time.Second, time.Hour: 30*time.Second - time.Hour, -time.Hour: 30 * time.Second,
	} {
		next, effects := p.nextEngine(away, false)
		if verify, ok := find[Verify](effects); !ok || verify.Coming.Sub(next.now) != want {
			t.Errorf("after %v it may come for %v", away, verify.Coming.Sub(next.now))
		}
	}
	late := newPlay()
	late.busy = "its turn to start"
	late.acquire("request")
	late.after(time.Hour).turnCame()
	if verify, ok := find[Verify](second(late.nextEngine(10*time.Second, false))); !ok || verify.Coming.Sub(late.now) != 30*time.Second {
		t.Errorf("one that waited an hour for its turn may come until %v", verify.Coming)
	}
	p.launched()
	p.passed()
	if verify, ok := find[Verify](second(p.nextEngine(time.Second, false))); !ok || !verify.Coming.IsZero() {
		t.Errorf("one that was ready may come until %v", verify.Coming)
	}
}

func second(_ *play, effects []Effect) []Effect { return effects }

func TestUptimeGoesOnOverEngines(t *testing.T) {
	p := newPlay()
	p.up()
	ready := p.now
	p, _ = p.after(time.Minute).nextEngine(time.Minute, true)
	p, _ = p.nextEngine(time.Minute, true) // killed while it verified
	p.passed()
	if !p.readySince.Equal(ready) {
		t.Errorf("ready since %v, not %v", p.readySince, ready)
	}
	if !p.LastStart.Ready.Equal(ready) || p.StartCount != 1 {
		t.Errorf("its start is told anew: %+v", p.LastStart)
	}
	p.stop(false)
	p.drained()
	p, _ = p.nextEngine(time.Minute, true) // killed while it stopped
	p.exited()
	if p.TotalUptime != 3*time.Minute {
		t.Errorf("ready for %v", p.TotalUptime)
	}
}

// TestFirstByteCompletesTheClock: it is that of the first request that waited for the start, and of no later one.
func TestFirstByteCompletesTheClock(t *testing.T) {
	p := newPlay()
	p.up()
	copied, asked, ready := p.Memory, p.LastStart.Accepted, p.now
	connected, first := p.after(time.Millisecond).now, p.after(time.Millisecond).now
	served := func(accepted time.Time) []Effect { return p.Step(Served{p.fact(), accepted, connected, first}) }
	if effects := served(first); len(effects) != 0 {
		t.Errorf("a request that came when it was ready is told of: %v", effects)
	}
	effects := served(asked)
	want := StartClock{Accepted: asked, Launched: ready, Listening: ready, Ready: ready, Connected: connected, FirstByte: first}
	if r, ok := effects[0].(Record); !ok || !r.Aside || r.LastStart != want || r.RecentStarts[0].Clock != want {
		t.Errorf("got %+v", effects[0])
	}
	if !copied.RecentStarts[0].Clock.FirstByte.IsZero() {
		t.Error("a copy was changed")
	}
	if effects := served(asked); len(effects) != 0 {
		t.Errorf("the second of those who waited is told of: %v", effects)
	}
}

func TestRecentStarts(t *testing.T) {
	p := newPlay()
	stories := []struct {
		want Outcome
		tell func()
	}{
		{OutcomeReady, func() { p.up(); p.after(time.Minute).exited() }},
		{OutcomeFailed, func() { p.failStart() }},
		{OutcomeTimeout, func() { p.acquire("x"); p.launched(); p.probeFailed(); p.exited() }},
		{OutcomeInterrupted, func() { p.acquire("x"); p.launched(); p.stop(false); p.exited() }},
		{OutcomeFailed, func() { p.acquire("x"); p.Step(Panicked{"oops", p.now}); p.exited() }},
		{OutcomeLost, func() { p.acquire("x"); p, _ = p.nextEngine(time.Second, false); p.exited() }},
		{OutcomeReady, func() {
			p.acquire("x")
			p, _ = p.nextEngine(time.Second, true)
			p.passed()
			p.after(time.Minute).exited()
		}},
		{OutcomeReady, func() { p.up(); p.after(time.Minute); p, _ = p.nextEngine(time.Second, true); p.passed(); p.exited() }},
	}
	var want []Outcome
	for round := range 3 {
		for _, s := range stories {
			p.after(time.Hour)
			copied := p.Memory
			before := append([]PastStart{}, copied.RecentStarts...)
			s.tell()
			want = append(want, s.want)
			if !reflect.DeepEqual(append([]PastStart{}, copied.RecentStarts...), before) {
				t.Fatal("a copy was changed")
			}
			past := p.RecentStarts
			if last := past[len(past)-1]; last.Run != p.LastRun || last.Outcome != s.want || last.Clock.Accepted.IsZero() {
				t.Errorf("round %d: %+v, want %s of run %d", round, last, s.want, p.LastRun)
			}
		}
	}
	want = want[len(want)-recentStarts:]
	if len(p.RecentStarts) != recentStarts {
		t.Fatalf("%d are kept", len(p.RecentStarts))
	}
	for i, s := range p.RecentStarts {
		if s.Outcome != want[i] {
			t.Errorf("%d: %s, not %s", i, s.Outcome, want[i])
		}
	}
}

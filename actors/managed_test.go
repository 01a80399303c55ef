package actors

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

func TestRequestWakesTheService(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	v := h.system.Spawn(h.spec(address, self("serve", address)...))
	if v.Acquire() != nil {
		t.Fatal("the gate of a service that never ran is open")
	}
	g := h.wake(v)
	if g.Address() != address || g.Run() != 1 {
		t.Errorf("run %d at %s", g.Run(), g.Address())
	}
	pid := askPid(t, address)
	g.Release()
	s := h.status(v)
	if s.State != StateReady || s.Pid != pid || s.Run != 1 || s.StartCount != 1 || s.Name != "blog" || s.ReadySince.IsZero() {
		t.Errorf("status %+v of pid %d", s, pid)
	}
	c := s.LastStart
	if c.Accepted.IsZero() || c.Launched.Before(c.Accepted) || c.Listening.Before(c.Launched) || c.Ready.Before(c.Listening) {
		t.Errorf("the clock of the start runs backwards: %+v", c)
	}
	if err := v.Start(h.soon()); !errors.Is(err, ErrAlreadyUp) {
		t.Errorf("a second start: %v", err)
	}
	if err := v.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("it is said to be down, and lives")
	}
	if err := v.Stop(h.soon(), false); !errors.Is(err, ErrNotUp) {
		t.Errorf("a second stop: %v", err)
	}
	if v.Acquire() != nil {
		t.Error("the gate of a stopped service is open")
	}
}

func TestFiftyRequestsMakeOneStart(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	v := h.system.Spawn(h.spec(address, self("serve", address)...))
	var requests []*request
	for range 50 {
		r := newRequest()
		requests = append(requests, r)
		go v.Wait(r)
	}
	for _, r := range requests {
		if refusal := h.answer(r); refusal != nil {
			t.Fatal(refusal)
		}
	}
	if n := h.status(v).StartCount; n != 1 {
		t.Errorf("%d starts", n)
	}
}

func TestIdleServiceSleepsAndALeaseHoldsItUp(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("serve", address)...)
	spec.IdleTimeout = 50 * time.Millisecond
	v := h.system.Spawn(spec)
	g := h.wake(v)
	if !g.AcquirePassive() {
		t.Fatal("no passive lease")
	}
	defer g.ReleasePassive()
	pid := h.status(v).Pid
	held := time.NewTimer(4 * spec.IdleTimeout)
	<-held.C
	if s := h.status(v); s.State != StateReady || s.Holding != 1 || s.Passive != 1 {
		t.Fatalf("with a lease out: %+v", s)
	}
	g.Release()
	released := g.LastUse()
	stopping, _ := h.wait(0, StateStopping)
	if stopping.At.Sub(released) < spec.IdleTimeout {
		t.Errorf("stopped %v after the last use", stopping.At.Sub(released))
	}
	h.wait(0, StateStopped)
	if alive(pid) {
		t.Error("asleep, and its process lives")
	}
	h.diary.mu.Lock()
	defer h.diary.mu.Unlock()
	if len(h.diary.cuts) != 1 || h.diary.cuts[0] != 1 {
		t.Errorf("the passive lease was not cut: %v", h.diary.cuts)
	}
}

func TestCrashAtStartAnswersAndSaysWhatItPrinted(t *testing.T) {
	h := newHouse(t)
	v := h.system.Spawn(h.spec(freeAddress(t), self("crash", "3")...))
	refusal := h.ask(v)
	if refusal == nil || refusal.Reason != StartFailed {
		t.Fatalf("answered %+v", refusal)
	}
	for _, want := range []string{"status 3", "cannot find my config", "giving up"} {
		if !strings.Contains(refusal.Detail, want) {
			t.Errorf("%q is not in %q", want, refusal.Detail)
		}
	}
	failed, _ := h.wait(0, StateFailed)
	if failed.Reason != refusal.Detail {
		t.Errorf("recorded %q", failed.Reason)
	}
	if refusal := h.ask(v); refusal.Reason != StartFailed {
		t.Errorf("the second request did not try at once: %+v", refusal)
	}
	for range 4 { // which makes the backoff longer than anybody takes to come
		if err := v.Start(h.soon()); !errors.Is(err, &Refusal{Reason: StartFailed}) {
			t.Errorf("started by order: %v", err)
		}
	}
	if refusal := h.ask(v); refusal.Reason != Backoff || refusal.RetryAfter <= 0 || refusal.RetryAfter > backoff(6) {
		t.Errorf("the next: %+v", refusal)
	}
	if s := h.status(v); s.State != StateFailed || s.RetryAt.IsZero() || s.Run != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestCommandThatDoesNotExist(t *testing.T) {
	h := newHouse(t)
	v := h.system.Spawn(h.spec(freeAddress(t), "no-such-command"))
	refusal := h.ask(v)
	if refusal == nil || refusal.Reason != StartFailed || !strings.Contains(refusal.Detail, "no-such-command") {
		t.Errorf("answered %+v", refusal)
	}
}

func TestListensAndDies(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	v := h.system.Spawn(h.spec(address, self("once", address)...))
	if refusal := h.ask(v); refusal == nil { // else it died from the probe, where that has to connect
		if conn, err := net.Dial("tcp", address); err == nil {
			defer conn.Close()
		}
	}
	h.diedOf("status 7")
}

func TestIgnoredStopSignalIsFollowedByAKill(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("stubborn", address)...)
	spec.StopTimeout = 50 * time.Millisecond
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	pid := h.status(v).Pid
	if err := v.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("it lives")
	}
	if s := h.status(v); s.State != StateStopped || !strings.Contains(s.Reason, "SIGKILL") {
		t.Errorf("status %+v", s)
	}
}

func TestServiceThatNeverListens(t *testing.T) {
	h := newHouse(t)
	spec := h.spec(freeAddress(t), self("silent")...)
	spec.StartTimeout = 2 * time.Second
	v := h.system.Spawn(spec)
	h.timesOut(v, "thinking about it")
	starting, next := h.wait(0, StateStopping)
	h.wait(next, StateFailed)
	if starting.Pid == 0 || alive(starting.Pid) {
		t.Errorf("pid %d lives on", starting.Pid)
	}
}

// timesOut wants the starts of a service to run out of their time, with what it has printed. One in which it had no time
// to speak, as on a machine that stands still, is made again.
func (h *house) timesOut(v *Service, printed string) {
	h.t.Helper()
	var refusal *Refusal
	if refusal = h.ask(v); refusal == nil || refusal.Reason != StartTimeout {
		h.t.Fatalf("answered %+v", refusal)
	}
	h.until(func() bool {
		spoke := strings.Contains(refusal.Detail, printed)
		if !spoke && (!errors.As(v.Start(h.soon()), &refusal) || refusal.Reason != StartTimeout) {
			h.t.Fatalf("started again: %+v", refusal)
		}
		return spoke
	})
}

// A name that means nothing is no reason to wait for the start timeout.
func TestAddressThatDoesNotResolve(t *testing.T) {
	h := newHouse(t)
	v := h.system.Spawn(h.spec("nowhere.invalid:80", self("serve", freeAddress(t))...))
	refusal := h.ask(v)
	if refusal == nil || refusal.Reason != StartFailed || !strings.Contains(refusal.Detail, "lookup nowhere.invalid") {
		t.Errorf("answered %+v", refusal)
	}
	h.wait(0, StateFailed)
	if s := h.status(v); s.RecentStarts[0].Outcome != OutcomeFailed {
		t.Errorf("the start is said to have ended as %s", s.RecentStarts[0].Outcome)
	}
}

func TestStopWhileStarting(t *testing.T) {
	h := newHouse(t)
	v := h.system.Spawn(h.spec(freeAddress(t), self("silent")...))
	r := newRequest()
	v.Wait(r)
	if err := v.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	if refusal := h.answer(r); refusal == nil || refusal.Reason != Interrupted {
		t.Errorf("the request was answered %+v", refusal)
	}
	if s := h.status(v); s.State != StateStopped || s.Run != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestRequestThatArrivesWhileStoppingIsServedByTheNextRun(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("stubborn", address)...)
	spec.StopTimeout = 300 * time.Millisecond
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	first := askPid(t, address)
	stopped := make(chan error, 1)
	go func() { stopped <- v.Stop(h.soon(), false) }()
	h.wait(0, StateStopping)
	g := h.wake(v)
	defer g.Release()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if second := askPid(t, address); second == first || g.Run() != 2 {
		t.Errorf("run %d, pid %d after %d", g.Run(), second, first)
	}
}

func TestHeldServiceRefusesUntilItIsStarted(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	v := h.system.Spawn(h.spec(address, self("serve", address)...))
	if err := v.Stop(h.soon(), true); err != nil {
		t.Fatal(err)
	}
	if refusal := h.ask(v); refusal == nil || refusal.Reason != Held {
		t.Errorf("answered %+v", refusal)
	}
	if err := v.Start(h.soon()); err != nil {
		t.Fatal(err)
	}
	h.wake(v).Release()
}

func TestAddressThatSomebodyElseHolds(t *testing.T) {
	h := newHouse(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	v := h.system.Spawn(h.spec(address, self("serve", address)...))
	refusal := h.ask(v)
	if refusal == nil || refusal.Reason != StartFailed || !strings.Contains(refusal.Detail, address+" is held by pid ") {
		t.Errorf("answered %+v", refusal)
	}
}

func TestServiceOutlivesTheEngineAndIsAdopted(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("serve", address)...)
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	pid := askPid(t, address)

	h.system.Close(h.soon())
	if err := v.Start(h.soon()); !errors.Is(err, ErrClosing) {
		t.Errorf("a start after the end: %v", err)
	}
	r := newRequest()
	v.Wait(r)
	if refusal := h.answer(r); refusal == nil || refusal.Reason != Closing {
		t.Errorf("a request after the end: %+v", refusal)
	}
	h.keeper.Close()

	h.open()
	list, err := h.keeper.List()
	if err != nil || len(list) != 1 {
		t.Fatalf("the keeper lists %v, %v", list, err)
	}
	spec.Found = &list[0]
	v = h.system.Spawn(spec)
	g := h.wake(v)
	defer g.Release()
	if again := askPid(t, address); again != pid || g.Run() != 1 {
		t.Errorf("run %d, pid %d, not %d", g.Run(), again, pid)
	}
	if s := h.status(v); s.StartCount != 0 || s.Pid != pid {
		t.Errorf("status %+v", s)
	}
}

func TestFoundProcessThatIsGoneIsNoFailure(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("serve", address)...)
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	list, err := h.keeper.List()
	if err != nil || len(list) != 1 {
		t.Fatalf("the keeper lists %v, %v", list, err)
	}
	if err := v.Retire(h.soon()); err != nil {
		t.Fatal(err)
	}
	spec.Found = &list[0]
	v = h.system.Spawn(spec)
	g := h.wake(v)
	defer g.Release()
	if g.Run() != 2 {
		t.Errorf("run %d", g.Run())
	}
}

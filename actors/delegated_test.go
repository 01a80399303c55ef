package actors

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// daemon is a delegated service of which the start command returns.
func (h *house) daemon(address string) Spec {
	spec := h.spec(address)
	spec.Managed = nil
	spec.Delegated = &Delegated{
		Start: fmt.Sprintf("%s & echo $! >daemon.pid; echo started", strings.Join(self("serve", address), " ")),
		Stop:  "echo stopping; kill $(cat daemon.pid) && rm daemon.pid",
		Dir:   h.dir,
		Env:   os.Environ(),
	}
	return spec
}

func (h *house) logFile() string { return filepath.Join(h.dir, "blog.log") }

func (h *house) logged(name string) string {
	text, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		h.t.Error(err)
	}
	return string(text)
}

func TestDelegatedServiceWakesAndStops(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	v := h.system.Spawn(h.daemon(address))
	h.wake(v).Release()
	pid := askPid(t, address)
	if err := v.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { return !alive(pid) }) // it was down when it listened no more
	if log := h.logged("blog.log"); log != "started\nstopping\n" {
		t.Errorf("the log is %q", log)
	}
}

func TestDelegatedServiceInTheForeground(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.daemon(address)
	spec.Delegated.Start = "exec " + strings.Join(self("serve", address), " ")
	spec.Delegated.Stop = ""
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	pid := askPid(t, address)
	if s := h.status(v); s.Pid != pid {
		t.Errorf("pid %d, not %d", s.Pid, pid)
	}
	if err := v.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("it is said to be down, and lives")
	}
}

func TestForegroundCommandThatIgnoresItsSignalIsKilled(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.daemon(address)
	spec.Delegated.Start = "exec " + strings.Join(self("stubborn", address), " ")
	spec.Delegated.Stop = "true"
	spec.StopTimeout = 100 * time.Millisecond
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	pid := askPid(t, address)
	if err := v.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("it lives")
	}
}

func TestStartCommandThatFails(t *testing.T) {
	h := newHouse(t)
	spec := h.daemon(freeAddress(t))
	spec.Delegated.Start = "echo no such container >&2; exit 4"
	v := h.system.Spawn(spec)
	refusal := h.ask(v)
	if refusal == nil || refusal.Reason != StartFailed || !strings.Contains(refusal.Detail, "status 4") ||
		!strings.Contains(refusal.Detail, "no such container") {
		t.Errorf("answered %+v", refusal)
	}
}

func TestServiceThatIsUpAlreadyIsNotStarted(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.daemon(address)
	spec.Delegated.Check = "test -e daemon.pid"
	first := h.system.Spawn(spec)
	h.wake(first).Release()
	pid := askPid(t, address)

	second := spec
	second.Name = "other"
	second.Delegated = &Delegated{}
	*second.Delegated = *spec.Delegated
	second.Delegated.Start = "exit 1"
	v := h.system.Spawn(second)
	h.wake(v).Release()
	if again := askPid(t, address); again != pid {
		t.Errorf("pid %d, not %d", again, pid)
	}
	if err := v.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { return !alive(pid) })
}

func TestDelegatedAddressThatSomebodyElseHolds(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	holder := h.spec(address, self("serve", address)...)
	holder.Name = "holder"
	h.wake(h.system.Spawn(holder)).Release()
	for name, check := range map[string]string{"no check": "", "a check that fails": "false"} {
		t.Run(name, func(t *testing.T) {
			spec := h.daemon(address)
			spec.Name = strings.ReplaceAll(name, " ", "-")
			spec.Delegated.Check = check
			refusal := h.ask(h.system.Spawn(spec))
			if refusal == nil || refusal.Reason != StartFailed || !strings.Contains(refusal.Detail, address+" is held by pid ") {
				t.Errorf("answered %+v", refusal)
			}
		})
	}
}

func TestStopThatFailsIsSaidAndTheServiceServesOn(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.daemon(address)
	stop := spec.Delegated.Stop
	spec.Delegated.Stop = fmt.Sprintf("test -e allowed || { echo not allowed; exit 5; }; %s", stop)
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	pid := askPid(t, address)

	var refusal *Refusal
	err := v.Stop(h.soon(), false)
	if !errors.As(err, &refusal) || refusal.Reason != StopFailed {
		t.Fatalf("stopped: %v", err)
	}
	for _, want := range []string{address + " is still listened at", "status 5", "not allowed"} {
		if !strings.Contains(refusal.Detail, want) {
			t.Errorf("%q is not in %q", want, refusal.Detail)
		}
	}
	if s := h.status(v); s.State == StateStopped {
		t.Error("it is shown as stopped")
	}
	g := h.wake(v)
	if again := askPid(t, address); again != pid || g.Run() != 1 {
		t.Errorf("run %d, pid %d, not %d", g.Run(), again, pid)
	}
	g.Release()
	if err := os.WriteFile(filepath.Join(h.dir, "allowed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := v.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
}

func TestFailedStopIsTriedAgain(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.daemon(address)
	spec.Delegated.Stop = "test -e tried || { touch tried; exit 5; }; " + spec.Delegated.Stop
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	if err := v.Stop(h.soon(), false); err == nil {
		t.Fatal("the first try did not fail")
	}
	_, next := h.wait(0, StateFailed)
	h.wait(next, StateStopped)
}

// TestCheckThatTakesTooLongIsNotDown: nothing is known of a service whose check was cut off.
func TestCheckThatTakesTooLongIsNotDown(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.daemon(address)
	stop := spec.Delegated.Stop
	spec.Delegated.Stop = "test ! -e allowed || { " + stop + "; }"
	spec.Delegated.Check = "test -e allowed || exec " + strings.Join(self("silent"), " ") + "; kill -0 $(cat daemon.pid)"
	spec.Check.Timeout, spec.StopTimeout = 100*time.Millisecond, 200*time.Millisecond
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	pid := askPid(t, address)
	var refusal *Refusal
	if err := v.Stop(h.soon(), false); !errors.As(err, &refusal) || !strings.Contains(refusal.Detail, "is not known") || !alive(pid) {
		t.Errorf("stopped: %v", err)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "allowed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { return !alive(pid) }) // the failed stop is tried again
}

func TestStopCommandThatHangsIsKilled(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.daemon(address)
	spec.Delegated.Stop = "test -e hung || { touch hung; exec " + strings.Join(self("silent"), " ") + "; }; " + spec.Delegated.Stop
	spec.StopTimeout = 100 * time.Millisecond
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	var refusal *Refusal
	if err := v.Stop(h.soon(), false); !errors.As(err, &refusal) || !strings.Contains(refusal.Detail, "was killed") {
		t.Errorf("stopped: %v", err)
	}
}

func TestDelegatedServiceThatNeverListens(t *testing.T) {
	h := newHouse(t)
	spec := h.daemon(freeAddress(t))
	spec.Delegated.Start = "echo done nothing"
	spec.Delegated.Stop = "true"
	spec.StartTimeout = time.Second
	v := h.system.Spawn(spec)
	h.timesOut(v, "done nothing")
	h.wait(0, StateFailed)
}

// refusedStop wants a stop to fail with a word of why.
func (h *house) refusedStop(v *Service, why string) {
	h.t.Helper()
	var refusal *Refusal
	if err := v.Stop(h.soon(), false); !errors.As(err, &refusal) || refusal.Reason != StopFailed || !strings.Contains(refusal.Detail, why) {
		h.t.Errorf("it was stopped: %v; want a failure that says %q", err, why)
	}
}

// TestStopIsNotBelievedWithoutACheck: that the check cannot be run is no sign that the service is down.
func TestStopIsNotBelievedWithoutACheck(t *testing.T) {
	h := newHouse(t)
	spec := h.daemon(freeAddress(t))
	place := filepath.Join(h.dir, "place")
	if err := os.Mkdir(place, 0o700); err != nil {
		t.Fatal(err)
	}
	spec.Delegated.Dir, spec.Delegated.Check = place, "test -e daemon.pid"
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	if err := os.Rename(place, place+".away"); err != nil {
		t.Fatal(err)
	}
	h.refusedStop(v, "what its check found is not known")
	if err := os.Rename(place+".away", place); err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { return h.status(v).State == StateStopped })
}

package actors

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dynapm/actors/probe"
)

func logCheck(pattern string) probe.Check {
	return probe.Check{Kind: probe.Log, Pattern: regexp.MustCompile(pattern)}
}

// speaker is the spec of a service that listens, and says that it is ready when
// the test does.
func (h *house) speaker(how string, check probe.Check) (spec Spec, speak func()) {
	address, file := freeAddress(h.t), filepath.Join(h.t.TempDir(), "speak")
	spec = h.spec(address, self(how, address, file)...)
	spec.Check = check
	return spec, func() {
		h.t.Helper()
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestReadyWhenTheOutputSaysSo(t *testing.T) {
	h := newHouse(t)
	spec, speak := h.speaker("speak", logCheck("^now it is ready$"))
	v := h.system.Spawn(spec)
	r := newRequest()
	v.Wait(r)
	h.until(func() bool { return probe.Listening(spec.Address) })
	if s := h.status(v); s.State != StateStarting {
		t.Errorf("it listens, has said nothing, and is %v", s.State)
	}
	speak()
	if refusal := h.answer(r); refusal != nil {
		t.Errorf("answered %+v", refusal)
	}
}

// What a service said before the engine was restarted counts, also if the log of
// one that was ready has been cut since.
func TestWhatTheOutputSaidBeforeTheAdoption(t *testing.T) {
	h := newHouse(t)
	spec, speak := h.speaker("speak", logCheck("something that is never said"))
	v := h.system.Spawn(spec)
	v.Wait(newRequest())
	speak()
	log := filepath.Join(h.dir, v.Name()+".log")
	h.until(func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "now it is ready")
	})
	spec.Check = logCheck("now it is ready")
	v = h.nextEngine(spec)
	h.wake(v).Release()

	spec = h.leave(spec)
	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	v = h.come(spec)
	g := h.wake(v)
	defer g.Release()
	if g.Run() != 1 {
		t.Errorf("it was started again as run %d", g.Run())
	}
}

func TestExitBeforeTheOutputSaysThatItIsReady(t *testing.T) {
	h := newHouse(t)
	spec := h.spec(freeAddress(t), self("crash", "3")...)
	spec.Check, spec.StartTimeout = logCheck("now it is ready"), time.Hour
	refusal := h.ask(h.system.Spawn(spec))
	if refusal == nil || refusal.Reason != StartFailed || !strings.Contains(refusal.Detail, "giving up") {
		t.Errorf("answered %+v", refusal)
	}
}

func TestReadyWhenTheServiceSaysSo(t *testing.T) {
	h := newHouse(t)
	spec, speak := h.speaker("notify", probe.Check{Kind: probe.Notify})
	v := h.system.Spawn(spec)
	r := newRequest()
	v.Wait(r)
	h.until(func() bool { return probe.Listening(spec.Address) })
	if s := h.status(v); s.State != StateStarting {
		t.Errorf("it listens, has said nothing, and is %v", s.State)
	}
	speak()
	if refusal := h.answer(r); refusal != nil {
		t.Errorf("answered %+v", refusal)
	}
	// It says so once; the next engine knows all the same.
	v = h.nextEngine(spec)
	g := h.wake(v)
	defer g.Release()
	if g.Run() != 1 {
		t.Errorf("it was started again as run %d", g.Run())
	}
}

// A service can say that it is ready while no engine is there to hear it.
func TestServiceSpeaksWhileTheEngineIsAway(t *testing.T) {
	h := newHouse(t)
	spec, speak := h.speaker("notify", probe.Check{Kind: probe.Notify})
	h.system.Spawn(spec).Wait(newRequest())
	h.until(func() bool { return probe.Listening(spec.Address) })
	spec = h.leave(spec)
	speak()
	h.until(func() bool {
		text, _ := os.ReadFile(filepath.Join(h.dir, "keeper.log"))
		return strings.Contains(string(text), "msg=ready")
	})
	g := h.wake(h.come(spec))
	defer g.Release()
	if g.Run() != 1 {
		t.Errorf("it was started again as run %d", g.Run())
	}
}

func TestExitBeforeTheServiceSaysThatItIsReady(t *testing.T) {
	h := newHouse(t)
	spec := h.spec(freeAddress(t), self("crash", "3")...)
	spec.Check, spec.StartTimeout = probe.Check{Kind: probe.Notify}, time.Hour
	refusal := h.ask(h.system.Spawn(spec))
	if refusal == nil || refusal.Reason != StartFailed || !strings.Contains(refusal.Detail, "giving up") {
		t.Errorf("answered %+v", refusal)
	}
}

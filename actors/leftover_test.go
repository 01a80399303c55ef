package actors

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// reasons are those of all records of this engine.
func (h *house) reasons() string {
	h.diary.mu.Lock()
	defer h.diary.mu.Unlock()
	var text []string
	for _, r := range h.diary.records {
		text = append(text, r.State.String()+": "+r.Reason)
	}
	return strings.Join(text, "\n")
}

// kill ends the service while no engine is there, and comeAfter is the next
// engine once the keeper has seen it.
func kill(h *house, pid int) {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	h.until(func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

func (h *house) comeAfter(spec Spec) *Service {
	h.open()
	h.until(func() bool { list, err := h.keeper.List(); return err == nil && len(list) == 0 })
	return h.system.Spawn(spec)
}

// hold makes the test listen at an address, as soon as it is free.
func hold(h *house, address string) {
	var l net.Listener
	h.until(func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	})
	h.t.Cleanup(func() { l.Close() })
}

func TestServiceThatEndedWhileTheEngineWasAway(t *testing.T) {
	for name, of := range map[string]func(h *house, address string) Spec{
		"managed":   func(h *house, address string) Spec { return h.spec(address, self("serve", address)...) },
		"delegated": func(h *house, address string) Spec { return h.daemon(address) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			address := freeAddress(t)
			spec := of(h, address)
			h.wake(h.system.Spawn(spec)).Release()
			pid := askPid(t, address)
			spec = h.leave(spec)
			kill(h, pid)
			v := h.comeAfter(spec)
			stopped, _ := h.wait(0, StateStopped)
			if stopped.Failures != 0 || stopped.Run != 0 {
				t.Errorf("recorded %+v", stopped)
			}
			g := h.wake(v)
			defer g.Release()
			if g.Run() != 2 {
				t.Errorf("run %d", g.Run())
			}
		})
	}
}

func TestPortThatIsSomebodyElsesNow(t *testing.T) {
	for name, of := range map[string]func(h *house, address string) Spec{
		"managed": func(h *house, address string) Spec { return h.spec(address, self("serve", address)...) },
		"delegated": func(h *house, address string) Spec {
			spec := h.daemon(address)
			spec.Delegated.Check = "kill -0 $(cat daemon.pid)"
			spec.Check.Timeout = time.Second
			return spec
		},
		"delegated, half stopped": func(h *house, address string) Spec {
			spec := h.daemon(address)
			spec.Delegated.Check = "kill -0 $(cat daemon.pid)"
			spec.Check.Timeout = time.Second
			return spec
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			address := freeAddress(t)
			spec := of(h, address)
			v := h.system.Spawn(spec)
			h.wake(v).Release()
			pid := askPid(t, address)
			spec = h.leave(spec)
			if strings.HasSuffix(name, "stopped") {
				spec.Last.State = StateStopping
			}
			kill(h, pid)
			hold(h, address)
			v = h.comeAfter(spec)
			stopped, _ := h.wait(0, StateStopped)
			if !strings.Contains(stopped.Reason, fmt.Sprintf("%s is held by pid %d ", address, os.Getpid())) {
				t.Errorf("recorded %q", stopped.Reason)
			}
			if strings.Contains(h.logged("blog.log"), "stopping") {
				t.Error("the stop command was run on somebody else's")
			}
			if refusal := h.ask(v); refusal == nil || refusal.Reason != StartFailed {
				t.Errorf("answered %+v", refusal)
			}
		})
	}
}

// once is a command that does not end when it is run for the first time.
func once(file, then string) string {
	return fmt.Sprintf("test -e %s || { touch %[1]s; exec %s; }; %s", file, strings.Join(self("silent"), " "), then)
}

// TestCheckThatTakesTooLongHasNothingForgotten: what it would have said is asked again.
func TestCheckThatTakesTooLongHasNothingForgotten(t *testing.T) {
	for _, state := range []State{StateReady, StateStopping} {
		t.Run(state.String(), func(t *testing.T) {
			h := newHouse(t)
			address := freeAddress(t)
			spec := h.daemon(address)
			h.wake(h.system.Spawn(spec)).Release()
			pid := askPid(t, address)
			spec = h.leave(spec)
			spec.Last.State = state
			spec.Delegated.Check = once("asked", "kill -0 $(cat daemon.pid)")
			spec.Check.Timeout = time.Second
			v := h.come(spec)
			if state == StateStopping {
				h.wait(0, StateStopped)
				h.until(func() bool { return !alive(pid) })
				return
			}
			h.wake(v).Release()
			if s := h.status(v); askPid(t, address) != pid || s.Run != 1 || s.StartCount != 1 {
				t.Errorf("pid %d, not %d; %+v", askPid(t, address), pid, s)
			}
		})
	}
}

func TestHalfStoppedServiceIsStopped(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("stubborn", address)...)
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	pid := askPid(t, address)
	go v.Stop(h.soon(), false)
	h.wait(0, StateStopping)
	spec.StopTimeout = 50 * time.Millisecond
	h.nextEngine(spec)
	h.wait(0, StateStopped)
	if alive(pid) {
		t.Error("it lives")
	}
}

func TestHalfStoppedDelegatedServiceIsStopped(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.daemon(address)
	h.wake(h.system.Spawn(spec)).Release()
	pid := askPid(t, address)
	spec = h.leave(spec)
	spec.Last.State = StateDraining
	h.come(spec)
	h.wait(0, StateStopped)
	h.until(func() bool { return !alive(pid) })
	if log := h.logged("blog.log"); log != "started\nstopping\n" {
		t.Errorf("the log is %q", log)
	}
}

// late is a daemon that listens when the test lets it.
func (h *house) late(address string) (spec Spec, let func()) {
	spec = h.daemon(address)
	file := filepath.Join(h.dir, "let")
	spec.Delegated.Start = strings.Join(self("late", address, file), " ") + " & echo $! >daemon.pid; echo started"
	return spec, func() {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestHalfStartedDelegatedServiceIsNotStartedTwice(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec, let := h.late(address)
	v := h.system.Spawn(spec)
	v.Wait(newRequest())
	h.until(func() bool { log, _ := os.ReadFile(h.logFile()); return string(log) == "started\n" })
	v = h.nextEngine(spec)
	r := newRequest()
	v.Wait(r)
	let()
	if refusal := h.answer(r); refusal != nil {
		t.Fatal(refusal)
	}
	if s := h.status(v); s.Run != 1 || s.StartCount != 1 || h.logged("blog.log") != "started\n" {
		t.Errorf("%+v; the log is %q", s, h.logged("blog.log"))
	}
}

func TestHalfStartedDelegatedServiceThatNeverCameIsCleanedUp(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec, let := h.late(address)
	v := h.system.Spawn(spec)
	v.Wait(newRequest())
	h.until(func() bool { log, _ := os.ReadFile(h.logFile()); return string(log) == "started\n" })
	text, err := os.ReadFile(filepath.Join(h.dir, "daemon.pid"))
	if err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { return h.status(v).Pid == 0 }) // the start command has returned
	spec = h.leave(spec)
	spec.Last.age(time.Hour)
	v = h.come(spec)
	r := newRequest()
	v.Wait(r)
	_, next := h.wait(0, StateStopped)
	h.wait(next, StateStarting)
	let()
	if refusal := h.answer(r); refusal != nil {
		t.Fatal(refusal)
	}
	if again := fmt.Sprint(askPid(t, address)); again == strings.TrimSpace(string(text)) || !strings.Contains(h.reasons(), "nothing came to listen") {
		t.Errorf("pid %s; %s", again, h.reasons())
	}
}

package actors

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// family spawns web, which depends on db and cache. db serves once there is the file gate, the others at once.
func (h *house) family() (web, db, cache *Service, gate string) {
	gate = h.dir + "/go"
	db = h.member("db", "late", gate)
	cache = h.member("cache", "serve")
	return h.member("web", "serve", db, cache), db, cache, gate
}

// member spawns a service that is what how says at an address of its own, with the services it depends on and further
// arguments.
func (h *house) member(name, how string, more ...any) *Service {
	return h.system.Spawn(h.memberSpec(name, how, more...))
}

func (h *house) memberSpec(name, how string, more ...any) Spec {
	args := []string{freeAddress(h.t)}
	spec := h.spec(args[0])
	spec.Name = name
	for _, m := range more {
		switch m := m.(type) {
		case string:
			args = append(args, m)
		case *Service:
			spec.DependsOn = append(spec.DependsOn, m.Name())
		}
	}
	spec.Managed.Argv = self(how, args...)
	return spec
}

func (h *house) write(file string) {
	h.t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func TestWhatIsDependedOnComesUpFirst(t *testing.T) {
	h := newHouse(t)
	web, db, cache, gate := h.family()
	r := newRequest()
	web.Wait(r)
	h.until(func() bool { return h.status(cache).State == StateReady && h.status(db).State == StateStarting })
	h.until(func() bool { return h.status(web).Reason == "a request, waiting for db" })
	if s := h.status(web); s.State != StateStarting || s.StartCount != 0 || s.Pid != 0 {
		t.Errorf("web: %+v", s)
	}
	if s := h.status(db); s.Reason != "web depends on it" || len(s.Grounds) != 1 || s.Grounds[0].By != "web" {
		t.Errorf("db: %+v", s)
	}
	if err := cache.Stop(h.soon(), false); !errors.Is(err, ErrNeeded) || !strings.Contains(err.Error(), "stop web first") {
		t.Errorf("stop of what is needed: %v", err)
	}
	h.write(gate)
	if refusal := h.answer(r); refusal != nil {
		t.Fatal(refusal)
	}
	if err := web.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	if err := cache.Stop(h.soon(), true); err != nil {
		t.Errorf("stop of what is not needed any more: %v", err)
	}
	if refusal := h.ask(web); refusal == nil || refusal.Reason != Held || refusal.Detail != "cache, which it depends on, is not up: the service is held down" {
		t.Errorf("with the cache held down: %+v", refusal)
	}
}

// TestAWaitForWhatIsDependedOnTakesNoTurn: else a chain would wait for itself.
func TestAWaitForWhatIsDependedOnTakesNoTurn(t *testing.T) {
	h := newHouse(t)
	h.system.turns.free = 1
	a := h.member("a", "serve")
	b := h.member("b", "serve", a)
	c := h.member("c", "serve", b, a)
	if refusal := h.ask(c); refusal != nil {
		t.Fatal(refusal)
	}
	h.until(func() bool { return h.system.turns.quiet(1) })
	for _, v := range []*Service{a, b, c} {
		if s := h.status(v); s.State != StateReady || s.StartCount != 1 {
			t.Errorf("%s: %+v", v.Name(), s)
		}
	}
}

func TestWhatIsDependedOnFailsTheStart(t *testing.T) {
	h := newHouse(t)
	spec := h.memberSpec("db", "crash")
	spec.Managed.Argv = self("crash", "3")
	db := h.system.Spawn(spec)
	web := h.member("web", "serve", db)
	refusal := h.ask(web)
	if refusal == nil || refusal.Reason != StartFailed || !strings.HasPrefix(refusal.Detail, "db, which it depends on, is not up: exited with status 3") ||
		!strings.Contains(refusal.Detail, "giving up") {
		t.Errorf("answered %+v", refusal)
	}
	if s := h.status(web); s.State != StateFailed || s.Reason != refusal.Detail || s.StartCount != 0 {
		t.Errorf("web: %+v", s)
	}
	if s := h.status(db); s.State != StateFailed || s.StartCount != 1 || len(s.Grounds) != 0 {
		t.Errorf("db: %+v", s)
	}
}

// TestWhatIsDependedOnOutlastsItsUse: its idle clock begins when the last that depends on it is down.
func TestWhatIsDependedOnOutlastsItsUse(t *testing.T) {
	h := newHouse(t)
	spec := h.memberSpec("db", "serve")
	spec.IdleTimeout = 20 * time.Millisecond
	db := h.system.Spawn(spec)
	spec = h.memberSpec("web", "serve", db)
	spec.IdleTimeout = 300 * time.Millisecond
	web := h.system.Spawn(spec)
	h.wake(web).Release()
	var down time.Time
	for {
		r, _ := h.wait(0, StateStopping)
		if r.Service == "web" {
			down = r.At
			break
		}
		t.Fatalf("%s stopped first: %s", r.Service, r.Reason)
	}
	h.until(func() bool { return h.status(db).State == StateStopped })
	h.diary.mu.Lock()
	defer h.diary.mu.Unlock()
	for _, r := range h.diary.records {
		if r.Service == "db" && r.State == StateStopping && r.At.Sub(down) < 20*time.Millisecond {
			t.Errorf("db stopped %v after web had begun to", r.At.Sub(down))
		}
	}
}

// TestWhatIsDependedOnComesBack: it is kept up, and what depends on it stays as it is.
func TestWhatIsDependedOnComesBack(t *testing.T) {
	h := newHouse(t)
	web, db, _, gate := h.family()
	h.write(gate)
	h.wake(web).Release()
	pid := h.status(web).Pid
	if err := syscall.Kill(h.status(db).Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { s := h.status(db); return s.StartCount == 2 && s.State == StateReady })
	if s := h.status(web); s.Pid != pid || s.State != StateReady {
		t.Errorf("web: %+v", s)
	}
}

// TestWhatIsDependedOnIsAskedForAgain: it was up, and ends while the start that needs it waits: for its turn, or for
// another that it depends on.
func TestWhatIsDependedOnIsAskedForAgain(t *testing.T) {
	for name, another := range map[string]bool{"its turn to start": false, "cache": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.system.turns.free = 2
			if !another {
				h.system.turns.free = 1
			}
			h.write(h.dir + "/db")
			db := h.member("db", "late", h.dir+"/db")
			h.wake(db).Release()
			blocks, needs := h.member("cache", "late", h.dir+"/go"), []any{db}
			if another {
				needs = append(needs, blocks)
			}
			blocks.Wait(newRequest())
			h.until(func() bool { return h.status(blocks).Pid != 0 })
			web, r := h.member("web", "serve", needs...), newRequest()
			web.Wait(r)
			h.until(func() bool { return strings.HasSuffix(h.status(web).Reason, "waiting for "+name) })
			if err := os.Remove(h.dir + "/db"); err != nil {
				t.Fatal(err)
			}
			run := h.status(db).Run
			if err := syscall.Kill(h.status(db).Pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			h.until(func() bool { return h.status(db).Run > run })
			h.write(h.dir + "/go")
			h.until(func() bool { return h.status(blocks).State == StateReady })
			h.until(func() bool {
				s := h.status(web)
				return s.StartCount > 0 || strings.HasSuffix(s.Reason, "waiting for db")
			})
			h.write(h.dir + "/db")
			if refusal := h.answer(r); refusal != nil {
				t.Fatal(refusal)
			}
			needed, s := h.status(db), h.status(web)
			if needed.State != StateReady || s.StartCount != 1 || s.LastStart.Launched.Before(needed.LastStart.Ready) {
				t.Errorf("web was launched at %v; db is %v since %v", s.LastStart.Launched, needed.State, needed.LastStart.Ready)
			}
		})
	}
}

// TestWhatIsDependedOnIsKeptUpUnderTheNextEngine, whichever of the two is looked at first, and although its idle time
// has passed meanwhile.
func TestWhatIsDependedOnIsKeptUpUnderTheNextEngine(t *testing.T) {
	h := newHouse(t)
	dbSpec := h.memberSpec("db", "serve")
	dbSpec.IdleTimeout = time.Minute
	db := h.system.Spawn(dbSpec)
	webSpec := h.memberSpec("web", "serve", db)
	web := h.system.Spawn(webSpec)
	h.wake(web).Release()
	pid := h.status(db).Pid
	dbSpec.Last = h.last("db")
	webSpec = h.leave(webSpec)
	dbSpec.Last.age(time.Hour)
	h.open()
	webSpec.Found, dbSpec.Found = h.found("web"), h.found("db")
	both := h.system.SpawnAll([]Spec{dbSpec, webSpec})
	db, web = both[0], both[1]
	h.until(func() bool { return h.status(db).State == StateReady })
	h.wake(web).Release()
	if s := h.status(db); s.Pid != pid || s.State != StateReady || len(s.Grounds) != 1 {
		t.Errorf("db: %+v", s)
	}
	if err := db.Stop(h.soon(), false); !errors.Is(err, ErrNeeded) {
		t.Errorf("stop of what is needed: %v", err)
	}
	if err := web.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	h.until(func() bool { return len(h.status(db).Grounds) == 0 })
}

// TestAPanicLosesNoNeed: neither in the actor of what depends, nor in that of what is depended on.
func TestAPanicLosesNoNeed(t *testing.T) {
	h := newHouse(t)
	web, db, _, gate := h.family()
	r := newRequest()
	web.Wait(r)
	h.until(func() bool { return h.status(web).Reason == "a request, waiting for db" })
	web.tell(Acquire{bomb{}, time.Now()})
	db.tell(KeepUp{Ground{By: "other", Why: "other depends on it"}, bomb{}, time.Now()})
	h.write(gate)
	if refusal := h.answer(r); refusal != nil {
		t.Fatal(refusal)
	}
	h.until(func() bool { return h.status(web).State == StateReady })
	db.tell(LetGo{"other", "it is down", time.Now()})
	if s := h.status(db); len(s.Grounds) != 1 || s.Grounds[0].By != "web" {
		t.Errorf("db is kept up by %+v", s.Grounds)
	}
}

// TestAnOrderOutlivesNewWords: a service that is up by the clock and was stopped stays down although the clock has another
// word for the same.
func TestAnOrderOutlivesNewWords(t *testing.T) {
	h := newHouse(t)
	v := h.member("blog", "serve")
	v.KeepUp("up until Sunday")
	h.until(func() bool { return h.status(v).State == StateReady })
	if err := v.Stop(h.soon(), false); err != nil {
		t.Fatal(err)
	}
	v.KeepUp("up until tonight")
	if s := h.status(v); s.State != StateStopped || len(s.Grounds) != 1 || s.Grounds[0].Why != "up until tonight" {
		t.Errorf("status %+v", s)
	}
	v.LetGo("tonight has come")
	v.KeepUp("up until Sunday")
	h.until(func() bool { return h.status(v).State == StateReady })
}

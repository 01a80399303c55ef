package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
)

// The ways in which a service can be run: as a process of ours, and by a start command that returns or stays.
var ways = []string{"managed", "daemon", "foreground"}

// inEveryState is a config with a service for each way and each state in which it can be when something is killed. What
// a start command has left in the foreground only we end: its stop command does nothing.
func inEveryState() string {
	var text strings.Builder
	text.WriteString("maxConcurrentStarts: 10\nservices:\n") // one of each way stays starting, however few cores there are
	for _, way := range ways {
		add := func(state, flags, more string) {
			text.WriteString(serviceOf(way, state+"-"+way, flags, more))
		}
		add("ready", "", "")
		add("starting", `"-start-gate=listens-`+way+`"`, "startTimeout: 10m")
		add("draining", "", "drainTimeout: 10m\n    responseTimeout: 10m")
		add("stopping", `"-stop-gate=exits-`+way+`"`, "stopTimeout: 10m")
		add("naps", "", "idleTimeout: 2s")
		failed := `run: "echo out of luck; exit 3"`
		if way != "managed" {
			failed = `commands: {start: "echo out of luck; exit 3", stop: "true"}`
		}
		fmt.Fprintf(&text, "  failed-%s: {%s, base: 'http://127.0.0.1:{{port `failed-%[1]s`}}', idleTimeout: 1h}\n", way, failed)
	}
	text.WriteString(serviceOf("managed", "held", "", ""))
	stuck := serviceOf("daemon", "stuck", "", "")
	text.WriteString(strings.Replace(stuck, "stop: '", "stop: 'test -e allowed || exit 4; ", 1))
	return text.String()
}

// serviceOf is a service of a config. A check by kill -0 would take one that nobody has waited for yet for alive.
func serviceOf(way, name, flags, more string) string {
	if !strings.Contains(more, "idleTimeout") {
		more += "\n    idleTimeout: 1h"
	}
	text := `
  NAME:
    base: http://127.0.0.1:{{port "NAME"}}
    ` + map[string]string{
		"managed": `run: {{svc "NAME" FLAGS}}`,
		"daemon": `commands:
      start: '{{sh "NAME" FLAGS}} -listen=127.0.0.1:{{port "NAME"}} & echo $! > NAME.pid'
      stop: 'kill $(cat NAME.pid)'
      check: grep -q '^State:.[^ZX]' /proc/$(cat NAME.pid)/status`,
		"foreground": `commands:
      start: 'exec {{sh "NAME" FLAGS}} -listen=127.0.0.1:{{port "NAME"}}'
      stop: "true"`,
	}[way] + "\n    " + more + "\n"
	return strings.NewReplacer("NAME", name, "FLAGS", flags).Replace(text)
}

// states is an engine whose services are in every state.
type states struct {
	*engine
	pids    map[string]int
	used    map[string]int64
	pending map[string]<-chan result // requests that wait for a start, or that hold a drain up
}

func (w *world) inEveryState() *states {
	w.Helper()
	for _, way := range ways {
		w.gate("listens-"+way, "exits-"+way, "drains-"+way)
	}
	s := &states{w.start(inEveryState()), map[string]int{}, map[string]int64{}, map[string]<-chan result{}}
	for _, way := range ways {
		s.bringInto(way)
	}
	s.ask("stuck", "/")
	if r := s.outcome(s.stop("stuck")); r.status != http.StatusInternalServerError {
		w.Fatalf("a stop that fails got %v", r)
	}
	if r := s.run("stop", "-hold", "held"); r.code != 0 {
		w.Fatalf("dynapm stop -hold: %v", r)
	}
	for _, way := range ways {
		name := "failed-" + way
		for range 7 { // an operator need not wait for a backoff, and each failure lengthens it: 30 s by now
			s.admin("POST", api+"services/"+name+"/start")
		}
		s.reach(name, "failed")
	}
	s.ask("naps-managed", "/")
	s.ask("naps-foreground", "/")
	// The last is delegated: its start waits for the disk, and so for all that was recorded before it.
	s.ask("naps-daemon", "/")
	if strings.Contains(s.log.String(), "without being on record") {
		s.Skip("the disk takes more than a second to keep a record, and the engine says what is lost then")
	}
	return s
}

func (s *states) bringInto(way string) {
	s.Helper()
	starting, draining, stopping, ready := "starting-"+way, "draining-"+way, "stopping-"+way, "ready-"+way
	s.open("listens-" + way)
	s.ask(starting, "/") // its second start is the one that is half done: what is known of the first must not be taken for it
	s.stopped(starting, s.stop(starting))
	s.pending[starting] = s.later("GET", starting, "/", nil)
	s.pids[starting] = s.await(starting, "start", 2).Pid

	s.pending[draining] = s.later("GET", draining, atHold+"?gate=drains-"+way, nil)
	s.await(draining, "request", 1)
	s.stop(draining)
	s.reach(draining, "draining")

	s.ask(stopping, "/")
	s.stop(stopping)
	s.await(stopping, "term", 1)

	s.pids[ready] = s.ask(ready, "/").Pid
	s.used[ready] = *s.rests(ready).LastAccessTime
}

// goOn wants of the engine that is there now, the same or the next one, that it knows every service, that nothing is
// started twice or lost, and that what was half done is finished.
func (s *states) goOn(e *engine) {
	e.Helper()
	e.write("allowed", "") // by and by the stop that failed is tried again
	for _, way := range ways {
		s.failedStays(e, way) // first: a backoff ends
	}
	for _, way := range ways {
		s.readyStays(e, way)
		s.halfDoneIsFinished(e, way)
	}
	if r := e.get("held", "/"); r.status != http.StatusServiceUnavailable || !e.inspect("held").Held || e.starts("held") > 0 {
		e.Errorf("what was held down is %+v and answered %v", e.inspect("held"), r)
	}
	e.reach("stuck", "stopped")
	e.none("stuck")
	for _, way := range ways {
		e.reach("naps-"+way, "stopped")
		e.none("naps-" + way)
		if terms := len(e.events("naps-"+way, "term")); e.starts("naps-"+way) != 1 || terms != 1 {
			e.Errorf("naps-%s: %d starts, %d stops; want one of each", way, e.starts("naps-"+way), terms)
		}
	}
}

func (s *states) failedStays(e *engine, way string) {
	e.Helper()
	name := "failed-" + way
	if i := e.inspect(name); i.State != "failed" || !strings.Contains(i.Reason, "status 3") || *i.StartCount != 7 {
		e.Errorf("what failed is known as %+v", i)
	}
	if r := e.get(name, "/"); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		e.Errorf("a request in the backoff of %s got %v", name, r)
	}
}

func (s *states) readyStays(e *engine, way string) {
	e.Helper()
	name := "ready-" + way
	i := e.reach(name, "ready")
	if way != "daemon" && i.Pid != s.pids[name] || *i.StartCount != 1 {
		e.Errorf("%s is known as pid %d after %d starts; it is %d after 1", name, i.Pid, *i.StartCount, s.pids[name])
	}
	if used := *i.LastAccessTime; used == 0 || used > s.used[name] {
		e.Errorf("%s was last used at %d, and is said to be at %d", name, s.used[name], used)
	}
	if got := e.ask(name, "/"); got.Pid != s.pids[name] || e.starts(name) != 1 {
		e.Errorf("%s is served by pid %d after %d starts", name, got.Pid, e.starts(name))
	}
	e.stopped(name, e.stop(name))
	e.none(name)
}

func (s *states) halfDoneIsFinished(e *engine, way string) {
	e.Helper()
	starting, draining, stopping := "starting-"+way, "draining-"+way, "stopping-"+way
	e.open("listens-" + way)
	if got := e.ask(starting, "/"); got.Pid != s.pids[starting] || e.starts(starting) != 2 || *e.inspect(starting).StartCount != 2 {
		e.Errorf("%s is served by pid %d after %d starts (%d known); it was %d after 2",
			starting, got.Pid, e.starts(starting), *e.inspect(starting).StartCount, s.pids[starting])
	}
	e.open("drains-" + way)
	e.await(draining, "term", 1)
	e.open("exits-" + way)
	for _, name := range []string{draining, stopping} {
		e.reach(name, "stopped")
		e.none(name)
		if e.starts(name) != 1 {
			e.Errorf("%s was started %d times", name, e.starts(name))
		}
	}
	if e == s.engine {
		for _, name := range []string{starting, draining} {
			if r := e.outcome(s.pending[name]); r.status != http.StatusOK {
				e.Errorf("a request at %s got %v", name, r)
			}
		}
	}
}

// keeperPid is that of the world's keeper.
func (w *world) keeperPid() int {
	w.Helper()
	for _, p := range marked(w.mark) {
		if strings.Contains(p.command, " keeper ") {
			return p.pid
		}
	}
	w.Fatal("there is no keeper")
	return 0
}

// killKeeper ends the keeper with SIGKILL.
func (w *world) killKeeper() {
	w.Helper()
	pid := w.keeperPid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		w.Fatal(err)
	}
	w.until("the keeper to be gone", func() bool { return !alive(pid) })
}

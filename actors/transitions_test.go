package actors

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/transitions.txt anew, to be read in review")

var trailingSpace = regexp.MustCompile(`(?m) +$`)

// testLimits make it easy to see in the table which of them a timer is about.
var testLimits = Limits{
	IdleTimeout:  5 * time.Minute,
	StartTimeout: 30 * time.Second,
	DrainTimeout: 6 * time.Second,
	StopTimeout:  10 * time.Second,
	MaxPending:   4,
}

// somebody is a waiter with a name, told apart by it.
type somebody string

func (somebody) Grant()         {}
func (somebody) Refuse(Refusal) {}

// play is a machine that is led through a story.
type play struct {
	*Machine
	now  time.Time
	busy string // what a start must wait for; "": nothing
}

// Step is that of the machine, with the answer that Ask gets within the turn.
func (p *play) Step(e Event) []Effect {
	effects := p.Machine.Step(e)
	i := slices.IndexFunc(effects, func(e Effect) bool { return e == Effect(Ask{p.run}) })
	if i < 0 {
		return effects
	}
	var answer Event = TurnCame{p.fact(), ""}
	if p.busy != "" {
		answer = Queued{p.fact(), p.busy}
	}
	effects = slices.Clone(effects[:i])
	return append(effects, p.Machine.Step(answer)...)
}

func newPlay() *play {
	return &play{Machine: NewMachine(testLimits, Memory{}), now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func (p *play) fact() Fact { return Fact{p.run, p.now} }

func (p *play) after(d time.Duration) *play { p.now = p.now.Add(d); return p }

func (p *play) acquire(w somebody) []Effect { return p.Step(Acquire{w, p.now}) }
func (p *play) turnCame() []Effect          { return p.Step(TurnCame{p.fact(), "its turn to start has come"}) }
func (p *play) lacking() []Effect {
	return p.Step(Lacking{p.fact(), Refusal{Reason: StartTimeout, Detail: "db, which it depends on, is not up"}})
}
func (p *play) keptUp() []Effect {
	return p.Step(KeepUp{needOf("web"), somebody("web"), p.now})
}
func (p *play) letGo() []Effect {
	return p.Step(LetGo{"web", "web, which depends on it, is down", p.now})
}
func (p *play) launched() []Effect      { return p.Step(Launched{p.fact(), 100 + int(p.run)}) }
func (p *play) returned() []Effect      { return p.Step(Returned{p.fact()}) }
func (p *play) passed() []Effect        { return p.Step(ProbePassed{p.fact(), "127.0.0.1:80", p.now}) }
func (p *play) probeFailed() []Effect   { return p.Step(ProbeFailed{p.fact(), "no answer", false}) }
func (p *play) exited() []Effect        { return p.Step(Exited{p.fact(), "exit status 1"}) }
func (p *play) served() []Effect        { return p.Step(Served{p.fact(), p.LastStart.Accepted, p.now, p.now}) }
func (p *play) stillUp() []Effect       { return p.Step(StillUp{p.fact(), "stop command failed"}) }
func (p *play) drained() []Effect       { return p.Step(Drained{p.fact()}) }
func (p *play) refused() []Effect       { return p.Step(Refused{p.fact()}) }
func (p *play) fired() []Effect         { return p.Step(TimerFired{p.timer, p.now}) }
func (p *play) stop(hold bool) []Effect { return p.Step(Stop{somebody("stopper"), hold, p.now}) }
func (p *play) retired() []Effect       { return p.Step(Retire{somebody("retirer"), p.now}) }

func (p *play) recalled() []Effect {
	return p.Step(Recall{true, "it could not be started", p.now, p.now})
}

// adopt takes up a run that an earlier engine has left two hours after it was ready.
func (p *play) adopt(unused time.Duration) {
	began := p.now.Add(-2 * time.Hour)
	p.Memory = Memory{LastRun: 7, LastStart: StartClock{Accepted: began, Launched: began, Listening: began, Ready: began}}
	p.Step(Adopt{Run: 7, Pid: 107, Launched: began, Address: "127.0.0.1:80", ReadySince: began,
		LastUse: p.now.Add(-unused), Reason: "found running", At: p.now})
}

// adoptHalfStarted takes up a run that was begun a while ago and is not ready, as far as known.
func (p *play) adoptHalfStarted(ago time.Duration) {
	began := p.now.Add(-ago)
	p.Memory = Memory{LastRun: 7, LastStart: StartClock{Accepted: began}}
	p.Step(Adopt{Run: 7, LastUse: began, Reason: "it was starting when the engine ended", At: p.now})
}

// always makes it a service that is always to be up.
func (p *play) always() *play { p.limits.Always, p.limits.IdleTimeout = true, 0; return p }

// up leads a stopped or failed service to ready.
func (p *play) up() { p.acquire("waiter"); p.launched(); p.passed() }

// failStart makes a start fail.
func (p *play) failStart() { p.acquire("waiter"); p.launched(); p.exited() }

// conditions are the states with all that makes them answer differently.
var conditions = []struct {
	name  string
	story func(p *play)
}{
	{"stopped", func(p *play) {}},
	{"stopped, held down", func(p *play) { p.Machine.Step(Stop{somebody("stopper"), true, p.now}) }},
	{"starting, waiting for its turn", func(p *play) { p.busy = "its turn to start"; p.acquire("waiter") }},
	{"starting, waiting for what it depends on", func(p *play) { p.busy = "db"; p.acquire("waiter") }},
	{"starting, the launch is under way", func(p *play) { p.acquire("waiter") }},
	{"starting, launched", func(p *play) { p.acquire("waiter"); p.launched() }},
	{"starting, found running", func(p *play) {
		p.Step(Adopt{Run: 7, Pid: 107, Launched: p.now.Add(-time.Hour), Reason: "found running", At: p.now})
		p.acquire("waiter")
	}},
	{"starting, found half started, with 20s left", func(p *play) { p.adoptHalfStarted(10 * time.Second) }},
	{"starting, found running, last used a minute ago", func(p *play) { p.adopt(time.Minute) }},
	{"starting, found running, last used an hour ago", func(p *play) { p.adopt(time.Hour) }},
	{"starting, found running, last used an hour ago, a request waits", func(p *play) {
		p.adopt(time.Hour)
		p.acquire("waiter")
	}},
	{"stopping, found half stopped, a request waits for the next run", func(p *play) {
		p.Step(Adopt{Run: 7, Pid: 107, Ending: true, Reason: "its stop was not finished", At: p.now})
		p.acquire("waiter")
	}},
	{"ready, just now", func(p *play) { p.up() }},
	{"ready, for ten seconds", func(p *play) { p.up(); p.after(10 * time.Second) }},
	{"ready, a request was refused", func(p *play) { p.up(); p.after(10 * time.Second).refused() }},
	{"draining, a request waits for the next run", func(p *play) { p.up(); p.stop(false); p.acquire("waiter") }},
	{"draining, to be held down", func(p *play) { p.up(); p.stop(true) }},
	{"stopping, idle", func(p *play) { p.up(); p.after(5 * time.Minute); p.fired(); p.drained() }},
	{"stopping by order, a request waits for the next run", func(p *play) {
		p.up()
		p.stop(false)
		p.drained()
		p.acquire("waiter")
	}},
	{"stopping, killed", func(p *play) { p.up(); p.stop(false); p.drained(); p.after(10 * time.Second).fired() }},
	{"stopping, the launch is still under way", func(p *play) { p.acquire("waiter"); p.stop(false) }},
	{"stopping after a start timeout, a request waits for the next run", func(p *play) {
		p.acquire("first")
		p.launched()
		p.after(30 * time.Second).probeFailed()
		p.acquire("waiter")
	}},
	{"stopping after a second start timeout, a request waits for the next run", func(p *play) {
		p.failStart()
		p.acquire("first")
		p.launched()
		p.after(30 * time.Second).probeFailed()
		p.acquire("waiter")
	}},
	{"stopping for good", func(p *play) { p.up(); p.retired(); p.drained() }},
	{"stopped for good", func(p *play) { p.retired() }},
	{"failed once", func(p *play) { p.failStart() }},
	{"failed twice, in backoff", func(p *play) { p.failStart(); p.failStart() }},
	{"failed twice, after the backoff", func(p *play) { p.failStart(); p.failStart(); p.after(time.Second) }},
	{"failed, held down", func(p *play) { p.failStart(); p.stop(true) }},
	{"failed twice under an earlier engine, in backoff", func(p *play) {
		p.Memory = Memory{LastRun: 6, Failures: 2, RetryAt: p.now.Add(700 * time.Millisecond)}
		p.recalled()
	}},
	{"failed twice under an earlier engine, with a clock that was set back since", func(p *play) {
		p.Memory = Memory{LastRun: 6, Failures: 2, RetryAt: p.now.Add(24 * time.Hour)}
		p.recalled()
	}},
	{"failed, its stop failed", func(p *play) { p.up(); p.stop(false); p.drained(); p.stillUp() }},
	{"failed, killed and still there", func(p *play) {
		p.up()
		p.stop(false)
		p.drained()
		p.after(10 * time.Second).fired()
		p.after(killGrace).fired()
	}},
	{"stopped, always to be up", func(p *play) { p.always() }},
	{"stopped after it has exited, always to be up", func(p *play) { p.always().up(); p.after(time.Hour).exited() }},
	{"starting, always to be up", func(p *play) { p.always().acquire("waiter"); p.launched() }},
	{"ready for ten seconds, always to be up", func(p *play) { p.always().up(); p.after(10 * time.Second) }},
	{"ready for an hour, always to be up", func(p *play) { p.always().up(); p.after(time.Hour) }},
	{"stopping by order, always to be up", func(p *play) { p.always().up(); p.stop(false); p.drained() }},
	{"stopping after a start timeout, always to be up", func(p *play) {
		p.always().acquire("waiter")
		p.launched()
		p.after(30 * time.Second).probeFailed()
	}},
	{"failed twice, in backoff, always to be up", func(p *play) { p.always().failStart(); p.fired(); p.launched(); p.exited() }},
	{"failed under an earlier engine, always to be up", func(p *play) {
		p.always().Memory = Memory{LastRun: 6, Failures: 2, RetryAt: p.now.Add(700 * time.Millisecond)}
		p.recalled()
	}},
	{"starting, web depends on it", func(p *play) { p.keptUp(); p.launched() }},
	{"ready for ten seconds, web depends on it", func(p *play) { p.up(); p.keptUp(); p.after(10 * time.Second) }},
	{"ready for an hour, web depends on it", func(p *play) { p.up(); p.keptUp(); p.after(time.Hour) }},
	{"stopping, idle, web depends on its next run", func(p *play) { p.up(); p.after(5 * time.Minute); p.fired(); p.drained(); p.keptUp() }},
	{"stopped after it has exited, web depends on it", func(p *play) { p.keptUp(); p.launched(); p.passed(); p.after(time.Hour).exited() }},
	{"failed twice, in backoff, web depends on it", func(p *play) {
		p.keptUp()
		p.launched()
		p.passed()
		for range 2 {
			p.exited()
			p.fired()
			p.launched()
		}
		p.exited()
	}},
	{"failed, its launch never came back", func(p *play) {
		p.acquire("waiter")
		p.stop(false)
		p.after(10 * time.Second).fired()
	}},
}

// events are all that a machine can be told.
var events = []struct {
	name string
	do   func(p *play) []Effect
}{
	{"Acquire", func(p *play) []Effect { return p.acquire("new") }},
	{"Cancel", func(p *play) []Effect { return p.Step(Cancel{somebody("waiter"), p.now}) }},
	{"Start", func(p *play) []Effect { return p.Step(Start{somebody("new"), p.now}) }},
	{"Stop", func(p *play) []Effect { return p.Step(Stop{somebody("new"), false, p.now}) }},
	{"Stop hold", func(p *play) []Effect { return p.Step(Stop{somebody("new"), true, p.now}) }},
	{"Retire", func(p *play) []Effect { return p.Step(Retire{somebody("new"), p.now}) }},
	{"Adopt", func(p *play) []Effect {
		return p.Step(Adopt{Run: 7, Pid: 107, Launched: p.now, Reason: "found running", At: p.now})
	}},
	{"Adopt draining", func(p *play) []Effect {
		return p.Step(Adopt{Run: 7, Pid: 107, Launched: p.now, Gate: GateShut, Draining: p.now.Add(2 * time.Second), Reason: "stop ordered", At: p.now})
	}},
	{"Adopt ending", func(p *play) []Effect {
		return p.Step(Adopt{Run: 7, Pid: 107, Launched: p.now, Ending: true, Reason: "its stop was not finished", At: p.now})
	}},
	{"Recall", (*play).recalled},
	{"Begun", func(p *play) []Effect { return p.Step(Begun{p.now}) }},
	{"KeepUp", func(p *play) []Effect { return p.Step(KeepUp{needOf("new"), somebody("new"), p.now}) }},
	{"KeepUp, nobody waits", func(p *play) []Effect { return p.Step(KeepUp{needOf("new"), nil, p.now}) }},
	{"LetGo", (*play).letGo},
	{"TurnCame", (*play).turnCame},
	{"Queued", func(p *play) []Effect { return p.Step(Queued{p.fact(), "its turn to start"}) }},
	{"Lacking", (*play).lacking},
	{"Launched", (*play).launched},
	{"Returned", (*play).returned},
	{"ProbePassed", (*play).passed},
	{"ProbeFailed", (*play).probeFailed},
	{"Exited", (*play).exited},
	{"Served", (*play).served},
	{"StillUp", (*play).stillUp},
	{"Drained", (*play).drained},
	{"Refused", (*play).refused},
	{"InUse", func(p *play) []Effect { return p.Step(InUse{p.fact(), p.now.Add(-time.Minute)}) }},
	{"TimerFired", (*play).fired},
	{"Panicked", func(p *play) []Effect { return p.Step(Panicked{"panic: oops", p.now}) }},
}

const tableHead = `What a service does about each event, in each state: written by
"go test ./actors -rewrite" from the machine itself, to be read in review.

up and down count those who wait, after the event, for the service to be so.
A dash is no change. "new" came with the event, "waiter", "first", "stopper" and
"retirer" were there before. Text in quotes is the reason that is recorded. Here
startTimeout is 30s, idleTimeout 5m, drainTimeout 6s, stopTimeout 10s. Facts about
an earlier run or timer are dropped in every state.
`

func TestTransitions(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(tableHead)
	for _, c := range conditions {
		describe(&b, c.name, c.story)
	}
	golden := filepath.Join("testdata", "transitions.txt")
	text := trailingSpace.ReplaceAll(b.Bytes(), nil)
	if *rewrite {
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(text); got != string(want) {
		t.Errorf("the machine differs from %s at:\n%s\nif that is meant, run go test ./actors -rewrite and read the difference",
			golden, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d\n got %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return "the end: one is longer"
}

// describe writes the block of one condition.
func describe(b *bytes.Buffer, name string, story func(*play)) {
	fmt.Fprintf(b, "\n%s\n", name)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "  event\tstate\tup\tdown\teffects\n")
	var ignored []string
	for _, e := range events {
		p := newPlay()
		story(p)
		before := [3]any{p.state, len(p.waiting), len(p.leaving)}
		effects := e.do(p)
		after := [3]any{p.state, len(p.waiting), len(p.leaving)}
		if len(effects) == 0 && before == after {
			ignored = append(ignored, e.name)
			continue
		}
		state := "-"
		if after[0] != before[0] {
			state = p.state.String()
		}
		fmt.Fprintf(w, "  %s\t%s\t%d\t%d\t%s\n", e.name, state, after[1], after[2], effectTexts(p, effects))
	}
	w.Flush()
	if len(ignored) > 0 {
		fmt.Fprintf(b, "  ignored: %s\n", strings.Join(ignored, ", "))
	}
}

func effectTexts(p *play, effects []Effect) string {
	texts := make([]string, len(effects))
	for i, e := range effects {
		texts[i] = effectText(p, e)
	}
	return strings.Join(texts, "; ")
}

func effectText(p *play, e Effect) string {
	switch e := e.(type) {
	case Ask:
		return fmt.Sprintf("Ask for the turn of run %d", e.Run)
	case Withdraw:
		return fmt.Sprintf("Withdraw run %d", e.Run)
	case Launch:
		return fmt.Sprintf("Launch run %d", e.Run)
	case Verify:
		text := fmt.Sprintf("Verify run %d for %v", e.Run, e.Until.Sub(p.now))
		if !e.Coming.IsZero() {
			text += fmt.Sprintf(", may come for %v", e.Coming.Sub(p.now))
		}
		return text
	case Doubt:
		return fmt.Sprintf("Doubt run %d for %v", e.Run, e.Until.Sub(p.now))
	case Probe:
		return fmt.Sprintf("Probe run %d for %v", e.Run, e.Until.Sub(p.now))
	case Term:
		return fmt.Sprintf("Term run %d", e.Run)
	case Kill:
		return fmt.Sprintf("Kill run %d", e.Run)
	case Arm:
		return fmt.Sprintf("Arm in %v", e.At.Sub(p.now))
	case Open:
		if e.LastUse.Before(p.now) {
			return fmt.Sprintf("Open run %d, last used %v ago", e.Run, p.now.Sub(e.LastUse))
		}
		return fmt.Sprintf("Open run %d", e.Run)
	case Shut:
		if e.UnusedSince.IsZero() {
			return fmt.Sprintf("Shut run %d", e.Run)
		}
		text := fmt.Sprintf("Shut run %d if unused for %v", e.Run, p.now.Sub(e.UnusedSince))
		if !e.Expected.IsZero() {
			text += " and used since the Grant"
		}
		return text
	case Close:
		if e.Cut {
			return fmt.Sprintf("Close run %d and cut", e.Run)
		}
		return fmt.Sprintf("Close run %d", e.Run)
	case Grant:
		return fmt.Sprintf("Grant %s", e.Waiter)
	case Refuse:
		text := fmt.Sprintf("Refuse %s: %s", e.Waiter, refusalNames[e.Refusal.Reason])
		if e.Refusal.RetryAfter > 0 {
			text += fmt.Sprintf(", retry after %v", e.Refusal.RetryAfter)
		}
		return text
	case Record:
		if e.Aside {
			return "Record"
		}
		return fmt.Sprintf("%q", e.Reason)
	case End:
		return "End"
	}
	return fmt.Sprintf("%#v", e)
}

var refusalNames = map[RefusalReason]string{
	StartFailed: "StartFailed", StartTimeout: "StartTimeout", Backoff: "Backoff", Held: "Held",
	Overloaded: "Overloaded", Closing: "Closing", Interrupted: "Interrupted", AlreadyUp: "AlreadyUp",
	NotUp: "NotUp", StopFailed: "StopFailed", Needed: "Needed",
}

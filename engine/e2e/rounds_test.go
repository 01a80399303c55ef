package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", 0, "repeat the rounds of TestKilledAtEveryPoint with this seed; 0: another each time")

// pursuits is a service for each way to be run, to be ready and to end.
const pursuits = `
services:
  steady: {run: {{svc "steady"}}, base: "http://127.0.0.1:{{port "steady"}}", idleTimeout: 5m}
  family: {run: {{svc "family" "-children=1" "-strays=1"}}, base: "http://127.0.0.1:{{port "family"}}", idleTimeout: 5m, umask: "022"}
  deaf:   {run: {{svc "deaf" "-stubborn"}}, base: "http://127.0.0.1:{{port "deaf"}}", idleTimeout: 5m, stopTimeout: 100ms}
  says:   {run: {{svc "says" "-notifies"}}, base: "http://127.0.0.1:{{port "says"}}", healthCheck: {type: notify}, idleTimeout: 5m}
  naps:   {run: {{svc "naps"}}, base: "http://127.0.0.1:{{port "naps"}}", idleTimeout: 200ms}
  fails:  {run: "exit 3", base: "http://127.0.0.1:{{port "fails"}}", idleTimeout: 5m}
`

// TestKilledAtEveryPoint: kill -9 of the engine, of the keeper or of both between any two steps of either, while all that
// can be done is done. Afterwards nothing is orphaned, started twice or stuck, and the idle clock goes on. 20 rounds, or
// with -soak 1000 200 of them, and so every point.
func TestKilledAtEveryPoint(t *testing.T) {
	t.Parallel()
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	names := points(t)
	var mu sync.Mutex
	reached, played, sprung := map[string]bool{}, 0, 0
	all := trapsOf(names, from)[:repeated(20, 200)]
	t.Run("rounds", func(t *testing.T) {
		for n, trap := range all {
			t.Run(fmt.Sprintf("%03d-%v", n, trap), func(t *testing.T) {
				t.Parallel()
				r := newRound(t, trap)
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					for _, point := range r.reached() {
						reached[point] = true
					}
					played++
					if r.prey() != 0 {
						sprung++
					}
					if t.Failed() {
						t.Logf("again: go test ./engine/e2e -run '%s' -soak %d -seed %d", t.Name(), *soak, from)
					}
				}()
				r.play(rand.New(rand.NewPCG(from, uint64(n))))
				r.isWell()
			})
		}
	})
	t.Logf("seed %d: %d rounds, in %d of them something was killed; %d of %d points were reached", from, played, sprung, len(reached), len(names))
	if played < len(all) {
		return // only some were asked for
	}
	for _, name := range names {
		if !reached[name] {
			t.Errorf("no round has reached %s", name)
		}
	}
	if sprung < len(all)*3/4 {
		t.Errorf("something was killed in %d of %d rounds only", sprung, len(all))
	}
}

// trapsOf are enough traps for every point, in an order of chance: each with what is killed, first at the first time.
func trapsOf(names []string, seed uint64) []trap {
	chance := rand.New(rand.NewPCG(seed, 0))
	var all []trap
	for nth := range 3 {
		some := len(all)
		for _, name := range names {
			for _, end := range []string{"self", "other", "both"} {
				all = append(all, trap{name, nth + 1, end})
			}
		}
		chance.Shuffle(len(all)-some, func(i, j int) { all[some+i], all[some+j] = all[some+j], all[some+i] })
	}
	return all
}

func newRound(t *testing.T, a trap) *round {
	r := &round{world: newWorld(t), trap: a, leaving: map[*engine]bool{}}
	if err := os.Mkdir(r.traps(), 0o700); err != nil {
		t.Fatal(err)
	}
	r.file = r.config(pursuits + serviceOf("daemon", "daemon", "", "startTimeout: 10s") + serviceOf("foreground", "foreground", "", "startTimeout: 10s"))
	return r
}

var (
	woken   = []string{"family", "deaf", "says", "naps", "daemon", "foreground", "fails"}
	stopped = []string{"family", "deaf", "says", "daemon", "foreground"}
)

// play does all there is to do, in an order of chance, until the trap fires; then whom it is for is ended.
func (r *round) play(chance *rand.Rand) {
	e := r.bring()
	e.ready()
	asked := time.Now()
	steady := e.ask("steady", "/").Pid
	e.rests("steady")
	r.arm()
	acts := []func(){r.endEngine(syscall.SIGTERM), r.endEngine(syscall.SIGKILL), r.endKeeper, r.takeOver}
	for _, name := range woken {
		acts = append(acts, func() { r.wake(name) })
	}
	for _, name := range stopped {
		acts = append(acts, func() { r.wake(name); r.call("POST", r.current().adminURL("services/"+name+"/stop"), "") })
	}
	chance.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
	acts = append(acts, func() { r.endEngine(syscall.SIGINT)(); steady = 0 })
	for _, act := range acts {
		if !r.isSprung() {
			act()
		}
	}
	r.disarm()
	if r.prey() != 0 {
		r.sprungAt = time.Now()
		r.execute()
	}
	e = r.present()
	if steady != 0 {
		r.goesOn(e, steady, asked)
	}
}

func (r *round) current() *engine { return r.engines[len(r.engines)-1] }

// wake asks for a service, and for the one that naps waits until it sleeps again.
func (r *round) wake(name string) {
	e := r.current()
	r.call("GET", fmt.Sprintf("http://127.0.0.1:%d/", r.port("front")), name)
	if name == "naps" {
		r.orSprung("it to sleep", func() bool { return len(r.events("naps", "exit")) == r.starts("naps") || e.ended() })
	}
}

// orSprung waits for a condition, or for the trap.
func (r *round) orSprung(what string, holds func() bool) {
	r.until(what+", or for the trap", func() bool { return r.isSprung() || holds() })
}

// endEngine ends the engine and starts the next.
func (r *round) endEngine(s syscall.Signal) func() {
	return func() {
		e := r.current()
		r.leaving[e] = true
		e.cmd.Process.Signal(s)
		r.orSprung("the engine to end", e.ended)
		if !r.isSprung() {
			r.serves(r.bring())
		}
	}
}

// endKeeper has the engine find another.
func (r *round) endKeeper() {
	pid := 0
	for _, p := range r.parts() {
		if strings.Contains(p.command, " keeper ") {
			pid = p.pid
		}
	}
	syscall.Kill(pid, syscall.SIGKILL)
	r.orSprung("another keeper", func() bool {
		return slices.ContainsFunc(r.parts(), func(p process) bool { return p.pid != pid && strings.Contains(p.command, " keeper ") })
	})
}

// takeOver has an engine take the place of the one that serves.
func (r *round) takeOver() {
	before := r.current()
	r.serves(r.bring("-takeover"))
	r.orSprung("the engine before to leave", before.ended)
}

// serves waits for an engine to do so.
func (r *round) serves(e *engine) {
	r.orSprung("the engine to serve", func() bool { return e.log.find(`"msg":"listening"`) != "" || e.ended() })
}

// goesOn wants that a service that had nothing to do with it was not touched: it is the same process, and its last use
// is that of before.
func (r *round) goesOn(e *engine, pid int, asked time.Time) {
	r.Helper()
	i := e.reach("steady", "ready")
	if i.Pid != pid || r.starts("steady") != 1 {
		r.Errorf("what ran as pid %d is pid %d after %d starts", pid, i.Pid, r.starts("steady"))
	}
	last := *i.LastAccessTime
	if last < asked.UnixMilli() || !r.sprungAt.IsZero() && last > r.sprungAt.UnixMilli() {
		r.Errorf("the idle clock was lost: last used at %d, and it was asked at %d, and somebody killed at %d", last, asked.UnixMilli(), r.sprungAt.UnixMilli())
	}
}

// isWell wants that every service can be had and be ended, and that each has the processes that it is to have, and no
// more.
func (r *round) isWell() {
	e := r.present()
	for _, name := range append([]string{"steady"}, woken...) {
		if name == "fails" {
			continue
		}
		r.until(name+" to be served", func() bool {
			reply, err := e.try("GET", name, "/", nil)
			_, unseen := reply.seen()
			return err == nil && unseen == nil
		})
		want := 1
		if name == "family" {
			want = 3
		}
		if name != "naps" && !eventually(func() bool { return len(r.processes(name)) == want }) {
			r.Errorf("%s has %v; want %d", name, r.processes(name), want)
		}
	}
	e.reach("naps", "stopped")
	r.none("naps")
	e.interrupt()
}

package e2e

import (
	"net/http"
	"os"
	"testing"
)

// launching is a round whose trap springs while the start command of a service that stays in the foreground is launched.
// The service does not listen yet.
func launching(t *testing.T, a trap) *round {
	r := withTrap(t, a, serviceOf("foreground", "foreground", `"-start-gate=listens"`, "startTimeout: 1m"))
	r.arm()
	go r.wake("foreground")
	r.until("the trap to be sprung", r.isSprung)
	r.await("foreground", "start", 1)
	r.execute()
	return r
}

// withTrap is a round of some services whose trap is not armed yet. There is the gate listens.
func withTrap(t *testing.T, a trap, services string) *round {
	w := newWorld(t)
	w.gate("listens")
	r := &round{world: w, trap: a, leaving: map[*engine]bool{}}
	if err := os.Mkdir(r.traps(), 0o700); err != nil {
		t.Fatal(err)
	}
	r.file = r.config("services:\n" + services)
	r.bring().ready()
	return r
}

// TestStopOfALaunchThatWasCutOff: the keeper is killed before it has said which process a start command has. A stop that
// is done means that it does not run.
func TestStopOfALaunchThatWasCutOff(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"keeper.forked", "keeper.launched"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			r := launching(t, trap{point, 1, "self"})
			e := r.present()
			reply := e.outcome(e.stop("foreground"))
			if left := r.processes("foreground"); reply.status != http.StatusOK || len(left) > 0 {
				t.Errorf("the stop got %v, and there are %v", reply, left)
			}
		})
	}
}

// TestLaunchThatIsOnNoRecord: engine and keeper are killed when a start command runs and nobody has noted which process
// it is. The next engine knows it.
func TestLaunchThatIsOnNoRecord(t *testing.T) {
	t.Parallel()
	r := launching(t, trap{"keeper.forked", 1, "both"})
	e := r.present()
	pid := r.events("foreground", "start")[0].Pid
	if i := e.inspect("foreground"); i.State != "starting" || i.Pid != pid {
		t.Errorf("it is known as %+v; want pid %d", i, pid)
	}
	r.open("listens")
	if got := e.ask("foreground", "/"); got.Pid != pid || r.starts("foreground") != 1 {
		t.Errorf("served by pid %d after %d starts; want %d after one", got.Pid, r.starts("foreground"), pid)
	}
	e.stopped("foreground", e.stop("foreground"))
	r.none("foreground")
}

// TestStopCommandThatWasCutOff: the keeper is killed before it has run a stop command. The service does not listen yet,
// and is not taken for one that is down.
func TestStopCommandThatWasCutOff(t *testing.T) {
	t.Parallel()
	r := withTrap(t, trap{"keeper.asked", 1, "self"}, `
  daemon:
    base: http://127.0.0.1:{{port "daemon"}}
    commands:
      start: '{{sh "daemon" "-start-gate=listens"}} -listen=127.0.0.1:{{port "daemon"}} & echo $! > daemon.pid'
      stop: 'kill $(cat daemon.pid)'
    startTimeout: 1m
    idleTimeout: 1h
`)
	e := r.present()
	e.later("GET", "daemon", "/", nil)
	r.await("daemon", "start", 1)
	e.until("the start command to have returned", func() bool { return e.inspect("daemon").Pid == 0 })
	r.arm()
	stop := e.stop("daemon")
	r.until("the trap to be sprung", r.isSprung)
	r.execute()
	e.stopped("daemon", stop)
	r.none("daemon")
}

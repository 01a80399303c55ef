package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What fail points need: the binary that has them, one of them armed in a world, and who is ended when it fires.

const failpointFolder = "DYNAPM_FAILPOINT"

// points reads the names of the fail points from where they are listed.
func points(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../actors/keeper/failpoint/points.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\t"([a-z]+\.[a-z]+)",`).FindAllSubmatch(text, -1) {
		names = append(names, string(m[1]))
	}
	if len(names) < 50 {
		t.Fatalf("only %d points were found: %v", len(names), names)
	}
	return names
}

// TestNoFailPointsInABinaryForUse: what is built without the tag knows neither the variable nor any name.
func TestNoFailPointsInABinaryForUse(t *testing.T) {
	t.Parallel()
	for _, p := range []*program{&built, &armed} {
		text, err := os.ReadFile(p.path(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{failpointFolder, "run.unstarted"} {
			if found := bytes.Contains(text, []byte(word)); found != (p == &armed) {
				t.Errorf("%s has %q: %v", p.name, word, found)
			}
		}
	}
}

// trap is a fail point: where something is ended, the how manieth time, and what.
type trap struct {
	point string
	nth   int
	end   string // self, other, both
}

func (a trap) String() string { return fmt.Sprintf("%s:%d-%s", a.point, a.nth, a.end) }

// round is a world whose engines and keepers have a fail point that is armed at some time.
type round struct {
	*world
	trap
	file     string // the config
	engines  []*engine
	leaving  map[*engine]bool // was told to
	sprung   context.Context  // ends when the trap has fired
	sprungAt time.Time
}

func (w *world) traps() string { return filepath.Join(w.dir, "traps") }

// arm sets the trap and begins to watch it.
func (r *round) arm() {
	r.Helper()
	action := "stop"
	if r.end == "self" {
		action = "kill"
	}
	r.write("traps/armed", fmt.Sprintf("%s:%d=%s", r.point, r.nth, action))
	ctx, cancel := context.WithCancel(r.Context())
	r.sprung = ctx
	go func() {
		defer cancel()
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for r.prey() == 0 {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}()
}

// disarm takes away a trap that nobody came into.
func (r *round) disarm() { os.Remove(filepath.Join(r.traps(), "armed")) }

// prey is the pid of who came into the trap, 0 while nobody has.
func (r *round) prey() int {
	text, err := os.ReadFile(filepath.Join(r.traps(), "fired"))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(string(text))
	return pid
}

// reached are the points that somebody has come to.
func (r *round) reached() []string {
	text, _ := os.ReadFile(filepath.Join(r.traps(), "reached"))
	return strings.Fields(string(text))
}

// bring starts an engine with fail points, which nobody waits for.
func (r *round) bring(flags ...string) *engine {
	r.Helper()
	cmd := exec.Command(armed.path(r.T), append([]string{"engine", "-config", r.file}, flags...)...)
	cmd.Env = []string{failpointFolder + "=" + r.traps()}
	e := r.launchAs(cmd, r.file)
	r.engines = append(r.engines, e)
	return e
}

// execute ends whom the trap is for, when somebody has come into it.
func (r *round) execute() {
	r.Helper()
	pid := r.prey()
	if r.end == "self" {
		r.gone(pid)
		return
	}
	// It may have been ended on its way into the trap, by what the round was doing.
	r.until("the one in the trap to be halted", func() bool { return halted(pid) || !alive(pid) })
	for _, p := range r.parts() {
		if p.pid != pid {
			syscall.Kill(p.pid, syscall.SIGKILL)
			r.gone(p.pid)
		}
	}
	if r.end == "other" {
		syscall.Kill(pid, syscall.SIGCONT)
		return
	}
	syscall.Kill(pid, syscall.SIGKILL)
	r.gone(pid)
}

// gone waits for the end of an engine or a keeper. While threads of it end it may look dead and its sockets may yet be
// listening.
func (r *round) gone(pid int) {
	r.Helper()
	for _, e := range r.engines {
		if e.cmd.Process.Pid == pid {
			r.until("the engine that was killed to be gone", e.ended)
			return
		}
	}
	r.until("the keeper that was killed to be gone", func() bool { return !alive(pid) })
}

// parts are the engines and keepers that run; not the programs that a keeper is about to become.
func (r *round) parts() []process {
	return slices.DeleteFunc(marked(r.mark), func(p process) bool {
		return !strings.HasPrefix(p.command, armed.path(r.T)+" ") || strings.Contains(p.command, " -become=")
	})
}

// halted tells whether a process was stopped by a signal (state T of proc(5)).
func halted(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return bytes.HasPrefix(rest, []byte("T"))
}

// present returns an engine that serves and means to stay: one that has survived, or another.
func (r *round) present() *engine {
	r.Helper()
	var found *engine
	r.until("one engine to be left, or none", func() bool {
		all := 0
		for _, e := range r.engines {
			if e.ended() {
				continue
			}
			all++
			found = e
		}
		if all == 0 {
			found = r.bring()
			return true
		}
		return all == 1 && !r.leaving[found] && found.log.find("another engine takes over") == "" &&
			found.log.find(`"msg":"listening"`) != ""
	})
	found.ready()
	return found
}

// call makes a request whose answer does not matter; it is given up when the trap fires.
func (r *round) call(method, url, host string) {
	request, err := http.NewRequestWithContext(r.sprung, method, url, nil)
	if err != nil {
		r.Error(err)
		return
	}
	request.Host = host
	finish(http.DefaultClient.Do(request))
}

func (r *round) isSprung() bool { return r.sprung.Err() != nil }

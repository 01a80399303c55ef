package real

import (
	"fmt"
	"strings"
	"testing"
)

// example is one of examples/ and what to expect of it.
type example struct {
	folder  string
	service string   // asked through the gateway
	says    []string // what its answers hold, one after the other
	// instance tells one run of the service from another; without it, by the process that status names.
	instance func(e *engine) string
	stays    []string // command lines of what the service leaves behind with good reason
	asleep   func(e *engine)
	awake    func(e *engine)
}

// live takes a service through what a user sees of it: it wakes, outlives the engine, sleeps, and wakes again.
func (w *world) live(x example) {
	w.Helper()
	instance := x.instance
	if instance == nil {
		instance = func(e *engine) string { pid := e.status(x.service).Pid; return fmt.Sprint(pid, " of ", born(pid)) }
	}
	e := w.start(x.folder)
	ask := func(nth int) string {
		w.Helper()
		if got, want := e.get(x.service), x.says[min(nth, len(x.says)-1)]; !strings.Contains(got, want) {
			w.Errorf("answer %d of %s is %q; want %q in it", nth+1, x.service, got, want)
		}
		e.is(x.service, "ready")
		return instance(e)
	}

	first := ask(0)
	e.replace()
	if second := ask(1); second != first {
		w.Errorf("after kill -9 of the engine it is %s; it was %s", second, first)
	}
	if n := e.status(x.service).StartCount; n != 1 {
		w.Errorf("%d starts; want 1", n)
	}

	e.sleeps(x.service)
	w.onlyLeft(append(x.stays, ourOwn...)...)
	if x.asleep != nil {
		x.asleep(e)
	}

	if third := ask(2); third == first {
		w.Errorf("it slept, and is still %s", third)
	}
	if x.awake != nil {
		x.awake(e)
	}
	e.interrupt()
	w.onlyLeft(x.stays...)
}

func TestPython(t *testing.T) {
	newWorld(t, "python3").live(example{folder: "python", service: "files", says: []string{"dynapm.yaml"}})
}

func TestNode(t *testing.T) {
	newWorld(t, "node").live(example{folder: "node", service: "node", says: []string{"Hello from node"}})
}

func TestNginx(t *testing.T) {
	newWorld(t, "/usr/sbin/nginx").live(example{folder: "nginx", service: "nginx", says: []string{"Hello from nginx"}})
}

package real

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// example is one of examples/ and what to expect of it.
type example struct {
	folder  string
	service string   // asked through the gateway
	says    []string // what its answers hold, one after the other
	needs   []string // the services that it depends on
	// instance tells one run of the service from another; without it, by the processes that status names, also of what it
	// needs.
	instance func(e *engine) string
	stays    []string // command lines of what it leaves behind with good reason
	asleep   func(e *engine)
	awake    func(e *engine)
}

// live takes a service through what a user sees of it: it wakes, outlives the engine and its keeper, sleeps, and wakes
// again.
func (w *world) live(x example) {
	w.Helper()
	instance := x.instance
	if instance == nil {
		instance = func(e *engine) string { return e.processes(append(x.needs, x.service)...) }
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
	e.replaceAll()
	if third := ask(2); third != first {
		w.Errorf("after kill -9 of engine and keeper it is %s; it was %s", third, first)
	}
	if n := e.status(x.service).StartCount; n != 1 {
		w.Errorf("%d starts; want 1", n)
	}

	e.sleeps(x.service)
	for _, need := range x.needs {
		e.sleeps(need)
	}
	w.onlyLeft(slices.Concat(x.stays, ourOwn)...)
	if x.asleep != nil {
		x.asleep(e)
	}

	if fourth := ask(3); fourth == first {
		w.Errorf("it slept, and is still %s", fourth)
	}
	if x.awake != nil {
		x.awake(e)
	}
	e.interrupt()
	w.onlyLeft(x.stays...)
}

// processes tells the runs of managed services apart.
func (e *engine) processes(services ...string) string {
	e.Helper()
	var all []string
	for _, service := range services {
		pid := e.status(service).Pid
		all = append(all, fmt.Sprintf("%s: pid %d of %s", service, pid, born(pid)))
	}
	return strings.Join(all, ", ")
}

func TestPython(t *testing.T) {
	newWorld(t, "python3").live(example{folder: "python", service: "files", says: []string{"Hello from python"}})
}

func TestNode(t *testing.T) {
	newWorld(t, "node").live(example{folder: "node", service: "node", says: []string{"Hello from node"}})
}

func TestNginx(t *testing.T) {
	newWorld(t, "/usr/sbin/nginx").live(example{folder: "nginx", service: "nginx", says: []string{"Hello from nginx"}})
}

// TestNginxThatLeaves for the background is a service that has ended, and nothing of it stays.
func TestNginxThatLeaves(t *testing.T) {
	w := newWorld(t, "/usr/sbin/nginx")
	w.edit("nginx/nginx.conf", "daemon off;", "daemon on;")
	e := w.start("nginx")
	e.try("nginx", "/") // answered or not: it listens before it leaves
	e.until("nginx to have failed", func() bool { return e.status("nginx").State == "failed" })
	if i := e.status("nginx"); !strings.Contains(i.Reason, "exited with status 0") {
		e.Errorf("it failed because %q", i.Reason)
	}
	w.onlyLeft(ourOwn...)
}

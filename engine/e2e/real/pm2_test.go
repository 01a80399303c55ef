package real

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pm2 ends the PM2 daemon of this test with the test.
func (w *world) pm2() {
	w.Helper()
	w.Cleanup(func() {
		w.output("pm2", "kill")
		w.onlyLeft()
	})
}

// god is the pid of PM2's daemon.
func (w *world) god() int {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, ".pm2", "pm2.pid"))
	if err != nil {
		w.Fatal(err)
	}
	return number(w.T, strings.TrimSpace(string(text)))
}

// ofPM2 is the command line of its daemon.
const ofPM2 = "God Daemon"

func TestPM2(t *testing.T) {
	w := newWorld(t, "pm2", "node")
	w.pm2()
	w.live(example{
		folder: "pm2", service: "shop", says: []string{"Hello from the shop"}, stays: []string{ofPM2},
		instance: func(e *engine) string { return e.output("pm2", "pid", "shop") },
	})
}

// TestPM2IsSharedAndNotOurs: the daemon that the first start brought up has the second service too, and whatever is done
// to the first, neither is touched.
func TestPM2IsSharedAndNotOurs(t *testing.T) {
	w := newWorld(t, "pm2", "node")
	w.pm2()
	w.edit("pm2/dynapm.yaml", "idleTimeout: 10s", "idleTimeout: 10m") // PM2 is slow, and neither is to sleep meanwhile
	e := w.start("pm2")
	e.get("shop")
	daemon := e.god()
	since := born(daemon)
	e.get("news")
	news := e.output("pm2", "pid", "news")
	same := func(after string) {
		t.Helper()
		if e.god() != daemon || born(daemon) != since {
			t.Fatalf("after %s PM2 is another: pid %d, which was %d", after, e.god(), daemon)
		}
	}
	unharmed := func(after string) {
		t.Helper()
		same(after)
		if got := e.get("news"); !strings.Contains(got, "pid "+news+"\n") {
			t.Errorf("after %s news answers %q; want it from pid %s", after, got, news)
		}
	}
	e.dynapm("stop", "shop")
	unharmed("stop")
	e.get("shop")
	e.dynapm("restart", "shop")
	unharmed("restart")
	e.replace()
	e.dynapm("stop", "shop")
	unharmed("a stop by the next engine")
	e.get("shop")
	e.dynapm("down")
	e.until("the engine to end", e.ended)
	same("down")
	w.onlyLeft(ofPM2)
}

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// What the other tests rely on, without the engine: a harness that sees nothing finds nothing wrong.

// directly runs the helper service as the engine would, with the world's marks.
func (w *world) directly(name string, flags ...string) *exec.Cmd {
	w.Helper()
	cmd := exec.Command(self(), append([]string{"-name=" + name}, flags...)...)
	cmd.Env = append(w.env(), "HOST=127.0.0.1", fmt.Sprintf("PORT=%d", w.port(name)))
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func TestHarnessServiceAndItsRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("start", "stop")
	cmd := w.directly("blog", "-start-gate=start", "-stop-gate=stop", "-sick=1")
	if e := w.await("blog", "start", 1); e.Pid != cmd.Process.Pid || len(e.Env) == 0 {
		t.Errorf("start recorded as %+v", e)
	}
	if len(w.events("blog", "listen")) != 0 || listening()[w.port("blog")] {
		t.Error("it listens before its gate was opened")
	}
	w.open("start")
	w.await("blog", "listen", 1)
	if !listening()[w.port("blog")] {
		t.Error("its port is not seen")
	}

	client := w.clientOf(w.port("blog"))
	defer client.CloseIdleConnections()
	for _, want := range []int{503, 200} {
		if r, err := finish(client.Get("http://any" + atHealth)); r.status != want || err != nil {
			t.Errorf("health: %v (%v); want %d", r, err, want)
		}
	}
	r, err := finish(client.Post("http://blog/x?", "text/plain", strings.NewReader("abc")))
	if err != nil {
		t.Fatal(err)
	}
	_, sum := patternOf(0)
	if got := w.seen(r); got.Target != "/x?" || got.Host != "blog" || got.Length != 3 || got.SHA256 == sum || got.Requests != 1 || got.Checks != 2 {
		t.Errorf("it saw %+v", got)
	}

	cmd.Process.Signal(syscall.SIGTERM)
	if e := w.await("blog", "term", 1); e.Active != 0 || e.Idle <= 0 {
		t.Errorf("term recorded as %+v", e)
	}
	if !alive(cmd.Process.Pid) {
		t.Error("it ended before its gate was opened")
	}
	w.open("stop")
	if err := cmd.Wait(); err != nil {
		t.Errorf("it exited with %v", err)
	}
	w.none("blog")
}

// TestHarnessSeesTwoAtOnce: a run beside another that is alive, and none beside one that was killed.
func TestHarnessSeesTwoAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.directly("blog", "-mute")
	w.await("blog", "start", 1)
	second := w.directly("blog", "-mute")
	if e := w.await("blog", "double", 1); e.Pid != second.Process.Pid {
		t.Errorf("pid %d is said to be beside another; it is %d", e.Pid, second.Process.Pid)
	}
	for _, cmd := range []*exec.Cmd{first, second} {
		cmd.Process.Kill()
		cmd.Wait()
	}
	w.directly("blog", "-mute")
	w.await("blog", "start", 3)
	if n := len(w.events("blog", "double")); n != 1 {
		t.Errorf("%d runs are said to be beside another; want one", n)
	}
}

// TestHarnessFindsWhatIsLeft: processes by their mark, also those that left their session, and the sweeper ends them.
func TestHarnessFindsWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cmd := w.directly("blog", "-children=1", "-strays=1", "-mute")
	w.await("blog-child", "start", 1)
	w.await("blog-stray", "start", 1)
	if got := w.processes("blog"); len(got) != 3 {
		t.Errorf("found %v; want the service, its child and its stray", got)
	}
	if got := w.processes("blo"); len(got) != 0 {
		t.Errorf("found %v for another name", got)
	}
	sweeper := exec.Command(self())
	sweeper.Env = append(os.Environ(), sweeperSwitch+"="+w.mark)
	if err := sweeper.Run(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	w.none("blog")
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("the service ended by %v; want the sweeper's SIGKILL", cmd.ProcessState)
	}
}

func TestHarnessConfigAndPorts(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	text := w.expand(`run: {{svc "blog" "-raw"}}, start: {{sh "blog"}}, port: {{port "blog"}}, again: {{port "blog"}}`)
	list, err := json.Marshal([]string{self(), "-name=blog", "-raw"})
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("run: %s, start: %s -name=blog, port: %d, again: %[3]d", list, self(), w.port("blog")); text != want {
		t.Errorf("expanded to %s; want %s", text, want)
	}
	taken := map[int]bool{}
	for n := range 20 {
		for _, w := range []*world{w, other} {
			port := w.port(fmt.Sprint(n))
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if taken[port] || err != nil {
				t.Fatalf("port %d was given before, or is in use: %v", port, err)
			}
			taken[port] = true
			defer l.Close()
		}
	}
}

// TestHarnessPattern: a service's endless body is the one that the tests expect.
func TestHarnessPattern(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.directly("load")
	w.await("load", "listen", 1)
	client := w.clientOf(w.port("load"))
	defer client.CloseIdleConnections()
	want, _ := patternOf(300_000)
	for _, query := range []string{"", "&chunked=1"} {
		w.until("the service to answer", func() bool {
			r, err := finish(client.Get("http://load" + atLoad + "?bytes=300000" + query))
			return err == nil && r.status == http.StatusOK && r.body == string(want)
		})
	}
}

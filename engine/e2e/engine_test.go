package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// engine is a running `dynapm engine`.
type engine struct {
	*world
	config string
	cmd    *exec.Cmd
	client *http.Client
	log    *output

	exited chan struct{} // closed when the process has ended and was waited for
}

// start runs the engine with this config (see world.config) and returns when it listens. When the test ends, the
// engine is interrupted and must leave nothing behind.
func (w *world) start(config string) *engine {
	w.Helper()
	e := w.launch(w.config(config))
	e.ready()
	return e
}

// in gives the engine to a part of the test that started it.
func (e *engine) in(t *testing.T) *engine {
	part := *e
	part.world = &world{t, e.place}
	return &part
}

// launch runs the engine with a config file, and with flags; what it is good for shows later.
func (w *world) launch(file string, flags ...string) *engine {
	w.Helper()
	return w.launchAs(exec.Command(binary(w.T), append([]string{"engine", "-config", file}, flags...)...), file)
}

// launchAs is launch by a command of another form.
func (w *world) launchAs(cmd *exec.Cmd, file string) *engine {
	w.Helper()
	e := &engine{world: w, config: file, exited: make(chan struct{}), log: newOutput()}
	e.client = w.clientOf(w.port("front"))
	e.cmd = cmd
	e.cmd.Env, e.cmd.Dir = append(w.env(), cmd.Env...), w.dir
	read, write, err := os.Pipe()
	if err != nil {
		w.Fatal(err)
	}
	e.cmd.Stdout, e.cmd.Stderr = write, write
	err = e.cmd.Start()
	write.Close()
	if err != nil {
		w.Fatal(err)
	}
	go func() { e.log.copy(read); read.Close() }()
	go func() { e.cmd.Wait(); close(e.exited) }()
	w.Cleanup(e.finish)
	return e
}

// ready returns when the engine answers on its main listener and on its admin API.
func (e *engine) ready() {
	e.Helper()
	for _, name := range []string{"front", "admin"} {
		e.until("the engine to listen for "+name, func() bool {
			if e.ended() {
				e.Fatalf("the engine ended before it listened:\n%s", e.log)
			}
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.port(name)))
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
}

func (e *engine) ended() bool {
	select {
	case <-e.exited:
		return true
	default:
		return false
	}
}

// wait returns the exit status of the engine, when it has ended.
func (e *engine) wait() int {
	e.Helper()
	select {
	case <-e.exited:
	case <-time.After(patience):
		e.Fatalf("the engine does not end; its log:\n%s", e.log)
	}
	// Whatever it started must not have its output: a pipe that stays open hangs `dynapm engine | tee`.
	select {
	case <-e.log.ended:
	case <-time.After(patience):
		e.Errorf("the engine has ended and somebody still holds its output: %v", marked(e.mark))
	}
	return e.cmd.ProcessState.ExitCode()
}

// interrupt sends SIGINT as Ctrl-C does and returns when the engine has ended.
func (e *engine) interrupt() {
	e.Helper()
	e.signal(syscall.SIGINT)
	if code := e.wait(); code != 0 {
		e.Errorf("the engine exited with %d after SIGINT; want 0", code)
	}
}

func (e *engine) signal(s syscall.Signal) {
	e.Helper()
	if err := e.cmd.Process.Signal(s); err != nil {
		e.Fatal(err)
	}
}

// finish ends the engine if it still runs, and wants nothing left.
func (e *engine) finish() {
	e.Helper()
	if !e.ended() {
		e.interrupt()
	}
	e.client.CloseIdleConnections()
	e.nothingLeft()
	e.noDoubles()
	e.noRaces()
	if e.Failed() {
		e.Logf("the engine's log:\n%s", e.log)
	}
}

// nothingLeft wants no process of this world and none of its ports listening, and ends what it finds.
func (w *world) nothingLeft() {
	w.Helper()
	if !eventually(func() bool { return len(marked(w.mark)) == 0 }) {
		for _, p := range marked(w.mark) {
			w.Errorf("left behind: %v", p)
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	// A process that ends has no environment any more while its sockets are still open.
	var open map[int]bool
	inUse := func(port int) bool { return open[port] }
	eventually(func() bool {
		open = listening()
		return !slices.ContainsFunc(slices.Collect(maps.Values(w.ports)), inUse)
	})
	for name, port := range w.ports {
		if open[port] {
			w.Errorf("port %d (%s) is still listened on", port, name)
		}
	}
}

// noDoubles wants that no service was started while a run of it was alive.
func (w *world) noDoubles() {
	w.Helper()
	files, _ := filepath.Glob(filepath.Join(w.records(), "*.events"))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".events")
		if strings.HasSuffix(name, "-child") || strings.HasSuffix(name, "-stray") {
			continue // a service forks several by one name
		}
		for _, e := range w.events(name, "double") {
			w.Errorf("%s was started as pid %d (run %s) beside another that was alive", name, e.Pid, e.Run)
		}
	}
}

// noRaces wants no report of the race detector, neither from the engine nor, in its own log, from the keeper.
func (e *engine) noRaces() {
	e.Helper()
	texts := map[string]string{"the engine": e.log.String()}
	filepath.Walk(e.dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && strings.HasSuffix(path, ".log") {
			text, _ := os.ReadFile(path)
			texts[path] = string(text)
		}
		return nil
	})
	for where, text := range texts {
		if i := strings.Index(text, "WARNING: DATA RACE"); i >= 0 {
			e.Errorf("%s: %s", where, text[i:])
		}
	}
}

// output is what a process printed, line by line.
type output struct {
	mu    sync.Mutex
	lines []string
	ended chan struct{} // closed when nobody can write to it any more
}

func newOutput() *output { return &output{ended: make(chan struct{})} }

// copy reads until the end.
func (o *output) copy(from io.Reader) {
	defer close(o.ended)
	in := bufio.NewReader(from)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			o.mu.Lock()
			o.lines = append(o.lines, strings.TrimSuffix(line, "\n"))
			o.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.lines, "\n")
}

// find gives the first line that holds all the words, "" if there is none.
func (o *output) find(words ...string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, line := range o.lines {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			return line
		}
	}
	return ""
}

// logged returns the first line of the engine's log that holds all the words, as the fields of its JSON.
func (e *engine) logged(words ...string) map[string]any {
	e.Helper()
	var line string
	e.until(fmt.Sprintf("a line of the log with %q", words), func() bool {
		line = e.log.find(words...)
		return line != ""
	})
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		e.Fatalf("a line of the log is no JSON: %v in %q", err, line)
	}
	return fields
}

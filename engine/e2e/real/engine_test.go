package real

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// engine is a running `dynapm engine`.
type engine struct {
	*world
	config string
	cmd    *exec.Cmd
	log    string // the file of its output
	exited chan struct{}
}

// start runs the engine with an example and returns when it listens. When the test ends, it is interrupted.
func (w *world) start(example string) *engine {
	w.Helper()
	return w.startWith(filepath.Join(w.dir, "examples", example, "dynapm.yaml"))
}

// startWith does so with any config.
func (w *world) startWith(config string) *engine {
	w.Helper()
	e := &engine{world: w, config: config}
	e.log = filepath.Join(w.dir, "engine.log")
	e.launch()
	w.Cleanup(func() {
		if !e.ended() {
			e.interrupt()
		}
		if text, _ := os.ReadFile(e.log); w.Failed() {
			w.Logf("the engine's log:\n%s", text)
		}
	})
	return e
}

func (e *engine) launch() {
	e.Helper()
	log, err := os.OpenFile(e.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		e.Fatal(err)
	}
	defer log.Close()
	cmd, exited := exec.Command(binary(), "engine", "-config", e.config), make(chan struct{})
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = e.env(), e.dir, log, log
	if err := cmd.Start(); err != nil {
		e.Fatal(err)
	}
	go func() { cmd.Wait(); close(exited) }()
	e.cmd, e.exited = cmd, exited
	e.until("the engine to listen", func() bool {
		if e.ended() {
			text, _ := os.ReadFile(e.log)
			e.Fatalf("the engine ended before it listened:\n%s", text)
		}
		return e.dials("3000") && e.dials("4000")
	})
}

// dials tells whether somebody listens at a port of the examples.
func (w *world) dials(port string) bool {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.port(port)))
	if err == nil {
		conn.Close()
	}
	return err == nil
}

func (e *engine) ended() bool {
	select {
	case <-e.exited:
		return true
	default:
		return false
	}
}

// interrupt sends SIGINT as Ctrl-C does, which takes the services down, and returns when the engine has ended.
func (e *engine) interrupt() {
	e.Helper()
	e.cmd.Process.Signal(syscall.SIGINT)
	e.until("the engine to end", e.ended)
	if code := e.cmd.ProcessState.ExitCode(); code != 0 {
		e.Errorf("the engine exited with %d after SIGINT; want 0", code)
	}
}

// replace kills the engine with SIGKILL and starts the next.
func (e *engine) replace() {
	e.Helper()
	e.cmd.Process.Kill()
	<-e.exited
	e.launch()
}

// replaceAll does so to the engine and its keeper, so that nobody is left who knows what runs.
func (e *engine) replaceAll() {
	e.Helper()
	e.cmd.Process.Signal(syscall.SIGSTOP) // or it would have another keeper before it ends
	for _, p := range within(e.dir) {
		if strings.Contains(p.command, "/bin/dynapm keeper") {
			syscall.Kill(p.pid, syscall.SIGKILL)
			e.until("the keeper to be gone", func() bool { return born(p.pid) == "" })
		}
	}
	e.replace()
}

// try asks a service for a path.
func (e *engine) try(service, path string) (status int, body string) {
	e.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", e.port("3000")))
		},
	}}
	response, err := client.Get("http://" + service + ".localhost" + path)
	if err != nil {
		e.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		e.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// get asks a service for / and wants 200.
func (e *engine) get(service string) string {
	e.Helper()
	status, body := e.try(service, "/")
	if status != http.StatusOK {
		e.Fatalf("%s answered %d %q; its log:\n%s", service, status, body, e.dynapm("logs", service))
	}
	return body
}

// dynapm runs a command of the command line on the engine, and gives what it printed.
func (e *engine) dynapm(args ...string) string {
	e.Helper()
	return e.output(binary(), append(args, "-config", e.config)...)
}

// info is a service in the words of `dynapm status -json`.
type info struct {
	State      string
	Pid        int
	StartCount int
	Reason     string
}

func (e *engine) status(service string) (i info) {
	e.Helper()
	text := e.dynapm("status", "-json", service)
	if err := json.NewDecoder(bytes.NewBufferString(text)).Decode(&i); err != nil {
		e.Fatalf("%v in %q", err, text)
	}
	return i
}

// is wants a service in a state, as `dynapm status` shows it to a person.
func (e *engine) is(service, state string) {
	e.Helper()
	table := e.dynapm("status")
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == service {
			if !strings.Contains(line, state) {
				e.Errorf("want %s %s; status says: %s", service, state, line)
			}
			return
		}
	}
	e.Errorf("status says nothing of %s:\n%s", service, table)
}

// sleeps returns when a service was stopped because nobody used it.
func (e *engine) sleeps(service string) {
	e.Helper()
	var i info
	if !eventuallyIn(patience, func() bool { i = e.status(service); return i.State == "stopped" }) {
		e.Fatalf("%s does not fall asleep: %+v", service, i)
	}
	if !strings.HasPrefix(i.Reason, "idle for") {
		e.Errorf("%s was stopped because %q; want idleness", service, i.Reason)
	}
}

// onlyLeft wants no process of this world but those whose command line holds one of the words.
func (w *world) onlyLeft(words ...string) {
	w.Helper()
	strangers := func() (found []process) {
	next:
		for _, p := range within(w.dir) {
			for _, word := range words {
				if strings.Contains(p.command, word) {
					continue next
				}
			}
			found = append(found, p)
		}
		return found
	}
	if !eventuallyIn(patience, func() bool { return len(strangers()) == 0 }) {
		for _, p := range strangers() {
			w.Errorf("left behind: %v", p)
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}

// ourOwn are the command lines of the engine and its keeper.
var ourOwn = []string{"/bin/dynapm engine", "/bin/dynapm keeper"}

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// world is what one test has for itself, as a test or one of its parts sees it.
type world struct {
	*testing.T
	*place
}

// place is a world without the test.
type place struct {
	dir   string // config, and the engine's working directory
	state string // the engine's stateDir
	mark  string

	mu    sync.Mutex
	ports map[string]int
	gates map[string]*os.File
}

// worlds numbers the worlds of this run, for their marks.
var worlds atomic.Int64

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t, &place{dir: t.TempDir(), mark: fmt.Sprintf("%s-%d.", runMark, worlds.Add(1)), ports: map[string]int{}, gates: map[string]*os.File{}}}
	w.state = filepath.Join(w.dir, "state")
	if err := os.Mkdir(w.records(), 0o700); err != nil {
		t.Fatal(err)
	}
	return w
}

func (p *place) records() string { return filepath.Join(p.dir, "records") }

// env is what the engine gets: nothing of the machine's but what programs need, and the switches.
func (w *world) env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir,
		// Without this each program built with -race sleeps for a second before it exits.
		"GORACE=atexit_sleep_ms=0",
		serviceSwitch + "=1", recordsFolder + "=" + w.records(), markVariable + "=" + w.mark,
	}
}

// nextPort walks through a range that neither the kernel gives to clients nor the engine to services.
var nextPort atomic.Int64

const firstPort, portCount = 10000, 9000

// port gives the port that goes by the name in this world, and takes a free one at the first call. The abstract unix
// socket keeps it from other test runs on this machine.
func (w *world) port(name string) int {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if port, taken := w.ports[name]; taken {
		return port
	}
	for range portCount {
		port := firstPort + int(nextPort.Add(1)+int64(os.Getpid())*61)%portCount
		claim, err := net.Listen("unix", "@dynapm-e2e-"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		// To try it by listening would lend it to whatever process is being forked at the moment.
		if listening()[port] {
			claim.Close()
			continue
		}
		w.Cleanup(func() { claim.Close() })
		w.ports[name] = port
		return port
	}
	w.Fatal("no free port")
	return 0
}

// write puts a file into the folder of the world and returns its path.
func (w *world) write(name, text string) string {
	w.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}

// config writes dynapm.yaml. Its text is a template with
//
//	{{port "blog"}}            the port of that name
//	{{svc "blog" "-raw"}}      the helper service with these flags, as a list for run:
//	{{sh "blog" "-raw"}}       the same as words for a shell
//	{{dir}}                    the world's folder
//	{{self}}                   the helper service's program
//
// A text that says nothing of listen gets an address, a state directory and an admin API.
func (w *world) config(text string) string {
	w.Helper()
	if !strings.Contains(text, "listen:") {
		text = "listen: 127.0.0.1:{{port `front`}}\n" + text
	}
	if !strings.Contains(text, "stateDir:") {
		text = "stateDir: {{dir}}/state\n" + text
	}
	if !strings.Contains(text, "adminApi:") {
		text = "adminApi: {port: {{port `admin`}}}\n" + text
	}
	return w.write("dynapm.yaml", w.expand(text))
}

func (w *world) expand(text string) string {
	w.Helper()
	parsed, err := template.New("config").Funcs(template.FuncMap{
		"port": w.port,
		"dir":  func() string { return w.dir },
		"self": self,
		"svc": func(name string, flags ...string) (string, error) {
			list, err := json.Marshal(append([]string{self(), "-name=" + name}, flags...))
			return string(list), err
		},
		"sh": func(name string, flags ...string) string {
			return strings.Join(append([]string{self(), "-name=" + name}, flags...), " ")
		},
	}).Parse(strings.TrimLeft(text, "\n"))
	if err != nil {
		w.Fatal(err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, nil); err != nil {
		w.Fatal(err)
	}
	return out.String()
}

// self is the path of the test binary.
func self() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// gate makes the gates at which services wait; open lets one of them pass, now or when it comes.
func (w *world) gate(names ...string) {
	w.Helper()
	for _, name := range names {
		path := filepath.Join(w.records(), name+".gate")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			w.Fatal(err)
		}
		// Open for both directions, opening does not wait for a reader and what is written waits for one.
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { f.Close() })
		w.gates[name] = f
	}
}

func (w *world) open(name string) {
	w.Helper()
	if _, err := w.gates[name].Write([]byte{1}); err != nil {
		w.Fatal(err)
	}
}

// events reads what happened to a service so far, in order.
func (w *world) events(service string, what string) []event {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(w.records(), service+".events"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.Fatal(err)
	}
	var events []event
	for line := range strings.Lines(string(text)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			w.Fatalf("%s: %v in %q", service, err, line)
		}
		if e.What == what {
			events = append(events, e)
		}
	}
	return events
}

// starts counts how often a service was started.
func (w *world) starts(service string) int {
	w.Helper()
	return len(w.events(service, "start"))
}

// await returns the nth event of a kind, when it has happened.
func (w *world) await(service, what string, nth int) event {
	w.Helper()
	var events []event
	w.until(fmt.Sprintf("%s: event %q number %d", service, what, nth), func() bool {
		events = w.events(service, what)
		return len(events) >= nth
	})
	return events[nth-1]
}

// sleptInTime wants that a service was never told to stop with a request in flight, nor sooner after one than its idle
// timeout.
func (w *world) sleptInTime(service string, idle time.Duration) {
	w.Helper()
	terms := w.events(service, "term")
	if len(terms) == 0 {
		w.Errorf("%s was never told to stop", service)
	}
	for n, term := range terms {
		if term.Active != 0 || term.Idle < idle {
			w.Errorf("stop %d of %s came with %d requests in flight, %v after the last; want none and at least %v", n+1, service, term.Active, term.Idle, idle)
		}
	}
}

// until returns when the condition holds.
func (w *world) until(what string, holds func() bool) {
	w.Helper()
	if !eventually(holds) {
		w.Fatalf("waited in vain for %s", what)
	}
}

// eventually tells whether the condition comes to hold.
func eventually(holds func() bool) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			return false
		}
	}
	return true
}

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// The faults of the program that this one replaces, and the tests that hold that they are not here:
//
//	one failed start command leaves a        TestStartsThatFail, TestDelegatedStartThatFails
//	service starting for ever
//	a client that leaves during a cold       TestClientGoneWhileWaiting, TestAClientThatLeavesHoldsNothing
//	start leaks a connection, and the
//	service never sleeps
//	ten POSTs at once give ten start         TestTenPOSTsMakeOneStart
//	commands
//	twenty requests during a stop give       TestTwentyRequestsDuringAStopMakeOneStart
//	eight
//	a request during a start that the API    TestRequestDuringAStartThatAnotherBegan
//	or a WebSocket began gets 502
//	a core is burnt while a slow port is     TestASlowPortCostsLittle
//	waited for
//	a start command in the foreground is     TestNothingOfALateStartCommandLivesOn
//	killed at its timeout, and its child
//	lives on
//	a failed stop is forgotten, and the      TestDelegatedStopThatFails
//	process stays
//	the idle time counts from the start of   TestStreamOfRequestsKeepsTheServiceUp
//	the last request

// counted is a daemon that counts how often its start command is run. It listens, and ends, when its gates are opened.
const counted = `
services:
  blog:
    base: http://127.0.0.1:{{port "blog"}}
    commands:
      start: 'echo started >> commands; {{sh "blog" "-start-gate=listens" "-stop-gate=exits"}} -listen=127.0.0.1:{{port "blog"}} & echo $! > blog.pid'
      stop: 'kill $(cat blog.pid)'
      check: grep -q '^State:.[^ZX]' /proc/$(cat blog.pid)/status
    startTimeout: 1m
    stopTimeout: 1m
    idleTimeout: 5m
`

// commands counts how often the start command was run.
func (w *world) commands() int {
	text, _ := os.ReadFile(filepath.Join(w.dir, "commands"))
	return strings.Count(string(text), "started")
}

func TestTenPOSTsMakeOneStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("listens", "exits")
	e := w.start(counted)
	var pending []<-chan result
	for n := range 10 {
		pending = append(pending, e.later("POST", "blog", fmt.Sprintf("/%d", n), strings.NewReader("once")))
	}
	e.parked("blog", 10)
	e.open("listens")
	for n, p := range pending {
		if got := e.seen(e.outcome(p)); got.Method != "POST" || got.Length != 4 || got.Target != fmt.Sprintf("/%d", n) {
			t.Errorf("POST /%d arrived as %+v", n, got)
		}
	}
	if n := w.commands(); n != 1 || e.starts("blog") != 1 || len(e.events("blog", "request")) != 10 {
		t.Errorf("%d start commands, %d starts, %d requests", n, e.starts("blog"), len(e.events("blog", "request")))
	}
	e.open("exits")
}

func TestTwentyRequestsDuringAStopMakeOneStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("listens", "exits")
	e := w.start(counted)
	e.open("listens")
	first := e.ask("blog", "/")
	stop := e.stop("blog")
	e.await("blog", "term", 1)
	var pending []<-chan result
	for range 20 {
		pending = append(pending, e.later("GET", "blog", "/", nil))
	}
	e.parked("blog", 20)
	e.open("exits")
	if r := e.outcome(stop); r.status != http.StatusOK {
		t.Errorf("the stop got %v", r)
	}
	e.open("listens")
	for _, p := range pending {
		if got := e.seen(e.outcome(p)); got.Pid == first.Pid {
			t.Errorf("served by pid %d, which was stopping", got.Pid)
		}
	}
	if n := w.commands(); n != 2 || e.starts("blog") != 2 {
		t.Errorf("%d start commands, %d starts; want 2", n, e.starts("blog"))
	}
	e.open("exits")
}

// TestRequestDuringAStartThatAnotherBegan is held like the one that begins a start.
func TestRequestDuringAStartThatAnotherBegan(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*engine) (end func()){
		"by the admin API": func(e *engine) func() {
			done := make(chan result, 1)
			go func() {
				r, err := finish(http.Post(e.adminURL("services/blog/start"), "", nil))
				done <- result{r, err}
			}()
			return func() {
				if r := e.outcome(done); r.status != http.StatusOK {
					e.Errorf("the start got %v", r)
				}
			}
		},
		"by a WebSocket": func(e *engine) func() {
			type dialed struct {
				conn *websocket.Conn
				err  error
			}
			done := make(chan dialed, 1)
			go func() {
				conn, _, err := websocket.Dial(e.Context(), "ws://blog"+atWS, &websocket.DialOptions{HTTPClient: e.client})
				done <- dialed{conn, err}
			}()
			return func() {
				d := <-done
				if d.err != nil {
					e.Fatal(d.err)
				}
				defer d.conn.CloseNow()
				e.exchange(d.conn, websocket.MessageText, "hello")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.gate("listens")
			e := w.start(`
services:
  blog: {run: {{svc "blog" "-start-gate=listens"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`)
			end := begin(e)
			e.await("blog", "start", 1)
			pending := e.later("GET", "blog", "/", nil)
			e.parked("blog", 2)
			e.open("listens")
			e.seen(e.outcome(pending))
			end()
			if n := e.starts("blog"); n != 1 {
				t.Errorf("%d starts", n)
			}
		})
	}
}

// TestASlowPortCostsLittle: the engine waits two seconds for a service to listen, and most of a core is left to that.
func TestASlowPortCostsLittle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.gate("listens")
	e := w.start(`
services:
  blog: {run: {{svc "blog" "-start-gate=listens"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`)
	pending := e.later("GET", "blog", "/", nil)
	e.await("blog", "start", 1)
	began, before := time.Now(), cpuTime(t, e.cmd.Process.Pid)
	e.until("two seconds to be over", func() bool { return time.Since(began) > 2*time.Second })
	burnt, waited := cpuTime(t, e.cmd.Process.Pid)-before, time.Since(began)
	if burnt > waited/4 {
		t.Errorf("the engine computed for %v of the %v that it waited", burnt, waited)
	}
	t.Logf("the engine computed for %v of the %v that it waited", burnt, waited)
	e.open("listens")
	e.seen(e.outcome(pending))
}

// TestNothingOfALateStartCommandLivesOn: the shell that stays, and what it waits for.
func TestNothingOfALateStartCommandLivesOn(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  late:
    base: http://127.0.0.1:{{port "late"}}
    commands: {start: '{{sh "late"}} -mute -children=1; true', stop: "true"}
    startTimeout: 2s
    stopTimeout: 500ms
`)
	if r := e.get("late", "/"); r.status != http.StatusGatewayTimeout {
		t.Errorf("the client got %v; want 504", r)
	}
	e.until("a start that comes as far as what the shell waits for", func() bool {
		begun := e.starts("late") > 0
		if !begun {
			e.admin("POST", api+"services/late/start")
		}
		return begun
	})
	e.reach("late", "failed")
	e.none("late")
}

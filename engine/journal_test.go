package engine

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"dynapm/actors"
	"dynapm/engine/config"
)

// logged runs tell with a journal and gives its lines, decoded.
func logged(t *testing.T, tell func(*journal)) []map[string]any {
	t.Helper()
	var out bytes.Buffer
	j := newJournal(slog.New(slog.NewJSONHandler(&out, nil)), nil)
	tell(j)
	j.close()
	var lines []map[string]any
	for _, text := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestWakeIsBrokenDown(t *testing.T) {
	at := time.Unix(1000, 0)
	ms := func(n int) time.Time { return at.Add(time.Duration(n) * time.Millisecond) }
	clock := actors.StartClock{Accepted: at, Launched: ms(2), Listening: ms(30), Ready: ms(31)}
	lines := logged(t, func(j *journal) {
		j.Record(actors.Record{Service: "blog", State: actors.StateReady, Run: 3, Pid: 42, Memory: actors.Memory{LastStart: clock}})
		clock.Connected, clock.FirstByte = ms(32), ms(45)
		j.wake(&service{Service: config.Service{Name: "blog"}}, at, clock)
	})
	want := map[string]any{"msg": "woke", "service": "blog", "launched": "2ms", "listening": "30ms", "connected": "32ms", "firstByte": "45ms"}
	for key, value := range want {
		if lines[1][key] != value {
			t.Errorf("%s is %v, want %v in %v", key, lines[1][key], value, lines[1])
		}
	}
	if l := lines[0]; l["msg"] != "ready" || l["pid"] != 42.0 || l["listening"] != "30ms" || l["connected"] != nil {
		t.Errorf("the line of the change of state is %v", l)
	}
}

// TestWakeTellsNoOldSteps: of a start that somebody else had begun only what was waited for is told, in the log and to
// the client.
func TestWakeTellsNoOldSteps(t *testing.T) {
	at := time.Unix(1000, 0)
	ms := func(n int) time.Time { return at.Add(time.Duration(n) * time.Millisecond) }
	clock := actors.StartClock{Accepted: at, Launched: ms(2), Listening: ms(30), Ready: ms(31), Connected: ms(32), FirstByte: ms(45)}
	lines := logged(t, func(j *journal) { j.wake(&service{Service: config.Service{Name: "blog"}}, ms(20), clock) })
	if l := lines[0]; l["launched"] != nil || l["listening"] != "10ms" || l["firstByte"] != "25ms" {
		t.Errorf("the line is %v", l)
	}
	for asked, want := range map[time.Time]string{
		at:      "Server-Timing: launch;dur=2, listen;dur=28, connect;dur=2, reply;dur=13\r\n",
		ms(20):  "Server-Timing: listen;dur=10, connect;dur=2, reply;dur=13\r\n",
		ms(100): "",
	} {
		if got := serverTiming(asked, clock); got != want {
			t.Errorf("asked at %v: %q, want %q", asked, got, want)
		}
	}
	clock.Listening = time.Time{} // a check by a command may not know
	if got, want := serverTiming(at, clock), "Server-Timing: launch;dur=2, connect;dur=30, reply;dur=13\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFailureIsAnError(t *testing.T) {
	lines := logged(t, func(j *journal) {
		j.Record(actors.Record{Service: "blog", From: actors.StateStarting, State: actors.StateFailed, Reason: "exit status 3"})
		j.Record(actors.Record{Service: "blog", From: actors.StateFailed, State: actors.StateFailed, Reason: "held down by order"})
	})
	if l := lines[0]; l["level"] != "ERROR" || l["msg"] != "failed" || l["reason"] != "exit status 3" {
		t.Errorf("the line is %v", l)
	}
	if l := lines[1]; l["level"] != "INFO" {
		t.Errorf("the line of what is no new failure is %v", l)
	}
}

// TestOutputOfAFailure is shown as it was printed where a person reads it, and kept apart where a program does.
func TestOutputOfAFailure(t *testing.T) {
	record := actors.Record{Service: "blog", State: actors.StateFailed, Reason: "exited with status 3; its last output:\n  one\n  two"}
	line := logged(t, func(j *journal) { j.Record(record) })[0]
	if line["reason"] != "exited with status 3" || line["output"] != "one\ntwo" {
		t.Errorf("the line is %v", line)
	}
	var screen bytes.Buffer
	j := newJournal(slog.New(slog.DiscardHandler), &screen)
	j.Record(record)
	j.close()
	if got := screen.String(); got != "    | one\n    | two\n" {
		t.Errorf("the terminal shows %q", got)
	}
}

// stuck is a terminal that somebody has paused, until released.
type stuck struct {
	released chan struct{}
	mu       sync.Mutex
	out      bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.released
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func TestSlowLogHoldsNobodyUp(t *testing.T) {
	terminal := &stuck{released: make(chan struct{})}
	j := newJournal(slog.New(slog.NewJSONHandler(terminal, nil)), nil)
	for range 2 * cap(j.lines) {
		j.Record(actors.Record{Service: "blog"}) // would hang here
		j.logger().Info("listening")
	}
	close(terminal.released)
	j.close()
	if !strings.Contains(terminal.out.String(), "log lines were dropped") {
		t.Error("lines were dropped and nothing said so")
	}
}

func TestEventsReachSubscribers(t *testing.T) {
	logged(t, func(j *journal) {
		events, cancel := j.subscribe()
		other, cancelOther := j.subscribe()
		cancelOther()
		j.Record(actors.Record{Service: "blog", State: actors.StateStopping, Reason: "idle"})
		if e := <-events; e.Service != "blog" || e.Status != "stopping" || e.State != "stopping" || e.Reason != "idle" {
			t.Errorf("the event is %+v", e)
		}
		select {
		case e := <-other:
			t.Errorf("a cancelled subscription got %+v", e)
		default:
		}
		j.unsubscribeAll()
		if _, open := <-events; open {
			t.Error("the stream is still open after unsubscribeAll")
		}
		cancel()
	})
}

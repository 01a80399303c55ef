package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dynapm/actors"
	"dynapm/engine/admin"
	"dynapm/netio"
)

// journal tells what happens: one log line per event, and the changes of state to whoever subscribed. Nobody must wait
// for a terminal that somebody has paused, so one goroutine writes; when it is far behind, lines are dropped and
// counted. It is actors' Journal.
type journal struct {
	log      *slog.Logger // of that goroutine alone; logger is for all others
	terminal io.Writer    // where a service's output is shown as the lines it had; nil: it goes into the log line
	lines    chan func()
	lost     atomic.Int64
	closed   chan struct{}

	mu          sync.Mutex
	subscribers map[chan admin.Event]struct{}
}

func newJournal(log *slog.Logger, terminal io.Writer) *journal {
	j := &journal{
		log:         log,
		terminal:    terminal,
		lines:       make(chan func(), 4096),
		closed:      make(chan struct{}),
		subscribers: map[chan admin.Event]struct{}{},
	}
	go j.write()
	return j
}

func (j *journal) write() {
	defer close(j.closed)
	for line := range j.lines {
		if line == nil {
			return
		}
		line()
		if n := j.lost.Swap(0); n > 0 {
			j.log.Warn("log lines were dropped: standard error is too slow", "lines", n)
		}
	}
}

func (j *journal) enqueue(line func()) {
	select {
	case j.lines <- line:
	default:
		j.lost.Add(1)
	}
}

// close writes what is still to be written, as far as it is taken within a second.
func (j *journal) close() {
	late := time.After(time.Second)
	select {
	case j.lines <- nil:
	case <-late:
		return
	}
	select {
	case <-j.closed:
	case <-late:
	}
}

// logger is a log whose lines the journal writes, after those it has.
func (j *journal) logger() *slog.Logger { return slog.New(later{j.log.Handler(), j}) }

// later is a handler that does not wait for the line to be written.
type later struct {
	slog.Handler
	journal *journal
}

func (l later) Handle(_ context.Context, r slog.Record) error {
	l.journal.enqueue(func() { l.Handler.Handle(context.Background(), r) })
	return nil
}

func (l later) WithAttrs(attrs []slog.Attr) slog.Handler {
	return later{l.Handler.WithAttrs(attrs), l.journal}
}
func (l later) WithGroup(name string) slog.Handler {
	return later{l.Handler.WithGroup(name), l.journal}
}

// Record tells a change of state.
func (j *journal) Record(r actors.Record) {
	j.enqueue(func() { j.state(r) })
	event := admin.Event{Service: r.Service, Status: word(r.State), State: r.State.String(), Reason: r.Reason, At: r.At}
	j.mu.Lock()
	defer j.mu.Unlock()
	for events := range j.subscribers {
		select {
		case events <- event:
		default:
		}
	}
}

func (j *journal) state(r actors.Record) {
	args := []any{"service", r.Service}
	if r.Run != 0 {
		args = append(args, "run", uint64(r.Run))
	}
	if r.Pid != 0 {
		args = append(args, "pid", r.Pid)
	}
	if r.State == actors.StateReady && r.From != actors.StateReady {
		args = append(args, steps(r.LastStart.Accepted, r.LastStart)...)
	}
	reason, output := r.Explain()
	if reason != "" {
		args = append(args, "reason", reason)
	}
	if output != "" && j.terminal == nil {
		args = append(args, "output", output)
	}
	level := slog.LevelInfo
	if r.State == actors.StateFailed && r.From != actors.StateFailed {
		level = slog.LevelError
	}
	j.log.Log(context.Background(), level, r.State.String(), args...)
	if output != "" && j.terminal != nil {
		fmt.Fprintf(j.terminal, "    | %s\n", strings.ReplaceAll(output, "\n", "\n    | "))
	}
}

// wake tells how long the first of those who waited has waited since it asked, and for what.
func (j *journal) wake(s *service, asked time.Time, clock actors.StartClock) {
	j.enqueue(func() { j.log.Info("woke", append([]any{"service", s.Name}, steps(asked, clock)...)...) })
}

// steps are those of a start that came after it was asked for, as time since then.
func steps(asked time.Time, c actors.StartClock) []any {
	var args []any
	for _, step := range []struct {
		name string
		at   time.Time
	}{{"launched", c.Launched}, {"listening", c.Listening}, {"connected", c.Connected}, {"firstByte", c.FirstByte}} {
		if !asked.IsZero() && step.at.After(asked) { // not what had been done before, for somebody else
			args = append(args, step.name, brief(step.at.Sub(asked)))
		}
	}
	return args
}

// requestLog is nil where the request log is off.
func (j *journal) requestLog(on bool) func(*netio.Entry) {
	if !on {
		return nil
	}
	return func(e *netio.Entry) {
		entry := *e
		j.enqueue(func() {
			service := ""
			switch r := entry.Route.(type) {
			case *route:
				service = r.Name
			case *unheard:
				service = r.Name
			}
			j.log.Info("request", "service", service, "client", entry.Client, "method", entry.Method, "host", entry.Host, "target", entry.Target,
				"status", entry.Status, "bytes", entry.Bytes, "took", brief(entry.Duration))
		})
	}
}

func (j *journal) subscribe() (<-chan admin.Event, func()) {
	events := make(chan admin.Event, 64)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.subscribers[events] = struct{}{}
	return events, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.subscribers, events)
	}
}

// unsubscribeAll ends every subscription, so that the streams of the admin API end.
func (j *journal) unsubscribeAll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for events := range j.subscribers {
		delete(j.subscribers, events)
		close(events)
	}
}

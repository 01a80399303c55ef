package engine

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"dynapm/actors"
	"dynapm/actors/keeper"
	"dynapm/persist"
)

// memory joins what actors tell of services with the store that keeps it, so that the next engine knows them. The store
// is a hint: which processes run, the keeper says.
type memory struct {
	store *persist.Store
	found map[string]persist.Record // when it was opened
}

// rememberEvery is how much of its idle time a service can lose to an engine that is killed.
const rememberEvery = time.Second

func openMemory(dir string, log *slog.Logger) (*memory, error) {
	store, err := persist.Open(persist.Options{Dir: dir, Log: log})
	if err != nil {
		return nil, fmt.Errorf("cannot open the store of last known states: %w", err)
	}
	m := &memory{store: store, found: map[string]persist.Record{}}
	for _, r := range store.Records() {
		m.found[r.Service] = r
	}
	return m, nil
}

// last is what an earlier engine knew of a service; nil: nothing.
func (m *memory) last(service string) *actors.Last {
	r, known := m.found[service]
	if !known {
		return nil
	}
	state, ok := actors.ParseState(r.State)
	if !ok {
		return nil
	}
	last := &actors.Last{
		Memory: actors.Memory{
			LastRun:     actors.Run(max(r.LastRun, r.Run)),
			Held:        r.Held,
			Failures:    r.Failures,
			RetryAt:     r.RetryAt,
			StartCount:  int(r.StartCount),
			TotalUptime: r.TotalUptime,
		},
		State:      state,
		Reason:     r.Reason,
		Run:        actors.Run(r.Run),
		Since:      r.Since,
		ReadySince: r.ReadySince,
		LastUse:    r.LastUse,
		Address:    r.Address,
	}
	for _, s := range r.RecentStarts {
		past := actors.PastStart{Run: actors.Run(s.Run), Outcome: actors.Outcome(s.Outcome), Clock: clock(s)}
		if past.Run == last.Memory.LastRun {
			last.Memory.LastStart = past.Clock
		}
		if past.Outcome != underWay {
			last.Memory.RecentStarts = append(last.Memory.RecentStarts, past)
		}
	}
	return last
}

// underWay is the outcome, in the store, of a start that has not ended: how far it had come tells the next engine how
// long it may take yet.
const underWay actors.Outcome = ""

// processes are those of this boot that are on record: some of them may have ended since.
func (m *memory) processes() []keeper.Process {
	var list []keeper.Process
	for _, r := range m.found {
		if r.Run == 0 || r.Pid == 0 || r.StartTime == 0 || r.BootID == "" || r.BootID != bootID() {
			continue
		}
		role := keeper.RoleService
		if r.Kind == delegated {
			role = keeper.RoleStart
		}
		list = append(list, keeper.Process{Service: r.Service, Run: r.Run, Role: role, Pid: r.Pid, StartTime: r.StartTime})
	}
	return list
}

// keep writes a record down, some time soon.
func (m *memory) keep(s *service, r actors.Record) { m.store.Put(record(s, r)) }

// intend writes a record down and returns when it will survive.
func (m *memory) intend(ctx context.Context, s *service, r actors.Record) error {
	return m.store.PutSync(ctx, record(s, r))
}

func record(s *service, r actors.Record) persist.Record {
	out := persist.Record{
		Service: r.Service, Kind: s.kind(), State: r.State.String(), Held: r.Held, Reason: r.Reason,
		Run: uint64(r.Run), LastRun: uint64(r.LastRun), Pid: r.Pid, StartTime: r.StartTime,
		BootID: bootID(), Port: s.port, Address: r.Address,
		LastUse: r.LastUse, Since: r.Since, ReadySince: r.ReadySince, RetryAt: r.RetryAt,
		StartCount: uint64(r.StartCount), TotalUptime: r.TotalUptime, Failures: r.Failures,
	}
	starts := r.RecentStarts
	if n := len(starts); n == 0 || starts[n-1].Run != r.LastRun {
		starts = append(slices.Clip(starts), actors.PastStart{Run: r.LastRun, Clock: r.LastStart, Outcome: underWay})
	}
	out.RecentStarts = make([]persist.Start, 0, len(starts))
	for _, s := range starts {
		if s.Clock.Accepted.IsZero() {
			continue // nothing was started yet, or in a life of which nothing is known
		}
		out.RecentStarts = append(out.RecentStarts, persist.Start{
			Run: uint64(s.Run), At: s.Clock.Accepted, Outcome: string(s.Outcome),
			Launched: since(s.Clock.Accepted, s.Clock.Launched), Listening: since(s.Clock.Accepted, s.Clock.Listening),
			Ready: since(s.Clock.Accepted, s.Clock.Ready), Connected: since(s.Clock.Accepted, s.Clock.Connected),
			FirstByte: since(s.Clock.Accepted, s.Clock.FirstByte),
		})
	}
	return out
}

// since is 0 for a step that was not reached.
func since(asked, step time.Time) time.Duration {
	if asked.IsZero() || step.IsZero() {
		return 0
	}
	return step.Sub(asked)
}

// clock undoes since.
func clock(s persist.Start) actors.StartClock {
	step := func(after time.Duration) time.Time {
		if after == 0 {
			return time.Time{}
		}
		return s.At.Add(after)
	}
	return actors.StartClock{Accepted: s.At, Launched: step(s.Launched), Listening: step(s.Listening),
		Ready: step(s.Ready), Connected: step(s.Connected), FirstByte: step(s.FirstByte)}
}

// follow writes down who was used, until ctx ends.
func (m *memory) follow(ctx context.Context, system *actors.System) {
	tick := time.NewTicker(rememberEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			system.LastUses(m.store.Used)
		}
	}
}

// close writes down who was used last, and what is still pending.
func (m *memory) close(ctx context.Context, system *actors.System) error {
	system.LastUses(m.store.Used)
	return m.store.Close(ctx)
}

// bootID tells one boot of the machine from another: a process id means something within one (random(4)).
var bootID = sync.OnceValue(func() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it a record says less, which is no fault
	return strings.TrimSpace(string(id))
})

// forget drops what is known of services that the config does not name any more.
func (m *memory) forget(known map[string]*service) {
	for name := range m.found {
		if known[name] == nil {
			m.store.Forget(name)
		}
	}
}

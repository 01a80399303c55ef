package engine

import (
	"context"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"dynapm/actors"
	"dynapm/engine/config"
)

// TestMemoryOfAStart: what an engine knew of the starts of a service, the one under way included, the next one knows.
func TestMemoryOfAStart(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	ready := actors.StartClock{Accepted: at, Launched: at.Add(time.Millisecond), Listening: at.Add(2 * time.Millisecond), Ready: at.Add(3 * time.Millisecond)}
	ready.Connected, ready.FirstByte = at.Add(4*time.Millisecond), at.Add(5*time.Millisecond)
	half := actors.StartClock{Accepted: at.Add(time.Hour), Launched: at.Add(time.Hour + time.Millisecond)}
	past := []actors.PastStart{{Run: 1, Clock: ready, Outcome: actors.OutcomeReady}}
	for name, want := range map[string]actors.Memory{
		"none":                      {},
		"the first, under way":      {LastRun: 1, StartCount: 1, LastStart: half},
		"the first, ready":          {LastRun: 1, StartCount: 1, LastStart: ready, RecentStarts: past},
		"the second, under way":     {LastRun: 2, StartCount: 2, LastStart: half, RecentStarts: past},
		"one of a life not on file": {LastRun: 2, StartCount: 1, RecentStarts: past},
	} {
		t.Run(name, func(t *testing.T) {
			dir, log, s := t.TempDir(), slog.New(slog.DiscardHandler), &service{Service: config.Service{Name: "blog"}}
			m, err := openMemory(dir, log)
			if err != nil {
				t.Fatal(err)
			}
			m.keep(s, actors.Record{Memory: want, Service: "blog", State: actors.StateStarting, Run: want.LastRun})
			if err := m.store.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			m, err = openMemory(dir, log)
			if err != nil {
				t.Fatal(err)
			}
			defer m.store.Close(context.Background())
			if got := m.last("blog").Memory; !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

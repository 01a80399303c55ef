package actors

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing/synctest"
	"time"
)

// open is the start of an engine; with shared the one before still serves.
func (r *room) open(shared bool) {
	r.engine++
	m := newMail()
	m.stale = func(b *box, timer TimerFired) bool {
		t := r.tenantOf(r.nameOf(b))
		return t != nil && t.v != nil && timer.Seq < t.v.legacy.last.Memory.LastSeq
	}
	r.mail, r.line = m, &line{room: r}
	r.system = NewSystem(Options{Keeper: r.line, Traffic: r, Journal: r, LogDir: filepath.Join(r.dir, "logs"), Intent: r.line.intend,
		Log: slog.New(slog.DiscardHandler), MaxStarts: 1 + r.IntN(3), mailbox: m.box})
	for _, t := range r.tenants {
		r.spawn(t, shared)
	}
}

// spawn is System.Spawn, which waits for the supervisor.
func (r *room) spawn(t *tenant, shared bool) {
	spec := t.specOf(shared)
	r.line.born = append(r.line.born, t.name)
	if spec.Found != nil {
		r.note("%s was found as pid %d", t.name, spec.Found.Pid)
	}
	if spec.Last != nil {
		r.note("%s was %v in run %d when last heard of", t.name, spec.Last.State, spec.Last.Run)
	}
	born := make(chan struct{})
	go func() { defer close(born); t.v = r.system.Spawn(spec) }()
	for done := false; !done; {
		synctest.Wait()
		select {
		case <-born:
			done = true
		default:
			r.mail.boxes[0].pump()
		}
	}
	t.of = r.engine
}

// pump has the supervisor handle all that it was told.
func (b *box) pump() {
	for {
		b.mail.mu.Lock()
		b.user, b.fresh = append(b.user, b.fresh...), nil
		if len(b.user) == 0 {
			b.mail.mu.Unlock()
			return
		}
		message := b.user[0]
		b.user = b.user[1:]
		b.mail.mu.Unlock()
		b.handle(message, false)
	}
}

// leave ends the engine as it ends when it leaves: the services stay as they are.
func (r *room) leave() {
	closed := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // an actor may rest after a panic
	defer cancel()
	go func() { defer close(closed); r.system.Close(ctx) }()
	for done := false; !done; {
		if r.deliver() {
			continue
		}
		select {
		case <-closed:
			done = true
		case <-r.mail.news:
		}
	}
	for r.mail.deliver(r.Rand, func(*box, any) {}) {
		synctest.Wait()
	}
}

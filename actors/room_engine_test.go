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
		Log: slog.New(slog.DiscardHandler), MaxStarts: 1 + r.IntN(3), mailbox: m.box,
		beside: func(do func()) { r.begun = append(r.begun, do) }})
	r.spawn(r.tenants, shared)
}

// spawn is System.SpawnAll, which waits for the supervisor. What others depend on comes before them.
func (r *room) spawn(all []*tenant, shared bool) {
	var specs []Spec
	for _, t := range all {
		spec := t.specOf(shared)
		specs, r.line.born = append(specs, spec), append(r.line.born, t.name)
		if spec.Found != nil {
			r.note("%s was found as pid %d", t.name, spec.Found.Pid)
		}
		if spec.Last != nil {
			r.note("%s was %v in run %d when last heard of", t.name, spec.Last.State, spec.Last.Run)
		}
	}
	born := make(chan []*Service, 1)
	go func() { born <- r.system.SpawnAll(specs) }()
	var services []*Service
	for services == nil {
		synctest.Wait()
		select {
		case services = <-born:
		default:
			r.mail.boxes[0].pump()
		}
	}
	for i, t := range all {
		t.v = services[i]
		t.follow()
	}
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
		r.goOn()
	}
}

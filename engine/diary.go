package engine

import (
	"sync"

	"dynapm/actors"
	"dynapm/engine/admin"
)

// diary keeps the last decisions about one service, for whoever asks why it is as it is. They are those of this engine;
// what a later one knows is in memory.go.
type diary struct {
	mu   sync.Mutex
	last []admin.Decision
}

// diaryLength bounds it: a service that sleeps and wakes makes four a time, one that fails three.
const diaryLength = 50

// note adds a decision and lets go of the eldest.
func (d *diary) note(r actors.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Aside {
		d.recall(r)
		return
	}
	reason, output := r.Explain()
	decision := admin.Decision{At: epoch(r.At), State: r.State.String(), Reason: reason, Output: output, Run: uint64(r.Run), Pid: r.Pid}
	if len(d.last) == diaryLength {
		copy(d.last, d.last[1:])
		d.last = d.last[:diaryLength-1]
	}
	d.last = append(d.last, decision)
}

// recall dates back the state that was taken over from an earlier engine: it is told first, and then since when it is.
func (d *diary) recall(r actors.Record) {
	if len(d.last) == 1 && !r.Since.IsZero() && d.last[0].State == r.State.String() {
		d.last[0].At = min(d.last[0].At, epoch(r.Since))
	}
}

// read gives a copy, the latest last.
func (d *diary) read() []admin.Decision {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]admin.Decision{}, d.last...)
}

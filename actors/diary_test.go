package actors

import (
	"slices"
	"strings"
	"sync"
)

// diary is a Journal and a Traffic that remember.
type diary struct {
	mu      sync.Mutex
	records []Record
	cuts    []Run
	news    chan struct{} // closed and replaced by each entry
	onEntry func(Record)  // may panic
}

func newDiary() *diary { return &diary{news: make(chan struct{})} }

func (d *diary) Record(r Record) {
	d.mu.Lock()
	d.records = append(d.records, r)
	close(d.news)
	d.news = make(chan struct{})
	onEntry := d.onEntry
	d.mu.Unlock()
	if onEntry != nil {
		onEntry(r)
	}
}

func (d *diary) Close(g *Gate, cut bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cut {
		d.cuts = append(d.cuts, g.Run())
	}
}

// diedOf waits until a service has ended by itself, for this reason: it has failed, unless it was ready for so long that
// it counts as settled.
func (h *house) diedOf(reason string) {
	h.t.Helper()
	var last Record
	h.until(func() bool {
		h.diary.mu.Lock()
		defer h.diary.mu.Unlock()
		n := len(h.diary.records)
		if n == 0 {
			return false
		}
		last = h.diary.records[n-1]
		return last.State == StateFailed || last.State == StateStopped
	})
	ready := Record{At: last.At}
	h.diary.mu.Lock()
	defer h.diary.mu.Unlock()
	for _, r := range h.diary.records {
		if r.State == StateReady && r.From != StateReady {
			ready = r
		}
	}
	if failed := last.At.Sub(ready.At) < settled; !strings.Contains(last.Reason, reason) || failed != (last.State == StateFailed) {
		h.t.Errorf("%v after it was ready it is %v: %q", last.At.Sub(ready.At), last.State, last.Reason)
	}
}

// wait returns the first entry of a change to state, from the given one on, and
// the number of the one after it.
func (h *house) wait(from int, state State) (Record, int) {
	h.t.Helper()
	end := h.soon().Done()
	for {
		h.diary.mu.Lock()
		records, news := slices.Clone(h.diary.records), h.diary.news
		h.diary.mu.Unlock()
		for i := from; i < len(records); i++ {
			if r := records[i]; r.State == state && r.From != state {
				return r, i + 1
			}
		}
		select {
		case <-news:
		case <-end:
			h.t.Fatalf("the service did not become %v: %+v", state, records)
		}
	}
}

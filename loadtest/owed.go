package loadtest

import (
	"context"
	"time"
)

// schedule is what the events of a stream have said of when the next are due.
type schedule struct {
	first, last time.Time     // when the first and the latest were due
	distances   int           // from one to the next
	even        int           // of these, about as long as those before
	interval    time.Duration // as it was taken to be at the end of the run; 0: unknown
}

// saw takes the time at which an event was due.
func (s *schedule) saw(due time.Time) {
	distance := due.Sub(s.last)
	switch {
	case s.last.IsZero():
		s.first = due
	case distance <= 0:
		return // beside or before another: it says nothing of the next
	default:
		if mean := s.mean(); s.distances == 0 || distance >= mean/2 && distance <= 2*mean {
			s.even++
		}
		s.distances++
	}
	s.last = due
}

func (s *schedule) mean() time.Duration {
	return s.last.Sub(s.first) / time.Duration(max(s.distances, 1))
}

// settle takes the interval, and tells whether there is one: three of four distances are about the same. The others may
// be those of a server that was held up, and went on from there.
func (s *schedule) settle() bool {
	if s.distances >= 2 && 4*s.even >= 3*s.distances {
		s.interval = s.mean()
	}
	return s.interval > 0
}

// owes is how many events were due until a time, and have not come.
func (s *schedule) owes(until time.Time) int64 {
	if s.interval == 0 || until.Before(s.last) {
		return 0
	}
	return int64(until.Sub(s.last) / s.interval)
}

// close is the end of the run: what was due before it and has not come is outstanding. Without that, events that a
// stalled server holds back at the end would be in no count.
func (h *holder) close(end time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end = end
	for s := range h.live {
		if !s.settle() {
			h.unjudged++
		}
	}
	h.streams.Outstanding = h.owed()
}

// owed is what is outstanding of the streams that are open. One that ended is an error by itself. The caller holds the
// lock.
func (h *holder) owed() (sum int64) {
	for s := range h.live {
		sum += s.owes(h.end)
	}
	return sum
}

// collect waits for what is outstanding.
func (r *run) collect(ctx context.Context, holders []*holder) {
	late := time.NewTimer(r.patience)
	defer late.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		var owed int64
		for _, h := range holders {
			h.mu.Lock()
			owed += h.owed()
			h.mu.Unlock()
		}
		if owed == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-late.C:
			return
		case <-look.C:
			r.progress.say("the time is over; waiting for %d events that were due", owed)
		}
	}
}

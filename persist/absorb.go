package persist

import (
	"log/slog"
	"slices"
	"strings"
	"time"
)

// absorb takes over what was found in a store when it was opened for the first
// time, and returns it as records.
func (g *gathered) absorb(l *loaded, log *slog.Logger) []Record {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	var ahead []string
	records := make([]Record, 0, len(l.services))
	for name, f := range l.services {
		r := Record{Service: name}
		if f.record != nil {
			r = *f.record
		}
		if f.used.After(now) || r.ReadySince.After(now) || r.Since.After(now) {
			ahead = append(ahead, name)
		}
		if f.lost {
			g.pending[name] = staleRecord | staleUse
		}
		f.used, r.Since, r.ReadySince = clamp(f.used, now), clamp(r.Since, now), clamp(r.ReadySince, now)
		r.LastUse = f.used
		if !f.used.Equal(f.useKey) {
			g.touched[name] = true
		}
		g.services[name] = known{body: f.body, used: f.used}
		records = append(records, r)
	}
	if len(ahead) > 0 {
		slices.Sort(ahead)
		log.Warn("the store has times that lie in the future: the clock was set back; they are taken as now", "services", ahead)
	}
	slices.SortFunc(records, func(a, b Record) int { return strings.Compare(a.Service, b.Service) })
	return records
}

func clamp(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// reconcile makes pending whatever a store that was opened again does not hold
// as it is known: all of it if the store is new.
func (g *gathered) reconcile(l *loaded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, k := range g.services {
		f := l.services[name]
		if f == nil || f.lost {
			f = new(found)
		}
		if !slices.Equal(f.body, k.body) {
			g.pending[name] |= staleRecord
		}
		if !f.useKey.Equal(k.used) {
			g.touched[name] = true
		}
	}
}

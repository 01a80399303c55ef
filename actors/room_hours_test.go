package actors

import "time"

// hours are the windows of a schedule: up for a while in each period.
type hours struct {
	from       time.Time
	period, up time.Duration
	always     bool // they do not end
	never      bool // there are no more
}

const onTime = "up by the clock"

func (r *room) newHours() *hours {
	h := &hours{period: r.upTo(3 * time.Minute)}
	h.from, h.up = r.start.Add(-r.upTo(h.period)), r.upTo(h.period)
	return h
}

// at tells whether the service is to be up, and when that changes.
func (h *hours) at(now time.Time) (up bool, change time.Duration) {
	if h.always || h.never {
		return h.always, time.Hour
	}
	in := now.Sub(h.from) % h.period
	if in < h.up {
		return true, h.up - in
	}
	return false, h.period - in
}

// isOnTime tells whether the service is to be up now by the clock.
func (t *tenant) isOnTime() bool {
	if t.hours == nil {
		return false
	}
	up, _ := t.hours.at(time.Now())
	return up
}

// follow has a service keep to its hours while the present engine is there.
func (t *tenant) follow() {
	if t.hours == nil {
		return
	}
	t.tellTime()
	engine, v := t.room.engine, t.v
	_, change := t.hours.at(time.Now())
	t.room.in(change, func() {
		if t.room.engine == engine && t.v == v {
			t.follow()
		}
	})
}

// tellTime tells the service what it was not told yet.
func (t *tenant) tellTime() {
	switch up := t.isOnTime(); {
	case up == t.told:
	case up:
		t.told = true
		t.v.KeepUp(onTime)
	default:
		t.told = false
		t.v.LetGo("its hours are over")
	}
}

// keepHours has all hours go on for ever, or end.
func (r *room) keepHours(always bool) {
	for _, t := range r.tenants {
		if t.hours != nil {
			t.hours.always, t.hours.never = always, !always
			t.tellTime()
		}
	}
}

// hears notes what the actor is about to hear of the clock.
func (t *tenant) hears(message any) {
	switch m := message.(type) {
	case KeepUp:
		if m.By == "" {
			t.kept, t.letGo = true, time.Time{}
		}
	case LetGo:
		if m.By == "" {
			if t.kept = false; t.v.legacy.last.State == StateReady {
				t.letGo = time.Now()
			}
		}
	}
}

// mustBeOver holds that a service is not stopped as idle in its hours, nor right after them.
func (t *tenant) mustBeOver() {
	if t.kept {
		t.room.fail("%s is stopped as idle in its hours", t.name)
	}
	if !t.letGo.IsZero() && time.Since(t.letGo) < t.spec.IdleTimeout {
		t.room.fail("%s is stopped as idle %v after its hours, and its time is %v", t.name, time.Since(t.letGo), t.spec.IdleTimeout)
	}
}

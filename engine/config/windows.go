package config

import (
	"fmt"
	"time"

	"dynapm/engine/config/schedule"
)

// schedule reads the windows in which a service is up by the clock.
func (w *walk) schedule(d *draft, v value) {
	if w.list(v, "a list of windows, each with up and down", func(item value) {
		window := schedule.Window{Zone: time.Local}
		before := len(w.faults)
		given := fill(w, item, windowKeys, &window)
		switch {
		case len(w.faults) > before || item.kind != mapping:
		case window.Up.String() == window.Down.String():
			w.fault(given["down"], "this is when it begins; a window ends at another time")
		default:
			d.Schedule = append(d.Schedule, window)
		}
	}) && len(v.items) == 0 {
		w.fault(v, "want a list of windows, got an empty one; leave it out")
	}
}

// byTheClock looks whether there is anything that a schedule is for.
func (w *walk) byTheClock(d *draft) {
	switch at := d.given["schedule"]; {
	case !d.given.has("schedule"):
	case d.ProxyOnly:
		w.fault(d.later("schedule", "proxyOnly"), "a proxyOnly service is never started: remove schedule or proxyOnly")
	case d.Always:
		w.fault(d.later("schedule", "restart"), "with restart: always it is up whatever the clock says; keep one")
	case d.IdleTimeout == 0 && d.given.has("idleTimeout"):
		w.note(at, "with idleTimeout: never it stays up when a window ends")
	}
}

func cronTime[T any](field func(*T) *schedule.Expression) reader[T] {
	return parsed("a time as cron has it, such as 0 8 * * 1-5", schedule.Parse, field)
}

func timeZone[T any](field func(*T) **time.Location) reader[T] {
	return parsed("a time zone such as Europe/Stockholm", func(s string) (*time.Location, error) {
		zone, err := time.LoadLocation(s)
		if err != nil || s == "" {
			return nil, fmt.Errorf("there is no time zone %q; want one such as Europe/Stockholm or UTC", shorten(s))
		}
		return zone, nil
	}, field)
}

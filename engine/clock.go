package engine

import (
	"context"
	"time"

	"dynapm/engine/config/schedule"
)

// clockStep is how long a change of the system's clock may go unseen.
const clockStep = time.Minute

// byTheClock says why a service is up by the clock; "": it is not.
func byTheClock(times schedule.Times, now time.Time) string {
	up, until := times.At(now)
	if !up {
		return ""
	}
	return "up until " + hour(until.In(times[0].Zone), now) + " by schedule"
}

// hour is a time for a person: with the day if that is not today, and with the zone unless that is the system's.
func hour(t, now time.Time) string {
	form := "15:04"
	if today := now.In(t.Location()); t.YearDay() != today.YearDay() || t.Year() != today.Year() {
		form = "2006-01-02 15:04"
	}
	if t.Location() == time.Local {
		return t.Format(form)
	}
	return t.Format(form) + " " + t.Location().String()
}

// clocked is what keeps to a schedule; *actors.Service does.
type clocked interface {
	KeepUp(why string)
	LetGo(why string)
}

// followClock has a service keep to its schedule until ctx ends. told is what it has been told before.
func followClock(ctx context.Context, times schedule.Times, told string, s clocked) {
	for {
		now := time.Now()
		switch why := byTheClock(times, now); {
		case why == told:
		case why == "":
			s.LetGo("the time by schedule is over")
			told = ""
		default:
			s.KeepUp(why)
			told = why
		}
		_, until := times.At(now)
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(until.Sub(now), clockStep)):
		}
	}
}

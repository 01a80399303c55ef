package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dynapm/engine/config/schedule"
)

// office is a schedule of one window.
func office(t *testing.T, up, down, zone string) schedule.Times {
	t.Helper()
	w := schedule.Window{}
	var err error
	if w.Zone, err = time.LoadLocation(zone); err != nil {
		t.Fatal(err)
	}
	for text, into := range map[string]*schedule.Expression{up: &w.Up, down: &w.Down} {
		if *into, err = schedule.Parse(text); err != nil {
			t.Fatal(err)
		}
	}
	return schedule.Times{w}
}

// orders is a service that notes what it is told, and when.
type orders []string

func (o *orders) KeepUp(why string) { o.note(why) }
func (o *orders) LetGo(why string)  { o.note(why) }
func (o *orders) note(what string) {
	*o = append(*o, fmt.Sprintf("%s: %s", time.Now().UTC().Format("Mon 15:04:05.000"), what))
}

// TestFollowClock: by a virtual clock, which begins on Saturday, 2000-01-01, at 00:00 UTC.
func TestFollowClock(t *testing.T) {
	times := office(t, "0 8 * * 1-5", "0 18 * * 1-5", "Europe/Stockholm")
	synctest.Test(t, func(t *testing.T) {
		var got orders
		ctx, cancel := context.WithTimeout(t.Context(), 4*24*time.Hour)
		defer cancel()
		followClock(ctx, times, "up until some time", &got)
		want := orders{
			"Sat 00:00:00.000: the time by schedule is over",
			"Mon 07:00:00.000: up until 18:00 Europe/Stockholm by schedule", "Mon 17:00:00.000: the time by schedule is over",
			"Tue 07:00:00.000: up until 18:00 Europe/Stockholm by schedule", "Tue 17:00:00.000: the time by schedule is over",
		}
		if !slices.Equal(got, want) {
			t.Errorf("it was told\n%q\nnot\n%q", got, want)
		}
	})
}

func TestByTheClock(t *testing.T) {
	for now, want := range map[string]string{
		"2030-05-03T12:00:00Z": "up until 2030-05-05 18:00 Europe/Stockholm by schedule",
		"2030-05-05T12:00:00Z": "up until 18:00 Europe/Stockholm by schedule",
		"2030-05-05T21:00:00Z": "",
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := byTheClock(office(t, "0 8 * * 5", "0 18 * * 0", "Europe/Stockholm"), at); got != want {
			t.Errorf("at %s: %q; want %q", now, got, want)
		}
	}
}

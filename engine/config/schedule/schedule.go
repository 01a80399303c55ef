// Package schedule says when a service is to be up by the clock: windows with a beginning and an end, each written as
// cron has it, in a time zone.
//
// Cron is reckoned by the clock on the wall, which is read as if it were UTC: so the expressions know nothing of summer
// time. A time that the wall clock leaps over is as good as past when it has leapt, and of one that it shows twice the
// first is meant.
package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones are known where the system has none

	"github.com/robfig/cron/v3"
)

// Window is from each time of Up to the next of Down.
type Window struct {
	Up, Down Expression
	Zone     *time.Location
}

// Expression is a time that comes again and again.
type Expression struct {
	text string
	cron cron.Schedule
}

// Times are the windows of a service, which may overlap.
type Times []Window

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// Parse reads minute, hour, day of the month, month and day of the week.
func Parse(text string) (Expression, error) {
	if strings.ContainsAny(text, "=@") || len(strings.Fields(text)) != 5 {
		return Expression{}, fmt.Errorf("want minute, hour, day of the month, month and day of the week, such as 0 8 * * 1-5, got %q", text)
	}
	s, err := parser.Parse(text)
	if err != nil {
		return Expression{}, fmt.Errorf("%q is not a time as cron has it: %w", text, err)
	}
	if s.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Expression{}, errors.New("this never comes")
	}
	return Expression{text, s}, nil
}

// String is the expression as it was written.
func (e Expression) String() string { return e.text }

// At says whether the service is to be up, and when that changes.
func (t Times) At(now time.Time) (up bool, until time.Time) {
	for n := 0; n < 100; n++ { // windows that overlap, or follow upon each other
		at := until
		if !up {
			at = now
		}
		end := t.end(at)
		if end.IsZero() {
			break
		}
		up, until = true, end
	}
	if up {
		return true, until
	}
	until = t.begin(now)
	for n := 0; n < 100 && t.end(until).IsZero(); n++ { // the wall clock has leapt over a whole window
		until = t.begin(until)
	}
	return false, until
}

// begin is when a window begins next.
func (t Times) begin(after time.Time) (begin time.Time) {
	for _, w := range t {
		if b := w.instant(w.Up.cron.Next(w.wall(after))); begin.IsZero() || b.Before(begin) {
			begin = b
		}
	}
	return begin
}

// end is that of the window which is open at a time and closes last; zero: none is open.
func (t Times) end(at time.Time) (end time.Time) {
	for _, w := range t {
		wall := w.wall(at)
		if !w.Up.last(wall).After(w.Down.last(wall)) {
			continue
		}
		if e := w.instant(w.Down.cron.Next(wall)); e.After(end) {
			end = e
		}
	}
	return end
}

// last is when it came last, until now; zero: it did not, within years. Cron only looks ahead.
func (e Expression) last(now time.Time) (last time.Time) {
	const day = 24 * time.Hour
	for _, back := range []time.Duration{time.Hour, day, 8 * day, 32 * day, 367 * day, 9 * 366 * day} {
		for next := e.cron.Next(now.Add(-back)); !next.IsZero() && !next.After(now); next = e.cron.Next(next) {
			last = next
		}
		if !last.IsZero() {
			break
		}
	}
	return last
}

// wall is the latest that the wall clock has shown, as UTC: when it was set back, it does not count until it is beyond
// what it had shown before.
func (w Window) wall(at time.Time) time.Time {
	shows := naive(at.In(w.Zone))
	if since, _ := at.In(w.Zone).ZoneBounds(); !since.IsZero() {
		if shown := naive(since.Add(-1).In(w.Zone)); shown.After(shows) {
			return shown
		}
	}
	return shows
}

// instant is when the wall clock first shows a time, or has leapt over it.
func (w Window) instant(wall time.Time) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, w.Zone)
	since, until := at.ZoneBounds()
	switch shows := naive(at); {
	case shows.After(wall):
		return since
	case shows.Before(wall):
		return until
	case since.IsZero():
		return at
	}
	if shown := naive(since.Add(-1).In(w.Zone)); !shown.Before(wall) { // it shows it for the second time
		at = at.Add(naive(since).Sub(shown.Add(1)))
	}
	return at
}

// naive is what a clock shows, as UTC.
func naive(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

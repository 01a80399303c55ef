package schedule

import (
	"strings"
	"testing"
	"time"
)

// window reads "UP | DOWN | ZONE".
func window(t *testing.T, text string) Window {
	t.Helper()
	parts := strings.Split(text, " | ")
	zone, err := time.LoadLocation(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	w := Window{Zone: zone}
	for i, into := range []*Expression{&w.Up, &w.Down} {
		if *into, err = Parse(parts[i]); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestAt tells of moments, with their offset from UTC, whether the service is up then, and until when that is so.
func TestAt(t *testing.T) {
	const office, nights = "0 8 * * 1-5 | 0 18 * * 1-5 | Europe/Stockholm", "30 22 * * * | 30 2 * * * | Europe/Stockholm"
	for _, c := range []struct {
		windows []string
		now     string
		up      bool
		until   string
	}{
		{[]string{office}, "2030-05-01T07:59:59+02:00", false, "2030-05-01T08:00:00+02:00"}, // a Wednesday
		{[]string{office}, "2030-05-01T08:00:00+02:00", true, "2030-05-01T18:00:00+02:00"},
		{[]string{office}, "2030-05-01T15:59:59Z", true, "2030-05-01T18:00:00+02:00"},
		{[]string{office}, "2030-05-01T18:00:00+02:00", false, "2030-05-02T08:00:00+02:00"},
		{[]string{office}, "2030-05-04T12:00:00+02:00", false, "2030-05-06T08:00:00+02:00"}, // over the weekend
		{[]string{"0 8 * * 1 | 0 18 * * 5 | UTC"}, "2030-05-01T03:00:00Z", true, "2030-05-03T18:00:00Z"},
		{[]string{"0 8 * * * | 0 18 * * 5 | UTC"}, "2030-04-29T12:00:00Z", true, "2030-05-03T18:00:00Z"}, // the times need not alternate
		{[]string{"0 0 * * * | 0 0 * * 6 | UTC"}, "2030-05-04T12:00:00Z", false, "2030-05-05T00:00:00Z"}, // at the same time the end counts
		{[]string{"0 0 1 1 * | 0 0 2 1 * | UTC"}, "2030-05-04T12:00:00Z", false, "2031-01-01T00:00:00Z"},
		{[]string{"0 0 29 2 * | 0 0 1 1 * | UTC"}, "2034-05-04T12:00:00Z", false, "2036-02-29T00:00:00Z"},
		// Windows that overlap, or follow upon each other, are one.
		{[]string{office, "0 12 * * * | 0 20 * * * | UTC"}, "2030-05-01T08:00:00+02:00", true, "2030-05-01T20:00:00Z"},
		{[]string{office, "0 16 * * * | 0 20 * * * | UTC"}, "2030-05-01T08:00:00+02:00", true, "2030-05-01T20:00:00Z"},
		{[]string{office, "0 20 * * * | 0 21 * * * | UTC"}, "2030-05-01T18:00:00+02:00", false, "2030-05-01T20:00:00Z"},
		// 2030-03-31 the clock goes from 01:59:59 to 03:00:00: 02:30 is leapt over, and past at 03:00.
		{[]string{nights}, "2030-03-31T01:59:59+01:00", true, "2030-03-31T03:00:00+02:00"},
		{[]string{nights}, "2030-03-31T03:00:00+02:00", false, "2030-03-31T22:30:00+02:00"},
		{[]string{"30 2 * * * | 0 4 * * * | Europe/Stockholm"}, "2030-03-31T01:00:00+01:00", false, "2030-03-31T03:00:00+02:00"},
		{[]string{"30 2 * * * | 0 4 * * * | Europe/Stockholm"}, "2030-03-31T03:00:00+02:00", true, "2030-03-31T04:00:00+02:00"},
		// 2030-10-27 it goes from 02:59:59 back to 02:00:00: 02:30 is the first of two.
		{[]string{nights}, "2030-10-27T02:29:59+02:00", true, "2030-10-27T02:30:00+02:00"},
		{[]string{nights}, "2030-10-27T02:30:00+02:00", false, "2030-10-27T22:30:00+01:00"},
		{[]string{nights}, "2030-10-27T02:00:00+01:00", false, "2030-10-27T22:30:00+01:00"},
		{[]string{nights}, "2030-10-27T02:30:00+01:00", false, "2030-10-27T22:30:00+01:00"},
		{[]string{"0 2 * * * | 59 2 * * * | Europe/Stockholm"}, "2030-10-27T02:30:00+02:00", true, "2030-10-27T02:59:00+02:00"},
		{[]string{"0 2 * * * | 59 2 * * * | Europe/Stockholm"}, "2030-10-27T02:30:00+01:00", false, "2030-10-28T02:00:00+01:00"},
		// Lord Howe Island goes by half an hour.
		{[]string{"45 1 * * * | 0 3 * * * | Australia/Lord_Howe"}, "2030-04-07T01:45:00+11:00", true, "2030-04-07T03:00:00+10:30"},
		{[]string{"15 2 * * * | 0 3 * * * | Australia/Lord_Howe"}, "2030-10-06T02:30:00+11:00", true, "2030-10-06T03:00:00+11:00"},
	} {
		var all Times
		for _, text := range c.windows {
			all = append(all, window(t, text))
		}
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if up, until := all.At(now); up != c.up || !until.Equal(moment(t, c.until)) {
			t.Errorf("%v at %s: up is %v until %v; want %v until %s", c.windows, c.now, up, until, c.up, c.until)
		}
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestEveryChangeIsForetold goes minute by minute through the days in which clocks are set: nothing changes but when it
// was said, and there is one window a day, but for one that is leapt over as a whole.
func TestEveryChangeIsForetold(t *testing.T) {
	for text, want := range map[string]int{
		"30 2 * * * | 45 2 * * * | Europe/Stockholm":     5,
		"10 2 * * * | 20 3 * * * | America/New_York":     6,
		"0 0 * * * | 30 0 * * * | America/Havana":        5,
		"50 1 * * * | 10 2 * * * | Australia/Lord_Howe":  6,
		"0 12 * * 0 | 0 12 * * 1 | America/Indianapolis": 2,
	} {
		all := Times{window(t, text)}
		windows := 0
		_, change := time.Date(2030, 1, 1, 0, 0, 0, 0, all[0].Zone).ZoneBounds()
		for range 2 {
			now := change.Add(-36 * time.Hour)
			up, until := all.At(now)
			for ; now.Before(change.Add(36 * time.Hour)); now = now.Add(time.Minute) {
				is, next := all.At(now)
				if is == up != now.Before(until) {
					t.Fatalf("%s: at %v it is %v, which was to last until %v", text, now, up, until)
				}
				if is && !up {
					windows++
				}
				up, until = is, next
			}
			_, change = change.ZoneBounds()
		}
		if windows != want {
			t.Errorf("%s: %d windows in six days; want %d", text, windows, want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"", "* * * *", "* * * * * *", "@daily", "TZ=UTC * * * * *", "60 * * * *", "0 0 31 4 *", "x * * * *", "0 8 * * 8"} {
		if e, err := Parse(text); err == nil {
			t.Errorf("%q is read as %v", text, e)
		}
	}
	if e, err := Parse("*/5  8-18 1,15 JAN-mar MON"); err != nil || e.String() != "*/5  8-18 1,15 JAN-mar MON" {
		t.Errorf("%v, %v", e, err)
	}
}

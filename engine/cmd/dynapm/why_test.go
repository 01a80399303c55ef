package main

import (
	"strings"
	"testing"
	"time"

	"dynapm/engine/admin"
)

func whyOf(why admin.Why, now time.Time) string {
	var out strings.Builder
	printWhy(&out, why, now)
	return "\n" + out.String()
}

func TestWhy(t *testing.T) {
	now := time.Date(2030, 5, 2, 14, 0, 30, 0, time.UTC)
	ago := func(d time.Duration) int64 { return now.Add(-d).UnixMilli() }
	ms := func(n float64) *float64 { return &n }
	why := admin.Why{
		Service:     admin.Service{Name: "blog", State: "failed", Since: ago(time.Second), Reason: "exited with status 3; its last output:\n  oh no"},
		RetryAt:     now.Add(4 * time.Second).UnixMilli(),
		EngineSince: ago(time.Minute),
		Decisions: []admin.Decision{
			{At: ago(2 * time.Second), State: "starting", Reason: "a request", Run: 8},
			{At: ago(time.Second), State: "failed", Reason: "exited with status 3", Output: "one\noh no"},
		},
		Starts: []admin.Start{
			{At: ago(24 * time.Hour), Run: 7, Outcome: "ready", Launched: ms(1.2), Listening: ms(30), Ready: ms(30.1), Connected: ms(30.3), FirstByte: ms(31.44)},
			{At: ago(2 * time.Second), Run: 8, Outcome: "failed", Launched: ms(1)},
		},
	}
	want := `
blog is failed, for 1s: exited with status 3; its last output:
    oh no
requests are refused for 4s, then the next one tries again; see: dynapm logs blog

what was decided, the latest last:
  (by the engine that came up 1m ago; of earlier ones, only the starts are known)
  14:00:28.000  run 8  starting  a request
  14:00:29.000         failed    exited with status 3
                                   | one
                                   | oh no

its last starts, timed from the request or order that began each:
  2030-05-01 14:00:30.000  run 7  ready   launched after 1.2 ms, listening after 30.0 ms, ready after 30.1 ms, connected after 30.3 ms, first byte after 31.4 ms
  14:00:28.000             run 8  failed  launched after 1.0 ms
`
	if got := whyOf(why, now); got != want {
		t.Errorf("got%s\nwant%s", got, want)
	}
}

func TestWhatFollows(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	for want, s := range map[string]admin.Service{
		"the next request starts it":                                           {State: "stopped"},
		"requests are refused until: dynapm start blog":                        {Name: "blog", State: "stopped", Held: true},
		"the next request tries again; see: dynapm logs blog":                  {Name: "blog", State: "failed"},
		"requests in flight keep it up: 2":                                     {State: "ready", ActiveConnections: 2, IdleTimeout: 1000},
		"it sleeps when nobody has used it for 5m; last use: 10s ago":          {State: "ready", IdleTimeout: 300_000, LastAccessTime: 990_000},
		"it is kept up: web depends on it":                                     {State: "ready", IdleTimeout: 1000, KeptUp: []string{"web depends on it"}},
		"it never sleeps":                                                      {State: "ready"},
		"requests wait until it is ready":                                      {State: "stopping"},
		"blog is only proxied: nothing is decided about it, as the engine nei": {Name: "blog", ProxyOnly: true},
	} {
		if got := whyOf(admin.Why{Service: s}, now); !strings.Contains(got, "\n"+want) {
			t.Errorf("of %+v it says%s\nnot: %s", s, got, want)
		}
	}
}

package engine

import (
	"strings"
	"testing"

	"dynapm/engine/config"
	"dynapm/netio"
)

// agent is a head with nothing but a User-Agent; "" has none.
type agent string

func (a agent) Value(name string) []byte {
	if a == "" || name != "user-agent" {
		return nil
	}
	return []byte(a)
}

func TestWhoIsNotHeard(t *testing.T) {
	r := named("blog")
	r.unheard = newUnheards(r, &config.Ignore{UserAgents: []string{"uptimerobot", "bot/"}, Paths: []string{"/up"}, Body: "dormant"})
	table := newTable()
	table.other = r
	for _, c := range []struct {
		path  string
		agent agent
		want  netio.Route
	}{
		{"/", "", r},
		{"/", "Mozilla/5.0", r},
		{"/", "bot", r},
		{"/", "Mozilla/5.0 (compatible; UPTIMErobot/2.0)", r.unheard.byAgent},
		{"/", "GoogleBot/2.1", r.unheard.byAgent},
		{"/", "bot/", r.unheard.byAgent},
		{"/up", "", r.unheard.byPath},
		{"/up/db", "bot/", r.unheard.byPath},
		{"/upper", "", r},
	} {
		if got := table.Route(0, nil, []byte(c.path), c.agent); got != c.want {
			t.Errorf("%s by %q goes to %v, not %v", c.path, c.agent, got, c.want)
		}
	}
	if a, b := r.unheard.byPath.answer, r.unheard.byAgent.answer; a.Status != 200 || b.Status != 503 || a.Body != "dormant\n" || b.Body != a.Body {
		t.Errorf("they are answered %+v and %+v", a, b)
	}
}

// field is the one field of a head.
type field []byte

func (f field) Value(string) []byte { return f }

func TestLookingAtWhoAsksDoesNotAllocate(t *testing.T) {
	r := named("blog")
	r.unheard = newUnheards(r, &config.Ignore{UserAgents: []string{"uptimerobot"}, Paths: []string{"/up"}})
	table := newTable()
	table.other = r
	path, head := []byte("/x"), field(strings.Repeat("u", 200))
	fields := netio.Fields(&head)
	if n := testing.AllocsPerRun(100, func() { table.Route(0, nil, path, fields) }); n != 0 {
		t.Errorf("it allocates %v times, want 0", n)
	}
}

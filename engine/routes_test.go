package engine

import (
	"testing"

	"dynapm/engine/config"
)

func newTable(routes ...[3]string) *table {
	t := &table{ports: []*route{nil}, exact: map[string]paths{}, below: map[string]paths{}}
	for _, r := range routes {
		t.add(r[0], r[1], named(r[2]))
	}
	return t
}

func named(name string) *route {
	return &route{service: &service{Service: config.Service{Name: name}}}
}

func TestRoutes(t *testing.T) {
	table := newTable(
		[3]string{"Blog.example.com", "", "blog"},
		[3]string{"api.example.com", "/v1", "v1"},
		[3]string{"api.example.com", "/v1/users/", "users"},
		[3]string{"*.example.com", "", "wild"},
		[3]string{"*.eu.example.com", "", "eu"},
		[3]string{"::1", "", "six"},
		[3]string{"", "/static", "static"},
		[3]string{"root.test", "/", "root"},
	)
	table.other = named("other")
	table.ports = append(table.ports, named("own"))

	for _, c := range []struct {
		listener         int
		host, path, want string
	}{
		{0, "blog.example.com", "/", "blog"},
		{0, "blog.example.com", "/static/x", "blog"},
		{0, "api.example.com", "/v1", "v1"},
		{0, "api.example.com", "/v1/x", "v1"},
		{0, "api.example.com", "/v1/users", "v1"},
		{0, "api.example.com", "/v1/users/7", "users"},
		{0, "api.example.com", "/v10", "wild"},
		{0, "x.example.com", "/", "wild"},
		{0, "a.b.example.com", "/", "wild"},
		{0, "x.eu.example.com", "/", "eu"},
		{0, "example.com", "/", "other"},
		{0, "notexample.com", "/", "other"},
		{0, "::1", "/", "six"},
		{0, "unknown.test", "/static", "static"},
		{0, "unknown.test", "/staticky", "other"},
		{0, "root.test", "*", "root"},
		{0, "", "/", "other"},
		{1, "blog.example.com", "/v1", "own"},
	} {
		got := table.find(c.listener, []byte(c.host), []byte(c.path))
		if got == nil || got.Name != c.want {
			t.Errorf("listener %d, %s%s leads to %v, want %s", c.listener, c.host, c.path, got, c.want)
		}
	}
	table.other = nil
	// A nil *route in a netio.Route would not be nil: the splicer would take it for a service.
	if got := table.Route(0, []byte("unknown.test"), []byte("/"), agent("")); got != nil {
		t.Errorf("an unknown host leads to %v, want nil", got)
	}
}

func TestRouteDoesNotAllocate(t *testing.T) {
	table := newTable([3]string{"*.example.com", "", "wild"}, [3]string{"a.example.com", "/v1", "v1"})
	host, path := []byte("a.b.c.example.com"), []byte("/v1/x")
	if n := testing.AllocsPerRun(100, func() { table.Route(0, host, path, agent("")) }); n != 0 {
		t.Errorf("finding a route allocates %v times, want 0", n)
	}
}

func BenchmarkRoute(b *testing.B) {
	table := newTable([3]string{"*.example.com", "", "wild"}, [3]string{"a.example.com", "", "a"})
	host, path := []byte("a.example.com"), []byte("/v1/x")
	b.ReportAllocs()
	for b.Loop() {
		table.Route(0, host, path, agent(""))
	}
}

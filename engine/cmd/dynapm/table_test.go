package main

import (
	"strings"
	"testing"
	"time"

	"dynapm/engine/admin"
)

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 5 * time.Second: "5s", time.Minute: "1m", 90 * time.Second: "1m30s", 10 * time.Minute: "10m", time.Hour: "1h",
		20 * time.Hour: "20h", 90 * time.Minute: "1h30m", time.Hour + 30*time.Second: "1h0m30s", 150 * time.Millisecond: "150ms",
	} {
		if got := short(d); got != want {
			t.Errorf("%v is written %s; want %s", d, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	var out strings.Builder
	printTable(&out, []admin.Service{
		{Name: "blog", State: "ready", Since: 940_000, Pid: 7, ActiveConnections: 2, Waiting: 1, LastAccessTime: 999_000, Routes: []string{"blog.localhost"},
			Reason: "ready at 127.0.0.1:1"},
		{Name: "broken", State: "failed", Since: 999_995, Reason: "exited with status 3; its last output:\n  oh no\n  there is no database"},
		{Name: "asleep", State: "stopped", Reason: "idle"},
		{Name: "unknown", State: "failed"},
		{Name: "other", State: "ready", ProxyOnly: true, Reason: "cannot resolve other.internal"},
	}, now)
	want := `
NAME     STATE       FOR  PID  ACTIVE         LAST USE  ROUTES
blog     ready       1m   7    2 + 1 waiting  1s ago    blog.localhost
broken   failed      5ms  -    0              never     
  exited with status 3; its last output: there is no database
asleep   stopped     -    -    0              never     
unknown  failed      -    -    0              never     
other    proxy only  -    -    0              never     
  cannot resolve other.internal
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("the table is%s\nwant%s", got, want)
	}
}

func TestGist(t *testing.T) {
	long := strings.Repeat("ä", 97)
	for _, c := range []struct{ reason, want string }{
		{"idle", "idle"},
		{"it failed\nin two ways", "it failed"},
		{"it said:\n  one\n  two\n", "it said: two"},
		{"it said:", "it said:"},
		{long[:192], long[:192]},
		{long, long[:186] + "..."},
	} {
		if got := gist(c.reason); got != c.want {
			t.Errorf("the gist of %q is %q; want %q", c.reason, got, c.want)
		}
	}
}

func TestDetail(t *testing.T) {
	service := admin.Service{Name: "blog", State: "failed", IdleTimeout: 60_000, Pid: 7, Reason: "its last output:\n  oh no"}
	managed := admin.Detail{Service: service, StartCount: 1, HealthCheck: admin.HealthCheck{Type: "tcp"}}
	proxied := managed
	proxied.ProxyOnly = true
	for _, line := range []string{"sleeps after  1m without a request\n", "health check  tcp\n", "starts        1\n", "pid           7\n"} {
		if out := detailOf(managed); !strings.Contains(out, line) {
			t.Errorf("%s\nlacks %s", out, line)
		}
		if out := detailOf(proxied); strings.Contains(out, strings.TrimSpace(line[:13])) {
			t.Errorf("of one that is only proxied:\n%s\nhas %s", out, line)
		}
	}
	if out := detailOf(managed); !strings.Contains(out, "\nreason        its last output:\n                oh no\npid ") {
		t.Errorf("a reason of two lines stands as\n%s", out)
	}
}

func detailOf(d admin.Detail) string {
	var out strings.Builder
	printDetail(&out, d, time.UnixMilli(0))
	return out.String()
}

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// loadReport is what the tests read of report.json.
type loadReport struct {
	Schema      string `json:"schema"`
	Interrupted bool   `json:"interrupted"`
	Results     []struct {
		Requests int64            `json:"requests"`
		Failed   int64            `json:"failed"`
		Errors   map[string]int64 `json:"errors"`

		ColdStarts []struct {
			Total, Launch, Around float64
			Known                 bool
		} `json:"coldStarts"`
		Herds []struct{ Clients, Answered, Starts int } `json:"herds"`
	} `json:"results"`
	Ratios []struct {
		Of               string
		Ratio, Low, High float64
		Pairs            int
	} `json:"ratios"`
}

// loadtest runs a scenario against the engine and gives its report.
func (e *engine) loadtest(want int, scenario string, flags ...string) loadReport {
	e.Helper()
	dir := filepath.Join(e.dir, "report-"+scenario)
	r := e.run(append([]string{"loadtest", scenario, "-url", fmt.Sprintf("http://127.0.0.1:%d%s", e.port("front"), atHealth),
		"-host", "blog.localhost", "-report", dir}, flags...)...)
	if r.code != want || !strings.Contains(r.out, "P99.9") {
		e.Fatalf("loadtest %s: %v", scenario, r)
	}
	return e.loadReport(dir)
}

func (w *world) loadReport(dir string) (r loadReport) {
	w.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil || r.Schema != "dynapm-loadtest/2" || len(r.Results) == 0 {
		w.Fatalf("report.json (%v): %s", err, data)
	}
	if page, err := os.ReadFile(filepath.Join(dir, "report.html")); err != nil || !strings.Contains(string(page), "<polyline") {
		w.Errorf("report.html (%v): %s", err, page)
	}
	if md, err := os.ReadFile(filepath.Join(dir, "report.md")); err != nil || !strings.HasPrefix(string(md), "## ") {
		w.Errorf("report.md (%v): %s", err, md)
	}
	return r
}

const underTest = `
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`

func TestLoadtestOfSleepingService(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(underTest)
	admin := fmt.Sprintf("http://127.0.0.1:%d", e.port("admin"))
	// Each scenario asks once before it measures, which is a start if the service sleeps.
	cold := e.loadtest(0, "coldstart", "-n", "2", "-admin", admin)
	if len(cold.Results[0].ColdStarts) != 2 || cold.Results[0].Requests != 2 || e.starts("blog") != 3 {
		t.Errorf("two cold starts, %d starts: %+v", e.starts("blog"), cold)
	}
	for _, c := range cold.Results[0].ColdStarts {
		if !c.Known || c.Launch <= 0 || c.Total < c.Launch+c.Around {
			t.Errorf("a cold start is divided as %+v", c)
		}
	}
	herd := e.loadtest(0, "herd", "-n", "2", "-c", "30", "-admin", admin)
	if len(herd.Results[0].Herds) != 2 || herd.Results[0].Requests != 60 || e.starts("blog") != 5 {
		t.Errorf("two herds, %d starts: %+v", e.starts("blog"), herd)
	}
	for _, h := range herd.Results[0].Herds {
		if h.Answered != h.Clients || h.Starts != 1 {
			t.Errorf("a herd: %+v", h)
		}
	}
}

// TestLoadtestOfTwoSleepingServices wakes them in turns.
func TestLoadtestOfTwoSleepingServices(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(underTest + `  shop: {run: {{svc "shop"}}, base: "http://127.0.0.1:{{port "shop"}}", idleTimeout: 1h}`)
	front := fmt.Sprintf("http://127.0.0.1:%d%s", e.port("front"), atHealth)
	for _, flags := range [][]string{{"coldstart", "-n", "3"}, {"herd", "-n", "3", "-c", "10"}} {
		dir := filepath.Join(e.dir, "report-"+flags[0])
		r := e.run(append(append([]string{"loadtest"}, flags...), "-url", front, "-compare", front, "-host", "blog.localhost,shop.localhost",
			"-admin", fmt.Sprintf("http://127.0.0.1:%d", e.port("admin")), "-report", dir)...)
		if r.code != 0 || !strings.Contains(r.out, "-url by -compare") {
			t.Fatalf("%v: %v", flags, r)
		}
		got := e.loadReport(dir)
		if len(got.Ratios) != 1 || got.Ratios[0].Pairs != 3 || len(got.Results) != 2 {
			t.Errorf("%v: %+v", flags, got)
		}
	}
	// The first request wakes each, and then three cold starts and three herds.
	if blog, shop := e.starts("blog"), e.starts("shop"); blog != 7 || shop != 7 {
		t.Errorf("blog was started %d times, shop %d times; want 7", blog, shop)
	}
}

func TestLoadtestOfServiceThatIsUp(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(underTest)
	if r := e.loadtest(0, "rate", "-rate", "200", "-c", "4", "-d", "500ms", "-warmup", "0"); r.Results[0].Requests != 100 || r.Results[0].Failed != 0 {
		t.Errorf("200 a second for half of one: %+v", r)
	}
	direct := fmt.Sprintf("http://127.0.0.1:%d%s", e.port("blog"), atHealth)
	r := e.loadtest(0, "latency", "-n", "200", "-d", "0", "-warmup", "0", "-compare", direct)
	if len(r.Results) != 2 || r.Results[0].Requests != 200 || r.Results[1].Requests != 200 || len(r.Ratios) != 3 {
		t.Fatalf("200 requests each, direct and through: %+v", r)
	}
	for _, q := range r.Ratios {
		if q.Low <= 0 || q.Low > q.Ratio || q.High < q.Ratio {
			t.Errorf("a ratio: %+v", q)
		}
	}
}

// TestLoadtestInterrupted: Ctrl-C ends a run, and what was measured is in the report.
func TestLoadtestInterrupted(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(underTest)
	dir := filepath.Join(e.dir, "report")
	cmd := exec.Command(binary(t), "loadtest", "rate", "-url", fmt.Sprintf("http://127.0.0.1:%d/", e.port("front")), "-host", "blog.localhost",
		"-rate", "100", "-warmup", "0", "-d", "10m", "-report", dir)
	cmd.Env, cmd.Dir = e.env(), e.dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.await("blog", "request", 20)
	cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it exited with %v", err)
	}
	if r := e.loadReport(dir); !r.Interrupted || r.Results[0].Requests < 10 || r.Results[0].Failed != 0 {
		t.Errorf("interrupted: %+v", r)
	}
}

func TestLoadtestSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(underTest + `  outside: {proxyOnly: true, base: "http://127.0.0.1:{{port "outside"}}"}`)
	admin := fmt.Sprintf(" -admin http://127.0.0.1:%d", e.port("admin"))
	front := fmt.Sprintf("http://127.0.0.1:%d/", e.port("front"))
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"", 2, "coldstart"},
		{"nothing", 2, "unknown scenario"},
		{"rate", 2, "-url is missing"},
		{"rate -url ftp://x", 1, "not an http:// or https:// URL"},
		{"latency -rate 5 -url " + front, 2, "not defined: -rate"},
		{"coldstart -url " + front, 1, "-admin"},
		{"herd -host outside.localhost -url " + front + admin, 1, "never sleeps"},
		{"herd -host nobody.localhost -url " + front + admin, 1, "404"},
		{"mixed -url " + front, 2, "-hosts"},
		{"latency -host nobody.localhost -url " + front, 1, "status 404"},
	} {
		if r := e.run(append([]string{"loadtest"}, strings.Fields(c.args)...)...); r.code != c.code || r.out != "" || !strings.Contains(r.errors, c.says) {
			t.Errorf("dynapm loadtest %s: %v\nwant exit %d with %q", c.args, r, c.code, c.says)
		}
	}
}

func TestLoadtestOfManyServices(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(underTest + `  shop: {run: {{svc "shop"}}, base: "http://127.0.0.1:{{port "shop"}}", idleTimeout: 1h}`)
	admin := fmt.Sprintf("http://127.0.0.1:%d", e.port("admin"))
	dir := filepath.Join(e.dir, "report")
	r := e.run("loadtest", "mixed", "-url", fmt.Sprintf("http://127.0.0.1:%d%s", e.port("front"), atHealth), "-hosts", "blog.localhost,shop.localhost",
		"-admin", admin, "-rate", "200", "-n", "100", "-report", dir)
	if r.code != 0 || !strings.Contains(r.out, "2 of 2 hosts") || !strings.Contains(r.out, "0 starts while it ran") {
		t.Errorf("mixed: %v", r)
	}
	if got := e.loadReport(dir); got.Results[0].Requests != 100 || got.Results[0].Failed != 0 || e.starts("blog") != 1 || e.starts("shop") != 1 {
		t.Errorf("%+v", got)
	}
}

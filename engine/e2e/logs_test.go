package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLogFilePerService(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  one: {run: {{svc "one"}}, base: "http://127.0.0.1:{{port "one"}}", idleTimeout: 1h}
  two: {run: {{svc "two"}}, base: "http://127.0.0.1:{{port "two"}}", idleTimeout: 1h}
`)
	if r := e.run("logs", "one"); r.code != 0 || r.out != "" || !strings.Contains(r.errors, "printed nothing yet") {
		t.Errorf("before its first start: %v", r)
	}
	e.ask("one", "/")
	// What services print is theirs: it is not mixed into the engine's own output.
	if line := e.log.find("speaks on"); line != "" {
		t.Errorf("the engine's log has %q", line)
	}
	e.good("start", "two")
	e.good("restart", "two")
	for _, name := range []string{"one", "two"} {
		r := e.run("logs", name)
		// Both streams, of the present run alone, and of no other service.
		if r.code != 0 || strings.Count(r.out, name+" speaks on stdout\n") != 1 || strings.Count(r.out, name+" speaks on stderr\n") != 1 ||
			strings.Count(r.out, " speaks on ") != 2 {
			t.Errorf("dynapm logs %s: %v", name, r)
		}
	}
	file := filepath.Join(e.state, "logs", "one.log")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%s: %v (%v); want a file that only its owner reads", file, info, err)
	}
}

// TestLogThatNobodyReads is no reason not to serve, and none not to leave.
func TestLogThatNobodyReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fifo := filepath.Join(w.dir, "log")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	paused, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer paused.Close()
	size, err := unix.FcntlInt(paused.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := w.config(`
logging: {enableRequestLog: true}
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1m}
`)
	e := w.launchAs(exec.Command("/bin/sh", "-c", `exec "$0" engine -config "$1" 2>"$2"`, binary(t), file, fifo), file)
	e.ready()
	const target = 1 << 10 // bytes, each of which is in a line
	for range 2 * size / target {
		e.ask("blog", "/"+strings.Repeat("x", target))
	}
	e.interrupt()
}

// TestLogIsJSONWhereNobodyWatches: every line, with its time, level and what happened.
func TestLogIsJSONWhereNobodyWatches(t *testing.T) {
	t.Parallel()
	for _, requestLog := range []bool{false, true} {
		t.Run(fmt.Sprintf("request log %v", requestLog), func(t *testing.T) {
			t.Parallel()
			e := newWorld(t).start(`
logging: {enableRequestLog: ` + fmt.Sprint(requestLog) + `}
services:
  blog:   {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 300ms}
  broken: {run: {{svc "broken" "-crash=3"}}, base: "http://127.0.0.1:{{port "broken"}}"}
`)
			e.ask("blog", "/in-the-log?x=1")
			e.get("broken", "/")
			e.get("unknown", "/")
			e.reach("blog", "stopped")
			e.interrupt()
			for _, line := range strings.Split(e.log.String(), "\n") {
				var fields map[string]any
				if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["time"] == nil || fields["level"] == nil || fields["msg"] == nil {
					t.Errorf("a line of the log: %q (%v)", line, err)
				}
			}
			line := e.log.find("/in-the-log?x=1")
			if requestLog != (line != "") || requestLog && !(strings.Contains(line, `"status":200`) && strings.Contains(line, `"service":"blog"`)) {
				t.Errorf("request log %v: %q", requestLog, line)
			}
			for _, state := range []string{"starting", "ready", "stopping", "stopped"} {
				e.logged(`"msg":"`+state+`"`, `"service":"blog"`)
			}
		})
	}
}

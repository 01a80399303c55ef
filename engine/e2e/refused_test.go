package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestAReadyServiceThatRefusesIsStartedAgain: nobody tells the engine that a service of something else has ended, but
// the first request that is refused.
func TestAReadyServiceThatRefusesIsStartedAgain(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  daemon:
    base: http://127.0.0.1:{{port "daemon"}}
    commands:
      start: '{{sh "daemon"}} -listen=127.0.0.1:{{port "daemon"}} & echo $! > daemon.pid'
      stop: kill $(cat daemon.pid)
    startTimeout: 5s
    idleTimeout: 1h
`)
	e.ask("daemon", "/")
	text, err := os.ReadFile(filepath.Join(e.dir, "daemon.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e.until("nothing to listen", func() bool { return !listening()[e.port("daemon")] })
	if r := e.get("daemon", "/"); r.status != http.StatusBadGateway {
		t.Errorf("got %v; want 502", r)
	}
	// What dies within a second of being ready has failed, later it is stopped.
	e.until("it is down", func() bool { s := e.inspect("daemon").State; return s == "stopped" || s == "failed" })
	if i := e.inspect("daemon"); !strings.Contains(i.Reason, "nothing listens") {
		t.Errorf("it is %s, since %q", i.State, i.Reason)
	}
	e.ask("daemon", "/")
	if n := e.starts("daemon"); n != 2 {
		t.Errorf("%d starts", n)
	}
}

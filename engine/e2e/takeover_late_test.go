package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTakeoverAnsweredTooLate: an engine that was halted when another asked for its place, and finds that other gone when
// it goes on, stays; and the next one can take over.
func TestTakeoverAnsweredTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.start(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1m}
`)
	blog := e.ask("blog", "/")
	younger := e.met()
	e.halt()
	if _, err := younger.Write([]byte(`{"do":"take"}`)); err != nil {
		t.Fatal(err)
	}
	younger.Close()
	e.signal(syscall.SIGCONT)
	e.logged(`"msg":"no other engine took over: it has gone, and this one stays"`)
	if got := e.ask("blog", "/"); got.Pid != blog.Pid {
		t.Errorf("blog is served by pid %d; it was %d", got.Pid, blog.Pid)
	}
	next := e.takeOver()
	e.left()
	if got := next.ask("blog", "/"); got.Pid != blog.Pid {
		t.Errorf("blog is served by pid %d; it was %d", got.Pid, blog.Pid)
	}
}

// met is a connection with the engine as a younger one has it that has yet to ask for the place.
func (e *engine) met() *net.UnixConn {
	e.Helper()
	dir, err := os.Open(e.state)
	if err != nil {
		e.Fatal(err)
	}
	defer dir.Close()
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Net: "unixpacket", Name: fmt.Sprintf("/proc/self/fd/%d/engine.sock", dir.Fd())})
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte(`{"do":"hello","version":1}`)); err != nil {
		e.Fatal(err)
	}
	packet := make([]byte, 64<<10)
	for {
		// The descriptors that come along are not asked for, and closed by the kernel.
		n, err := conn.Read(packet)
		if err != nil {
			e.Fatal(err)
		}
		if strings.Contains(string(packet[:n]), `"do":"ready"`) {
			return conn
		}
	}
}

// halt returns when the engine stands still.
func (e *engine) halt() {
	e.Helper()
	e.signal(syscall.SIGSTOP)
	e.until("the engine to stand still", func() bool {
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", e.cmd.Process.Pid))
		for _, task := range tasks {
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", e.cmd.Process.Pid, task.Name()))
			if _, after, _ := strings.Cut(string(stat), ") "); !strings.HasPrefix(after, "T") {
				return false
			}
		}
		return len(tasks) > 0
	})
}

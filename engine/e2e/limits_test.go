package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDescriptorsRunOut takes the engine's descriptors away while it runs, and sends it more clients than are left. Who
// was there before is served all the while; when there are descriptors again everybody is, and nothing was lost.
func TestDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  blog: {run: {{svc "blog" "-raw"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: never}
`)
	var l load
	stop := e.bystander(&l, "blog")
	before := e.files()
	var limit unix.Rlimit
	if err := unix.Prlimit(e.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: uint64(before + 10), Max: limit.Max}
	if err := unix.Prlimit(e.cmd.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	var flood []net.Conn
	for range 100 {
		conn, _ := e.dial()
		e.send(conn, "GET / HTTP/1.1\nHost: bl")
		flood = append(flood, conn)
	}
	e.logged("accepting connections failed")
	if err := unix.Prlimit(e.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	if r := e.get("blog", "/after"); r.status != 200 || !strings.HasPrefix(r.body, "GET /after ") {
		t.Errorf("afterwards the answer is %v", r)
	}
	for _, conn := range flood {
		conn.Close()
	}
	e.client.CloseIdleConnections()
	// Connections to the service that are kept for the next request go by themselves. The store may have begun another file.
	e.until("the flood's descriptors to be free again", func() bool { return e.files() <= before+2 })
	stop()
	e.until("all leases to be released", func() bool { return *e.inspect("blog").ActiveConnections == 0 })
	if e.ended() || l.failures.Load() > 0 {
		t.Errorf("the engine has ended: %v; the bystander: %v", e.ended(), &l)
	}
}

// TestServicesInheritNoSocket: evio's sockets are open to children, so services must be somebody else's.
func TestServicesInheritNoSocket(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  first:  {run: {{svc "first"}},  base: "http://127.0.0.1:{{port "first"}}",  idleTimeout: 1h}
  second: {run: {{svc "second"}}, base: "http://127.0.0.1:{{port "second"}}", idleTimeout: 1h}
`)
	for range 20 {
		conn, _ := e.dial()
		e.send(conn, "GET / HTTP/1.1\nHost: fi")
	}
	first := e.ask("first", "/")
	second := e.ask("second", "/")
	ours := sockets(e.cmd.Process.Pid)
	if len(ours) < 20 {
		t.Errorf("the engine has only the sockets %v", ours)
	}
	for _, pid := range []int{first.Pid, second.Pid} {
		theirs := sockets(pid)
		if len(theirs) == 0 {
			t.Errorf("pid %d has no socket at all", pid)
		}
		for socket := range theirs {
			if ours[socket] {
				t.Errorf("pid %d has the engine's %s", pid, socket)
			}
		}
	}
}

// sockets tells the sockets that a process has open, as /proc names them.
func sockets(pid int) map[string]bool {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	found := map[string]bool{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if target, _ := os.Readlink(dir + e.Name()); strings.HasPrefix(target, "socket:") {
			found[target] = true
		}
	}
	return found
}

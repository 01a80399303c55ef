package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bySystemd is the command that runs the engine as systemd does, with sockets and more in its environment.
func (w *world) bySystemd(file string, sockets []*os.File, env ...string) *engine {
	w.Helper()
	// LISTEN_PID is the engine's own (sd_listen_fds(3)), which nobody knows before it runs.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary(w.T), "engine", "-config", file)
	cmd.Env = append(env, fmt.Sprintf("LISTEN_FDS=%d", len(sockets)))
	cmd.ExtraFiles = sockets
	return w.launchAs(cmd, file)
}

// socketAt is a listening socket as systemd opens it for ListenStream.
func (w *world) socketAt(address string) *os.File {
	w.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		w.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { file.Close() })
	return file
}

// TestSocketsOfSystemd: the engine listens on what it is given (LISTEN_FDS), the connections that came before it
// included, and on the rest by itself.
func TestSocketsOfSystemd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := w.config(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
  door: {run: {{svc "door"}}, base: "http://127.0.0.1:{{port "door"}}", port: {{port "own"}}, idleTimeout: 1h}
`)
	front := w.socketAt(fmt.Sprintf("127.0.0.1:%d", w.port("front")))
	admin := w.socketAt(fmt.Sprintf("127.0.0.1:%d", w.port("admin")))
	stranger := w.socketAt(fmt.Sprintf(":%d", w.port("stranger")))
	early, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.port("front")))
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	w.send(early, "GET / HTTP/1.1\nHost: blog\n\n")

	e := w.bySystemd(file, []*os.File{stranger, front, admin})
	stranger.Close() // or it would be listened on by this process
	w.seen(w.receive(bufio.NewReader(early), "GET"))
	e.ask("door", "/")
	if state := e.reach("blog", "ready"); state.Pid == 0 {
		t.Errorf("blog is %+v", state)
	}
	e.logged(`"msg":"a listening socket is not used`, fmt.Sprintf(":%d", w.port("stranger")), `"from":"systemd"`)
	if listening()[w.port("stranger")] {
		t.Error("a socket that the config does not name is listened on")
	}
	// Who stops the engine and keeps the sockets has its clients wait for the next one.
	e.signal(syscall.SIGTERM)
	e.wait()
	waits, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.port("front")))
	if err != nil {
		t.Fatalf("the socket went with the engine: %v", err)
	}
	defer waits.Close()
	w.send(waits, "GET / HTTP/1.1\nHost: blog\n\n")
	w.bySystemd(file, []*os.File{front, admin})
	w.seen(w.receive(bufio.NewReader(waits), "GET"))
	front.Close()
	admin.Close()
}

// TestSocketOfSystemdThatIsNone: a clear word instead of a gateway that nobody can reach.
func TestSocketOfSystemdThatIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	e := w.bySystemd(w.config("services: {blog: {proxyOnly: true, base: \"http://127.0.0.1:{{port `blog`}}\"}}"), []*os.File{null})
	if code := e.wait(); code != 1 || e.log.find("systemd has passed", "no listening socket") == "" {
		t.Errorf("exit %d: %s", code, e.log)
	}
}

// manager is the other end of NOTIFY_SOCKET. It reads all the time, as systemd does: the socket takes few messages.
type manager struct {
	*world
	messages chan []string // the lines of each
	said     []string
}

func (w *world) manager() *manager {
	w.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(w.dir, "notify"), Net: "unixgram"})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.Close() })
	m := &manager{world: w, messages: make(chan []string, 10_000)}
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			m.messages <- strings.Split(string(b[:n]), "\n")
		}
	}()
	return m
}

// hear waits until a message says all the words. Those before it are kept.
func (m *manager) hear(words ...string) {
	m.Helper()
	for late := time.After(2 * patience); ; {
		select {
		case lines := <-m.messages:
			m.said = append(m.said, lines...)
			if !slices.ContainsFunc(words, func(word string) bool { return !slices.Contains(lines, word) }) {
				return
			}
		case <-late:
			m.Fatalf("%q was not said; but %q", words, m.said)
		}
	}
}

// TestTellsSystemd: READY when it serves, the watchdog as long as it works, STOPPING when it leaves; and after a takeover
// the next engine does so, with its own pid. The services hear nothing of it.
func TestTellsSystemd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.manager()
	file := w.config(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 1h}
`)
	e := w.bySystemd(file, nil, "NOTIFY_SOCKET="+filepath.Join(w.dir, "notify"), "WATCHDOG_USEC=200000")
	m.hear("READY=1", fmt.Sprintf("MAINPID=%d", e.cmd.Process.Pid))
	m.hear("WATCHDOG=1")
	m.hear("WATCHDOG=1")
	e.ask("blog", "/")
	for _, variable := range w.events("blog", "start")[0].Env {
		for _, ours := range []string{"NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_"} {
			if strings.HasPrefix(variable, ours) {
				t.Errorf("the service was given %s", variable)
			}
		}
	}
	next := e.takeOver()
	e.left()
	m.hear("READY=1", fmt.Sprintf("MAINPID=%d", next.cmd.Process.Pid))
	m.hear("WATCHDOG=1")
	if slices.Contains(m.said, "STOPPING=1") {
		t.Error("the engine that was replaced said that the service stops")
	}
	next.signal(syscall.SIGINT)
	m.hear("STOPPING=1")
	next.wait()
}

package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal (pty(7)): what is written to keys is typed, screen is the other end.
func terminal(t *testing.T) (keys, screen *os.File) {
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return keys, screen
}

// TestOnATerminal is the newcomer's first minute: what is listened on and known, at a glance, then the wake with its
// times, the sleep, and Ctrl-C as it is typed, which ends the engine, and through it the services.
func TestOnATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := w.config(`
services:
  blog: {run: {{svc "blog"}}, base: "http://127.0.0.1:{{port "blog"}}", idleTimeout: 300ms}
  shop: {run: {{svc "shop"}}, base: "http://127.0.0.1:{{port "shop"}}", idleTimeout: never}
`)
	keys, screen := terminal(t)
	e := &engine{world: w, config: file, exited: make(chan struct{}), log: newOutput(), client: w.clientOf(w.port("front"))}
	e.cmd = exec.Command(binary(t), "engine", "-config", file)
	e.cmd.Env, e.cmd.Dir = append(w.env(), "TERM=xterm", "NO_COLOR=1"), w.dir
	e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = screen, screen, screen
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	screen.Close()
	go e.log.copy(keys)
	go func() { e.cmd.Wait(); close(e.exited) }()
	t.Cleanup(e.finish)

	e.ready()
	front := fmt.Sprintf("http://blog.localhost:%d/", w.port("front"))
	for _, words := range [][]string{{fmt.Sprintf("127.0.0.1:%d", w.port("front"))}, {"blog", front, "300ms"}, {"shop", "never"}} {
		e.until(fmt.Sprintf("a line on the screen with %q", words), func() bool { return e.log.find(words...) != "" })
	}
	e.ask("shop", "/")
	e.ask("blog", "/")
	for _, words := range [][]string{{"woke", "blog", "launched=", "listening=", "firstByte="}, {"stopped", "blog"}} {
		e.until(fmt.Sprintf("a line on the screen with %q", words), func() bool { return e.log.find(words...) != "" })
	}
	if line := e.log.find("{"); line != "" {
		t.Errorf("a line for machines on a terminal: %q", line)
	}

	if _, err := io.WriteString(keys, "\x03"); err != nil {
		t.Fatal(err)
	}
	if code := e.wait(); code != 0 {
		t.Errorf("exit %d after Ctrl-C; want 0:\n%s", code, e.log)
	}
	// The key is for the engine: services are no part of its terminal, and are told by it alone.
	if terms, exits := len(e.events("shop", "term")), len(e.events("shop", "exit")); terms != 1 || exits != 1 {
		t.Errorf("the service saw %d SIGTERMs and ended by itself %d times; want one each", terms, exits)
	}
	if strings.Contains(e.log.String(), "DATA RACE") {
		t.Error(e.log)
	}
	e.nothingLeft()
}

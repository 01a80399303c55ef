package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLogsFollow: `dynapm logs -f` prints every line once and in order, while the output is rotated by its size and
// from one start to the next.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const half = 300_000 // lines, more than 1M
	gate := filepath.Join(w.dir, "go")
	e := w.start(fmt.Sprintf(`
services:
  blog:
    run: [sh, -c, 'seq 1 %d; while ! test -e %s; do sleep 0.02; done; seq %d %d; exec sleep 1000']
    healthCheck: {type: none}
    logs: {maxSize: 1M}
`, half, gate, half+1, 2*half))
	file := filepath.Join(e.state, "logs", "blog.log")
	printed := w.follow("blog")
	var last os.FileInfo
	rotated := func() bool {
		info, err := os.Stat(file + ".1")
		if err != nil || last != nil && os.SameFile(info, last) {
			return false
		}
		last = info
		return true
	}
	// Whoever reads more slowly than the output is rotated misses some: a half is written when the one before was read.
	read := func(lines, last int) {
		t.Helper()
		e.until(fmt.Sprintf("%d lines to be printed", lines), func() bool {
			text := printed()
			return bytes.HasSuffix(text, fmt.Appendf(nil, "\n%d\n", last)) && bytes.Count(text, []byte("\n")) >= lines
		})
	}
	e.good("start", "blog")
	e.until("the output to be rotated", rotated)
	read(half, half)
	w.write("go", "")
	e.until("the output to be rotated again", rotated)
	read(2*half, 2*half)
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	e.good("restart", "blog")
	read(3*half, half)
	w.write("go", "")
	read(4*half, 2*half)
	next := 0
	for line := range strings.Lines(string(printed())) {
		if want := fmt.Sprintf("%d\n", next%(2*half)+1); line != want {
			t.Fatalf("line %d is %q; want %q", next, line, want)
		}
		next++
	}
	if next != 4*half {
		t.Errorf("%d lines; want %d", next, 4*half)
	}
}

// follow runs `dynapm logs -f` until the test ends, and gives what it has printed so far.
func (w *world) follow(service string) func() []byte {
	w.Helper()
	out, err := os.Create(filepath.Join(w.dir, "followed"))
	if err != nil {
		w.Fatal(err)
	}
	cmd := exec.Command(binary(w.T), "logs", "-f", service)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = w.env(), w.dir, out, out
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		out.Close()
	})
	return func() []byte {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			w.Fatal(err)
		}
		return text
	}
}

// TestLogIsBoundedWhoeverStartedIt: engine and keeper are killed, and the next ones shorten the log of what they find.
func TestLogIsBoundedWhoeverStartedIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gate := filepath.Join(w.dir, "go")
	e := w.start(`
services:
  blog:
    run: [sh, -c, 'while ! test -e ` + gate + `; do sleep 0.02; done; seq 1 300000; exec sleep 1000']
    healthCheck: {type: none}
    logs: {maxSize: 1M}
`)
	e.good("start", "blog")
	e.signal(syscall.SIGSTOP) // or it would find another keeper before it ends
	w.killKeeper()
	e.kill()
	next := w.launch(e.config)
	next.ready()
	w.write("go", "")
	next.until("the output to be rotated", func() bool {
		_, err := os.Stat(filepath.Join(e.state, "logs", "blog.log.1"))
		return err == nil
	})
}

package keeper

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what is to happen.
const patience = 20 * time.Second

// bench is a state directory with an engine's client.
type bench struct {
	*Client
	t     *testing.T
	dir   string
	exits chan Exit
	mode  string // keeper or bare-keeper
}

// newBench opens a keeper of its own. When the test ends, no process may be
// left that carries the marks of the directory.
func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchOf(t, "bare-keeper")
}

// newBenchOf says which: "keeper" makes cgroups where it can, and what goes on
// without them is tested with one that does not, "bare-keeper".
func newBenchOf(t *testing.T, mode string) *bench {
	t.Helper()
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: dir, exits: make(chan Exit, 1000), mode: mode}
	t.Cleanup(b.clean)
	b.open()
	return b
}

func (b *bench) options() Options {
	return Options{
		Dir: b.dir, Executable: []string{executable, b.mode},
		OnExit: func(e Exit) { b.exits <- e },
		Log:    slog.New(slog.NewTextHandler(b.t.Output(), nil)),
	}
}

func (b *bench) open() {
	b.t.Helper()
	c, err := Open(b.options())
	if err != nil {
		b.t.Fatal(err)
	}
	b.Client = c
}

// clean ends what the test left running, and then fails it if more is there
// than was known.
func (b *bench) clean() {
	if b.Client != nil && b.isClosed() {
		b.open()
	}
	all, err := b.List()
	if err != nil {
		b.t.Error(err)
	}
	for _, p := range all {
		if err := b.Signal(p, syscall.SIGKILL); err != nil && !errors.Is(err, ErrEnded) {
			b.t.Error(err)
		}
	}
	if err := b.Shutdown(); err != nil {
		b.t.Error(err)
	}
	b.until("every process to be gone", func() bool { return len(marked(b.t, b.dir)) == 0 })
	log, _ := os.ReadFile(filepath.Join(b.dir, logName))
	if strings.Contains(string(log), "DATA RACE") || b.t.Failed() {
		b.t.Errorf("the keeper's log:\n%s", log)
	}
}

// marked returns the living processes that a keeper of dir launched, and the
// keepers.
func marked(t *testing.T, dir string) []int {
	all, err := processes()
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, p := range all {
		if !p.alive() || p.pid == os.Getpid() {
			continue
		}
		pid := "/proc/" + strconv.Itoa(p.pid)
		environ, _ := os.ReadFile(pid + "/environ")
		argv, _ := os.ReadFile(pid + "/cmdline")
		if strings.Contains(string(environ), markDir+"="+dir+"\x00") || strings.Contains(string(argv), dir+"\x00") {
			found = append(found, p.pid)
		}
	}
	return found
}

// marks are those of a process, as a keeper of the directory reads them.
func (b *bench) marks(pid int) (marks, error) { return b.marker().read(pid) }

func (b *bench) marker() marker { return marker{b.dir, []byte(b.read(secretName))} }

// until waits for a condition.
func (b *bench) until(what string, condition func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// launch runs argv as a service, or as what edit makes of it.
func (b *bench) launch(argv []string, edit ...func(*Command)) Process {
	b.t.Helper()
	p, err := b.Launch(b.command(argv, edit...))
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *bench) command(argv []string, edit ...func(*Command)) Command {
	cmd := Command{
		Service: "blog", Run: 1, Role: RoleService, Argv: argv, Dir: b.dir,
		Env: os.Environ(), Output: filepath.Join(b.dir, "logs", "blog.log"),
	}
	for _, e := range edit {
		e(&cmd)
	}
	return cmd
}

func as(role Role) func(*Command)     { return func(c *Command) { c.Role = role } }
func ofRun(run uint64) func(*Command) { return func(c *Command) { c.Run = run } }
func (b *bench) output() string       { return b.read("logs/blog.log") }
func (b *bench) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(b.dir, name))
	return string(text)
}

// printed waits for a line of the output that begins with word, and returns
// the rest of it.
func (b *bench) printed(word string) string {
	b.t.Helper()
	var rest string
	b.until("the output "+word, func() bool {
		for line := range strings.Lines(b.output()) {
			text, whole := strings.CutSuffix(line, "\n")
			after, ok := strings.CutPrefix(text, word)
			if whole && ok {
				rest = strings.TrimSpace(after)
				return true
			}
		}
		return false
	})
	return rest
}

// childPid waits for the pid that a service in mode child prints.
func (b *bench) childPid() int {
	b.t.Helper()
	pid, err := strconv.Atoi(b.printed("child "))
	if err != nil {
		b.t.Fatal(err)
	}
	return pid
}

// exit waits for the next exit, which must be p's.
func (b *bench) exit(p Process) Exit {
	b.t.Helper()
	select {
	case e := <-b.exits:
		if e.identity() != p.identity() {
			b.t.Fatalf("exit of %+v, want that of %+v", e.Process, p)
		}
		return e
	case <-time.After(patience):
		b.t.Fatalf("waited in vain for the exit of %+v", p)
		return Exit{}
	}
}

// noExit checks that no exit was delivered twice or too many.
func (b *bench) noExit() {
	b.t.Helper()
	select {
	case e := <-b.exits:
		b.t.Errorf("exit too many: %+v", e)
	default:
	}
}

func (b *bench) isKept(p Process) bool {
	b.t.Helper()
	all, err := b.List()
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.ContainsFunc(all, func(q Process) bool { return q.identity() == p.identity() })
}

func isAlive(pid int) bool {
	stat, ok := readStat(pid)
	return ok && stat.alive()
}

// killKeeper kills the keeper with SIGKILL and returns its pid.
func (b *bench) killKeeper() int {
	b.t.Helper()
	pid := b.keeperPid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		b.t.Fatal(err)
	}
	return pid
}

// beginAnew closes the client and kills its keeper, and opens the next ones.
func (b *bench) beginAnew() {
	b.t.Helper()
	keeper := b.keeperPid()
	b.Close()
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		b.t.Fatal(err)
	}
	b.until("the keeper to be gone", func() bool { return !isAlive(keeper) })
	b.open()
}

func (b *bench) keeperPid() int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l, err := b.current(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	return l.pid
}

// firstLine reads what a process prints first.
func firstLine(t *testing.T, f *os.File) string {
	t.Helper()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

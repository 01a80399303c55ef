package keeper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExitStatus(t *testing.T) {
	b := newBench(t)
	for run, tc := range []struct {
		argv   []string
		code   int
		signal syscall.Signal
	}{
		{argv: self("exit", "0")},
		{argv: self("exit", "7"), code: 7},
		{argv: []string{"sh", "-c", "kill -9 $$"}, signal: syscall.SIGKILL},
		{argv: []string{"sh", "-c", "kill -15 $$"}, signal: syscall.SIGTERM},
	} {
		for _, role := range []Role{RoleService, RoleStart, RoleCheck} {
			p := b.launch(tc.argv, as(role), ofRun(uint64(run)))
			e := b.exit(p)
			if e.Code != tc.code || e.Signal != tc.signal || e.Unknown {
				t.Errorf("%v: %+v", tc.argv, e)
			}
			if e.Service != "blog" || e.Run != uint64(run) || e.Role != role || e.Pid != p.Pid || e.At.Before(p.Started) {
				t.Errorf("%v: %+v for %+v", tc.argv, e, p)
			}
		}
	}
	b.noExit()
}

// An exit that comes at once, perhaps before the launch is registered, is
// never lost, and none is reported twice.
func TestInstantExits(t *testing.T) {
	b := newBench(t)
	const launches = 200
	want := make(chan Process, launches)
	for worker := range 4 {
		go func() {
			for i := range launches / 4 {
				p, err := b.Launch(b.command([]string{"true"}, ofRun(uint64(worker*1000+i))))
				if err != nil {
					t.Error(err)
				}
				want <- p
			}
		}()
	}
	count := make(map[uint64]int)
	for range launches {
		count[(<-want).Run]++
		count[(<-b.exits).Run]++
	}
	for run, n := range count {
		if n != 2 {
			t.Errorf("run %d: launched and ended %d times in all", run, n)
		}
	}
	b.noExit()
}

// What a service finds itself in is what it would find at a fresh login.
func TestSurroundings(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	b.exit(b.launch(self("look"), ofRun(7), func(c *Command) {
		c.Dir = dir
		c.Env = []string{
			"A=first", "A=last", "EMPTY=", "LATIN=caf\xe9", "LISTEN_ADDR=:80", "DYNAPM_RUN=3",
			"NOTIFY_SOCKET=/n", "LISTEN_FDS=1", "LISTEN_PID=1", "LISTEN_FDNAMES=x", "WATCHDOG_USEC=1", "WATCHDOG_PID=1",
		}
	}))
	out := b.output()
	log := filepath.Join(b.dir, "logs", "blog.log")
	for _, line := range []string{
		"dir=" + dir, "leader=true", "SigBlk:0000000000000000", fmt.Sprintf("slack=%d", givenSlack),
		"fd0=/dev/null", "fd1=" + log, "fd2=" + log,
		"env A=last", "env EMPTY=", "env LATIN=caf\xe9", "env LISTEN_ADDR=:80",
		"env DYNAPM_SERVICE=blog", "env DYNAPM_RUN=7", "env DYNAPM_ROLE=service", "env DYNAPM_STATE_DIR=" + b.dir,
		"env DYNAPM_MAC=" + b.marker().mac(marks{"blog", 7, RoleService}),
	} {
		if strings.Count(out, line+"\n") != 1 {
			t.Errorf("not once in the output: %q", line)
		}
	}
	if n := strings.Count(out, "\nfd"); n != 3 {
		t.Errorf("%d descriptors were inherited, want 3", n)
	}
	if n := strings.Count(out, "env "); n != 9 {
		t.Errorf("%d variables, want 9", n)
	}
	if t.Failed() {
		t.Log(out)
	}
}

// Signals and limits reach a service as the engine's parent left them, however
// the keeper and Go itself have changed their own. Shells say so: a Go program
// would have changed them again before it could look.
func TestSignalsAndLimitsAreRestored(t *testing.T) {
	b := newBench(t)
	script := "ulimit -Sn; grep Sig /proc/$$/status"
	b.exit(b.launch([]string{"sh", "-c", script}))
	got := strings.Fields(b.output())
	for i, field := range got {
		if field != "SigIgn:" {
			continue
		}
		// Signals 32 and 33 are the C library's: whoever starts this test by its posix_spawn has them ignored, and
		// nobody here can change that.
		ignored, err := strconv.ParseUint(got[i+1], 16, 64)
		if err != nil || ignored&^(1<<31|1<<32) != 0 {
			t.Errorf("ignored signals: %s", got[i+1])
		}
	}
	// What syscall.ForkExec restores for a direct child of this process is
	// what the engine was started with.
	direct := directly(t, "ulimit -Sn")
	if got[0] != direct {
		t.Errorf("soft limit of descriptors is %s, want %s", got[0], direct)
	}
}

func directly(t *testing.T, script string) string {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", script}, &os.ProcAttr{Files: []*os.File{nil, w, nil}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Wait()
	return firstLine(t, r)
}

func TestLaunchErrors(t *testing.T) {
	b := newBench(t)
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(b.dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := file("plain", "x", 0o644)
	file("script", "#!/no/such/interpreter -x\n", 0o755)
	file("text", "hello", 0o755)
	for _, tc := range []struct {
		name string
		edit func(*Command)
		want string
	}{
		{"nothing", func(c *Command) { c.Argv = nil }, "cannot run an empty command"},
		{"not in PATH", func(c *Command) { c.Argv = []string{"nodeX"} }, "cannot run nodeX: not found in PATH"},
		{"PATH is the command's", func(c *Command) { c.Argv, c.Env = []string{"true"}, []string{"PATH=/no"} }, "cannot run true: not found in PATH"},
		{"in PATH but not executable", func(c *Command) { c.Argv, c.Env = []string{"plain"}, []string{"PATH=/no:."} }, "cannot run plain: " + plain + ": not executable"},
		{"not executable", func(c *Command) { c.Argv = []string{"./plain"} }, "cannot run ./plain: not executable"},
		{"absent", func(c *Command) { c.Argv = []string{"./absent"} }, "cannot run ./absent: no such file"},
		{"below a file", func(c *Command) { c.Argv = []string{"./plain/x"} }, "cannot run ./plain/x: no such file"},
		{"a directory", func(c *Command) { c.Argv = []string{"/tmp"} }, "cannot run /tmp: it is a directory"},
		{"interpreter", func(c *Command) { c.Argv = []string{"./script"} }, `cannot run ./script: its interpreter "/no/such/interpreter" does not exist`},
		{"text", func(c *Command) { c.Argv = []string{"./text"} }, "is neither a program for this machine nor a script with #! in its first line"},
		{"no dir", func(c *Command) { c.Dir = "/no/dir" }, "in /no/dir: no such directory"},
		{"dir is a file", func(c *Command) { c.Dir = plain }, ": not a directory"},
		{"relative dir", func(c *Command) { c.Dir = "x" }, "in x: not an absolute path"},
		{"bad variable", func(c *Command) { c.Env = []string{"NOVALUE"} }, `environment has "NOVALUE", which is not NAME=VALUE`},
		{"NUL in argument", func(c *Command) { c.Argv = []string{"true", "a\x00b"} }, "an argument has a NUL byte"},
		{"output below a file", func(c *Command) { c.Output = plain + "/log" }, "cannot open its output"},
		{"relative output", func(c *Command) { c.Output = "log" }, "log is not an absolute path"},
		{"too large", func(c *Command) { c.Argv = []string{"true", strings.Repeat("x", 1<<20)} }, "too large"},
	} {
		p, err := b.Launch(b.command([]string{"true"}, tc.edit))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if err == nil {
			b.exit(p)
		}
	}
	if all, err := b.List(); err != nil || len(all) > 0 {
		t.Errorf("after failed launches the keeper keeps %v, %v", all, err)
	}
	b.noExit()
}

func TestFindProgram(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"bin/tool", "tool", "other/tool"} {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "other/tool"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, path, want string }{
		{"tool", "bin", "bin/tool"},
		{"tool", dir + "/bin", "bin/tool"},
		{"tool", ":bin", "tool"},
		{"tool", "other:bin", "bin/tool"},
		{"./tool", "bin", "tool"},
		{"bin/tool", "", "bin/tool"},
		{dir + "/tool", "bin", "tool"},
	} {
		got, err := findProgram(tc.name, dir, []string{"PATH=" + tc.path})
		if err != nil || got != filepath.Join(dir, tc.want) {
			t.Errorf("%s in PATH=%s: %s, %v", tc.name, tc.path, got, err)
		}
	}
	if got, err := findProgram("sh", dir, nil); err != nil || !strings.HasSuffix(got, "/sh") {
		t.Errorf("sh without PATH: %s, %v", got, err)
	}
}

func TestOutput(t *testing.T) {
	b := newBench(t)
	const size = 8 << 20
	b.exit(b.launch(self("output", fmt.Sprint(size))))
	b.exit(b.launch(self("stderr", "the end"), ofRun(2)))
	info, err := os.Stat(filepath.Join(b.dir, "logs", "blog.log"))
	if err != nil || info.Size() != size+int64(len("the end\n")) || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	b.exit(b.launch(self("stderr", "anew"), ofRun(3), func(c *Command) { c.Rotate = true }))
	if b.output() != "anew\n" || len(b.read("logs/blog.log.1")) != size+len("the end\n") {
		t.Errorf("after rotation: %d and %d bytes", len(b.output()), len(b.read("logs/blog.log.1")))
	}
	b.exit(b.launch(self("stderr", "nowhere"), ofRun(4), func(c *Command) { c.Output = "" }))
	if b.output() != "anew\n" {
		t.Errorf("%q", b.output())
	}
}

// One run of a service is one process; its delegated commands may overlap.
func TestOneProcessPerRun(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("pause"))
	want := fmt.Sprintf("cannot run blog: run 1 of it already has pid %d", p.Pid)
	if _, err := b.Launch(b.command(self("pause"))); err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
	check := b.launch(self("pause"), as(RoleCheck))
	other := b.launch(self("pause"), as(RoleCheck))
	all, err := b.List()
	if err != nil || len(all) != 3 || all[0].identity() != p.identity() || all[1].identity() != check.identity() || all[2].identity() != other.identity() {
		t.Errorf("%v, %v", all, err)
	}
}

// TestLaunchOfAnEngineThatIsGone: a command whose preparation took longer than the engine lived that has asked for it. The
// next engine was told what runs, and that was nothing.
func TestLaunchOfAnEngineThatIsGone(t *testing.T) {
	b := newBench(t)
	b.launch(self("pause"), ofRun(7)) // a keeper that keeps nothing would leave
	fifo := filepath.Join(b.dir, "output")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l, err := b.current(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cmd := b.command(self("pause"), func(c *Command) { c.Output = fifo }) // to open it takes a reader
	if err := l.send(frame{Do: doLaunch, ID: 1 << 40, Launch: cmd.wire()}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.List(); err != nil { // which it is asked for later
		t.Fatal(err)
	}
	b.Close()
	b.open()
	f, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b.until("the keeper to let go of the output", func() bool { return len(openers(t, fifo)) == 1 }) // us
	if all, err := b.List(); err != nil || len(all) != 1 {
		t.Errorf("it was run all the same: %v, %v", all, err)
	}
}

// openers are the descriptors of all processes that lead to a file.
func openers(t *testing.T, path string) (found []string) {
	all, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range all {
		if to, err := os.Readlink(fd); err == nil && to == path {
			found = append(found, fd)
		}
	}
	return found
}

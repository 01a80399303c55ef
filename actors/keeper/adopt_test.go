package keeper

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The keeper is killed: what it kept goes on, the client finds another keeper,
// and that one ends it all like its own.
func TestKeeperKilled(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("child", "session", "ignore-term"))
	child := b.childPid()
	b.printed("up")
	start := b.launch(self("pause"), as(RoleStart), func(c *Command) { c.Output = "" })
	brief := b.launch(self("pause"), ofRun(2), func(c *Command) { c.Output = "" })
	old := b.killKeeper()
	if err := syscall.Kill(brief.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if e := b.exit(brief); !e.Unknown {
		t.Errorf("%+v", e)
	}
	b.until("a new keeper", func() bool { return b.keeperPid() != old })
	all, err := b.List()
	if err != nil || len(all) != 2 || !b.isKept(p) || !b.isKept(start) {
		t.Fatalf("kept: %v, %v", all, err)
	}
	if all[0].Started.Sub(p.Started).Abs() > patience {
		t.Errorf("started %v, want %v", all[0].Started, p.Started)
	}
	if _, err := b.Launch(b.command(self("pause"))); err == nil || !strings.Contains(err.Error(), "already has pid") {
		t.Errorf("a second process for the run: %v", err)
	}
	if err := b.Signal(start, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if e := b.exit(start); !e.Unknown {
		t.Errorf("%+v", e)
	}
	if err := b.Signal(p, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if e := b.exit(p); !e.Unknown {
		t.Errorf("%+v", e)
	}
	if isAlive(p.Pid) || isAlive(child) {
		t.Error("something of the service is left")
	}
	b.noExit()
}

// An adopted service that ends by itself leaves nothing behind either.
func TestAdoptedEndsByItself(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("child", "session", "ignore-term"))
	child := b.childPid()
	b.printed("up")
	old := b.killKeeper()
	b.until("a new keeper", func() bool { return b.keeperPid() != old })
	if err := syscall.Kill(p.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if e := b.exit(p); !e.Unknown {
		t.Errorf("%+v", e)
	}
	if isAlive(child) {
		t.Error("its child is alive")
	}
	b.noExit()
}

// Engine and keeper are both killed: the marks tell the next keeper what runs.
// A daemon that a delegated start left is not taken for a service.
func TestBothKilled(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("child", "session", "pause"))
	b.childPid()
	b.printed("up")
	start := b.launch(self("child", "daemon", "pause", "exit"), as(RoleStart), func(c *Command) { c.Output += "2" })
	b.exit(start)
	b.until("the exit to be acknowledged", func() bool { return handled(b.Client) == 1 })
	b.beginAnew()
	all, err := b.List()
	if err != nil || len(all) != 1 || all[0].identity() != p.identity() || all[0].marks() != p.marks() {
		t.Fatalf("%v, %v, want %v", all, err, p)
	}
	if all[0].Started.Sub(p.Started).Abs() > patience {
		t.Errorf("started %v, want %v", all[0].Started, p.Started)
	}
	if err := b.Signal(p, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.exit(p)
	left := marked(t, b.dir)
	for _, pid := range left {
		if pid != b.keeperPid() {
			if m, err := b.marks(pid); err != nil || m.role != RoleStart {
				t.Errorf("%d with %+v is left", pid, m)
			}
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if len(left) != 2 {
		t.Errorf("left: %v, want the keeper and the daemon", left)
	}
	b.noExit()
}

// Engine and keeper are both killed: what has no marks, or is a start command that no
// shell runs, is kept by the next keeper once the engine that has it on record says so.
func TestAdoptOnRecord(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("pause"), as(RoleStart), func(c *Command) { c.Output = "" })
	ended := b.launch(self("exit", "0"), ofRun(2), func(c *Command) { c.Output = "" })
	b.exit(ended)
	b.until("the exit to be acknowledged", func() bool { return handled(b.Client) == 1 })
	b.beginAnew()
	if all, err := b.List(); err != nil || len(all) > 0 {
		t.Fatalf("kept before it was told: %v, %v", all, err)
	}
	anothers := Process{Service: "other", Run: 1, Role: RoleService, Pid: p.Pid, StartTime: p.StartTime + 1}
	onRecord := Process{Service: p.Service, Run: p.Run, Role: p.Role, Pid: p.Pid, StartTime: p.StartTime}
	for range 2 { // what it keeps already it does not keep twice
		if err := b.Adopt([]Process{ended, anothers, onRecord}); err != nil {
			t.Fatal(err)
		}
		all, err := b.List()
		if err != nil || len(all) != 1 || all[0].identity() != p.identity() || all[0].marks() != p.marks() {
			t.Fatalf("%v, %v, want %v", all, err, p)
		}
		if all[0].Started.Sub(p.Started).Abs() > patience {
			t.Errorf("started %v, want %v", all[0].Started, p.Started)
		}
	}
	old := b.killKeeper() // and the one after it is told as well
	b.until("a new keeper", func() bool { return b.keeperPid() != old })
	b.until("it to be kept", func() bool { return b.isKept(p) })
	if err := b.Signal(p, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if e := b.exit(p); !e.Unknown {
		t.Errorf("%+v", e)
	}
	b.noExit()
}

// Engine and keeper are both killed: a start command that runs is known to the next keeper, whether it is the shell or
// what the shell has become. What one has left behind is not, although it leads a session of its own.
func TestStartCommandIsFound(t *testing.T) {
	b := newBench(t)
	start := func(run uint64, line string) Process {
		return b.launch([]string{"/bin/sh", "-c", line}, as(RoleStart), ofRun(run), func(c *Command) { c.Output = "" })
	}
	pause := strings.Join(self("pause"), " ")
	shell := start(1, pause+" & setsid "+pause+" & wait")
	become := start(2, "setsid "+pause+" & exec "+pause)
	gone := start(3, "setsid "+pause+" & cd .")
	if e := b.exit(gone); e.Code != 0 {
		t.Fatalf("%+v", e)
	}
	b.until("the exit to be acknowledged", func() bool { return handled(b.Client) == 1 })
	b.until("all to be there", func() bool { return len(sleeping(b)) == 5 })
	b.beginAnew()
	if all, err := b.List(); err != nil || len(all) != 2 || !b.isKept(shell) || !b.isKept(become) {
		t.Errorf("%v, %v, want %v and %v", all, err, shell, become)
	}
	for _, pid := range append(sleeping(b), shell.Pid) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// sleeping are the processes of start commands that have become the test binary.
func sleeping(b *bench) (pids []int) {
	for _, pid := range marked(b.t, b.dir) {
		argv, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		if strings.HasPrefix(string(argv), self("pause")[0]+"\x00") && strings.Contains(string(argv), "\x00pause\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// The keeper is killed again and again while services are launched. None runs
// twice, none is lost, and each exit is told once.
func TestKeeperKilledAmidLaunches(t *testing.T) {
	b := newBench(t)
	const rounds, each = 4, 6
	var running []Process
	for round := range uint64(rounds) {
		results := make(chan Process, each)
		for i := range uint64(each) {
			go func() {
				p, err := b.Launch(b.command(self("pause"), ofRun(round*100+i)))
				if err != nil {
					t.Error(err)
				}
				results <- p
			}()
		}
		running = append(running, <-results)
		b.killKeeper()
		for range each - 1 {
			running = append(running, <-results)
		}
	}
	all, err := b.List()
	if err != nil || len(all) != rounds*each {
		t.Fatalf("%d kept, %v, want %d", len(all), err, rounds*each)
	}
	for _, p := range running {
		if !b.isKept(p) || !isAlive(p.Pid) {
			t.Errorf("lost: %+v", p)
		}
	}
	// The keeper itself, and no process that nobody knows of.
	if left := marked(t, b.dir); len(left) != rounds*each+1 {
		t.Errorf("%d processes, want %d", len(left), rounds*each+1)
	}
	for _, p := range running {
		if err := b.Signal(p, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		b.exit(p)
	}
	b.noExit()
}

// What was told to end keeps its time although the keeper is killed meanwhile, whether its leader had ended by then or
// ends later.
func TestTimeToEndOutlivesTheKeeper(t *testing.T) {
	for name, ended := range map[string]bool{"the leader is dead": true, "the leader ends later": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p := b.launch(self("child", "session", "ignore-term"))
			child := b.childPid()
			b.printed("up")
			signal := syscall.SIGTERM
			if !ended {
				signal = syscall.SIGWINCH // which no process minds
			}
			if err := b.Signal(p, signal); err != nil {
				t.Fatal(err)
			}
			b.until("the leader to end", func() bool { return !isAlive(p.Pid) || !ended })
			old := b.killKeeper()
			b.until("a new keeper", func() bool { return b.keeperPid() != old })
			if !ended {
				if err := syscall.Kill(p.Pid, syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			b.until("the leader to be dead", func() bool { return !isAlive(p.Pid) })
			for n := 0; n < 1000 && !t.Failed(); n++ { // what is not given time ends within less
				if !isAlive(child) || !b.isKept(p) {
					t.Error("what the leader left was given no time to end")
				}
			}
			if err := b.Signal(p, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			b.until("nothing of it to be kept", func() bool { all, err := b.List(); return err == nil && len(all) == 0 })
			if isAlive(child) {
				t.Error("it is alive")
			}
		})
	}
}

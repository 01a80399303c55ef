package keeper

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestSignal(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("pause"))
	b.printed("up")
	if err := b.Signal(p, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if e := b.exit(p); e.Signal != syscall.SIGTERM {
		t.Errorf("%+v", e)
	}
	if err := b.Signal(p, syscall.SIGTERM); !errors.Is(err, ErrEnded) {
		t.Errorf("signal after the end: %v", err)
	}
	p = b.launch(self("pause"), ofRun(2))
	other := p
	other.StartTime--
	if err := b.Signal(other, syscall.SIGKILL); !errors.Is(err, ErrEnded) {
		t.Errorf("signal to an earlier process of that pid: %v", err)
	}
	if !b.isKept(p) {
		t.Error("the later process was hit")
	}
}

func TestServiceIgnoresTerm(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("ignore-term"))
	b.printed("up")
	if err := b.Signal(p, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !b.isKept(p) {
		t.Fatal("SIGTERM was not ignored")
	}
	if err := b.Signal(p, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if isAlive(p.Pid) {
		t.Error("alive after SIGKILL returned")
	}
	if e := b.exit(p); e.Signal != syscall.SIGKILL {
		t.Errorf("%+v", e)
	}
}

// A stopped process can end only when it goes on.
func TestTermWakesStopped(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("pause"))
	b.printed("up")
	if err := b.Signal(p, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	b.until("the process to be stopped", func() bool {
		stat, _ := readStat(p.Pid)
		return stat.state == 'T'
	})
	if err := b.Signal(p, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if e := b.exit(p); e.Signal != syscall.SIGTERM {
		t.Errorf("%+v", e)
	}
}

// Whatever a service forked ends with it, in whatever way it ends, and is gone
// when the exit is told. After a SIGTERM it has time, until a SIGKILL.
func TestNothingOfAServiceIsLeft(t *testing.T) {
	hows := map[string][]string{"bare-keeper": {"group", "session", "daemon", "unmarked-session"}}
	if canGroup(t) {
		// Of this one nothing but the control group says whose it is.
		hows["keeper"] = []string{"session", "unmarked-daemon"}
	}
	for mode, hows := range hows {
		for _, how := range hows {
			for _, end := range []string{"killed", "terminated", "by itself"} {
				if mode == "bare-keeper" && how == "unmarked-session" && end == "by itself" {
					continue // then nothing says any longer whose it was
				}
				t.Run(mode+" "+how+" "+end, func(t *testing.T) { nothingIsLeft(t, newBenchOf(t, mode), how, end) })
			}
		}
	}
}

func nothingIsLeft(t *testing.T, b *bench, how, end string) {
	argv := self("child", how, "ignore-term")
	if end == "by itself" {
		p := b.launch(append(argv, "exit"))
		b.exit(p)
		if left := b.childPid(); isAlive(left) {
			t.Errorf("%d is alive", left)
		}
		return
	}
	p := b.launch(argv)
	left := b.childPid()
	b.printed("up")
	signal := syscall.SIGKILL
	if end == "terminated" {
		signal = syscall.SIGTERM
	}
	if err := b.Signal(p, signal); err != nil {
		t.Fatal(err)
	}
	if end == "terminated" {
		b.until("the leader to end", func() bool { return !isAlive(p.Pid) })
		if !isAlive(left) || !b.isKept(p) {
			t.Error("what the leader left was given no time to end")
		}
		if err := b.Signal(p, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if e := b.exit(p); e.Signal != signal {
		t.Errorf("%+v", e)
	}
	if isAlive(left) {
		t.Errorf("%d is alive", left)
	}
}

// SIGTERM reaches those that left the group, and gives them the time to end.
func TestTermReachesStrays(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("child", "session", "pause"))
	child := b.childPid()
	b.printed("up")
	if err := b.Signal(p, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.exit(p)
	if isAlive(child) {
		t.Errorf("%d is alive", child)
	}
}

// What a command of a delegated service leaves behind is not ours to kill.
func TestDelegatedLeavesItsDaemon(t *testing.T) {
	for _, how := range []string{"group", "session", "daemon"} {
		t.Run(how, func(t *testing.T) {
			b := newBench(t)
			p := b.launch(self("child", how, "pause", "exit"), as(RoleStart))
			if e := b.exit(p); e.Code != 0 || e.Signal != 0 {
				t.Errorf("%+v", e)
			}
			daemon := b.childPid()
			b.printed("up")
			// A service of the same name and run is not confused with it.
			b.exit(b.launch(self("exit", "0")))
			if !isAlive(daemon) {
				t.Error("the daemon was killed")
			}
			if all, err := b.List(); err != nil || len(all) > 0 {
				t.Errorf("kept: %v, %v", all, err)
			}
			if err := syscall.Kill(daemon, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			b.until("the orphan to be reaped", func() bool {
				_, ok := readStat(daemon)
				return !ok
			})
		})
	}
}

// A delegated command that stays in the foreground is ended with its group,
// and with nothing else.
func TestDelegatedInForeground(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("child", "session", "pause"), as(RoleStart))
	daemon := b.childPid()
	b.printed("up")
	if err := b.Signal(p, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.exit(p)
	if !isAlive(daemon) {
		t.Error("the daemon was killed")
	}
	syscall.Kill(daemon, syscall.SIGKILL)
}

// Two services under one keeper: the end of one leaves the other alone.
func TestServicesAreApart(t *testing.T) {
	b := newBench(t)
	one := b.launch(self("child", "session", "pause"))
	two := b.launch(self("pause"), func(c *Command) { c.Service, c.Output = "shop", "" })
	three := b.launch(self("pause"), ofRun(2), func(c *Command) { c.Output = "" })
	b.childPid()
	if err := b.Signal(one, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.exit(one)
	all, err := b.List()
	if err != nil || len(all) != 2 || !isAlive(two.Pid) || !isAlive(three.Pid) {
		t.Errorf("left: %v, %v", all, err)
	}
}

func TestParseStat(t *testing.T) {
	line := func(fields map[int]string) string {
		all := slices.Repeat([]string{"0"}, 50) // from field 3 on
		for n, text := range fields {
			all[n-3] = text
		}
		return "42 (a) R (b) " + strings.Join(all, " ") + "\n"
	}
	want := procStat{pid: 42, parent: 1, group: 40, session: 39, state: 'S', start: 12345}
	fields := map[int]string{3: "S", 4: "1", 5: "40", 6: "39", 9: "4194304", 22: "12345", 25: "18446744073709551615", 50: "7000", 51: "7100"}
	if got, ok := parseStat(42, []byte(line(fields))); !ok || got != want {
		t.Errorf("%+v, %t, want %+v", got, ok, want)
	}
	for _, tc := range []struct {
		flags, start, end string
		bare              bool
	}{
		{"4194304", "7000", "7000", true},
		{"2097152", "0", "0", true},
		{"4194304", "0", "0", false}, // in execve
	} {
		fields[9], fields[50], fields[51] = tc.flags, tc.start, tc.end
		if got, ok := parseStat(42, []byte(line(fields))); !ok || got.bare != tc.bare {
			t.Errorf("%+v: %+v, %t", tc, got, ok)
		}
	}
	for _, bad := range []string{"", "42", "42 (x)", "42 (x) S 1", line(map[int]string{4: "x"}), line(map[int]string{22: "-1"})} {
		if got, ok := parseStat(42, []byte(bad)); ok {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestParseMarks(t *testing.T) {
	good := []string{"A=b", "DYNAPM_SERVICE=blog", "DYNAPM_RUN=3", "DYNAPM_ROLE=service", "DYNAPM_STATE_DIR=/s", "DYNAPM_CONFIG=x"}
	join := func(env []string) []byte {
		var b []byte
		for _, kv := range env {
			b = append(append(b, kv...), 0)
		}
		return b
	}
	if m, _, err := parseMarks(join(good), "/s"); err != nil || m != (marks{"blog", 3, RoleService}) {
		t.Errorf("%+v, %v", m, err)
	}
	if _, _, err := parseMarks(join(good), "/other"); err == nil {
		t.Error("the marks of another state directory were taken")
	}
	for i := 1; i <= 4; i++ {
		if m, _, err := parseMarks(join(slices.Delete(slices.Clone(good), i, i+1)), "/s"); err == nil {
			t.Errorf("without %s: %+v", good[i], m)
		}
	}
	for _, run := range []string{"three", "0", "-1", "4611686018427387905", "18446744073709551615"} {
		bad := slices.Clone(good)
		bad[2] = "DYNAPM_RUN=" + run
		if m, _, err := parseMarks(join(bad), "/s"); err == nil {
			t.Errorf("%+v", m)
		}
	}
}

package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// held is a program whose exec waits: a lease on its file (fcntl(2)) has the kernel
// ask this process first. Anybody may do that with a file of his own.
type held struct {
	path string
	file *os.File
}

func hold(t *testing.T, text string) *held {
	t.Helper()
	dir := t.TempDir()
	for _, where := range []string{dir, filepath.Dir(dir)} { // another user is to reach it
		if err := os.Chmod(where, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h := &held{path: filepath.Join(dir, "script")}
	if err := os.WriteFile(h.path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.file, err = os.Open(h.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.file.Close() })
	if _, err := unix.FcntlInt(h.file.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Fatal(err)
	}
	return h
}

// waits tells whether somebody wants to execute it.
func (h *held) waits() bool {
	lease, err := unix.FcntlInt(h.file.Fd(), unix.F_GETLEASE, 0)
	return err == nil && lease != unix.F_WRLCK
}

func (h *held) release() { h.file.Close() }

// launching is a launch that is under way.
type launching struct {
	process Process
	err     error
}

func (b *bench) launchHeld(h *held) <-chan launching {
	b.t.Helper()
	c := b.command([]string{h.path}, func(c *Command) {
		mask := 0o27
		c.Service, c.Umask, c.Dir = "victim", &mask, "/"
		if os.Geteuid() == 0 {
			c.As = &Account{UID: 65534, GID: 65534}
		}
	})
	client, done := b.Client, make(chan launching, 1)
	go func() {
		p, err := client.Launch(c)
		done <- launching{p, err}
	}()
	b.until("the program to be executed", h.waits)
	return done
}

// victim is the child whose exec waits.
func (b *bench) victim() Process {
	b.t.Helper()
	all, err := b.List()
	i := slices.IndexFunc(all, func(p Process) bool { return p.Service == "victim" })
	if err != nil || i < 0 {
		b.t.Fatalf("kept: %v, %v", all, err)
	}
	return all[i]
}

// What a child does until it is its program holds up nobody but who has asked for
// it: others are launched and signalled, and their ends told.
func TestHeldExecHoldsUpNobodyElse(t *testing.T) {
	b := newBench(t)
	h := hold(t, "#!/bin/sh\necho up; exit 7\n")
	victim := b.launchHeld(h)
	other := b.launch(self("pause"), func(c *Command) { c.Output = "" })
	if err := b.Signal(other, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.exit(other)
	child := b.victim()
	again := b.command(self("pause"), func(c *Command) { c.Service = "victim" })
	want := fmt.Sprintf("run 1 of it already has pid %d", child.Pid)
	if _, err := b.Launch(again); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	select {
	case l := <-victim:
		t.Fatalf("it is said to have been launched before it was: %+v", l)
	default:
	}
	h.release()
	l := <-victim
	if l.err != nil || l.process.identity() != child.identity() {
		t.Fatalf("%+v, want %+v", l, child)
	}
	if e := b.exit(l.process); e.Code != 7 || b.output() != "up\n" {
		t.Errorf("%+v\n%s", e, b.output())
	}
}

// A child that does not become its program is killed in the end, stopped or not,
// and the launch has failed.
func TestHeldExecIsGivenUp(t *testing.T) {
	b := newBenchOf(t, "hasty-keeper")
	h := hold(t, "#!/bin/sh\n")
	victim := b.launchHeld(h)
	syscall.Kill(b.victim().Pid, syscall.SIGSTOP)
	l := <-victim
	if l.err == nil || !strings.Contains(l.err.Error(), h.path+" is not executed after") {
		t.Errorf("%+v", l)
	}
	if all, err := b.List(); err != nil || len(all) > 0 {
		t.Errorf("kept: %v, %v", all, err)
	}
	b.until("the child to be gone", func() bool { return len(marked(t, b.dir)) == 1 }) // but the keeper
	b.noExit()
	h.release()
	b.exit(b.launch([]string{h.path}, func(c *Command) { c.Service = "victim" }))
}

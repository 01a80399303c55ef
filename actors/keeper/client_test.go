package keeper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestSecondEngine(t *testing.T) {
	b := newBench(t)
	_, err := Open(b.options())
	busy, ok := errors.AsType[*BusyError](err)
	if !ok || busy.Pid != os.Getpid() {
		t.Fatalf("%v", err)
	}
	want := fmt.Sprintf("another engine (pid %d) already runs with this state directory; stop it or use another stateDir", os.Getpid())
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	p := b.launch(self("pause"))
	b.Close()
	if _, err := b.Launch(b.command(self("pause"))); !errors.Is(err, ErrClosed) {
		t.Errorf("launch after close: %v", err)
	}
	b.open()
	if !b.isKept(p) {
		t.Error("the next engine does not find the service")
	}
}

// However many engines start at once, one has the keeper.
func TestEnginesRace(t *testing.T) {
	b := newBench(t)
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	const engines = 8
	clients := make(chan *Client, engines)
	var all sync.WaitGroup
	for range engines {
		all.Go(func() {
			c, err := Open(b.options())
			if _, busy := errors.AsType[*BusyError](err); err != nil && !busy {
				t.Error(err)
			}
			clients <- c
		})
	}
	all.Wait()
	close(clients)
	won := 0
	for c := range clients {
		if c != nil {
			won++
			b.Client = c
		}
	}
	if won != 1 {
		t.Fatalf("%d engines have the keeper", won)
	}
	b.until("one keeper to be left", func() bool { return len(marked(t, b.dir)) == 1 })
}

// An engine that is killed loses nothing: the next one is told what runs and
// what ended meanwhile.
func TestEngineKilled(t *testing.T) {
	b := newBench(t)
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	other, err := os.StartProcess(executable, []string{executable, "engine", b.dir}, &os.ProcAttr{
		Files: []*os.File{nil, w, os.Stderr},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if line := firstLine(t, r); line != "up" {
		t.Fatal(line)
	}
	_, err = Open(b.options())
	if busy, ok := errors.AsType[*BusyError](err); !ok || busy.Pid != other.Pid {
		t.Fatal(err)
	}
	other.Kill()
	other.Wait()
	b.open()
	all, err := b.List()
	if err != nil || len(all) != 2 || all[0].Service != "left" || all[0].Run != 1 || all[1].Run != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	// The pipe of the first engine's stdout is nobody's: neither keeper nor
	// service holds it.
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
	b.Close()
	if err := syscall.Kill(all[0].Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.until("the service to be reaped", func() bool {
		_, there := readStat(all[0].Pid)
		return !there
	})
	b.open()
	if e := b.exit(all[0]); e.Signal != syscall.SIGKILL || e.Unknown {
		t.Errorf("%+v", e)
	}
	b.noExit()
}

// An exit that was told but not acknowledged is told again; one that was
// acknowledged is not.
func TestExitsAreToldOnce(t *testing.T) {
	b := newBench(t)
	b.Close()
	entered, leave := make(chan Exit), make(chan struct{})
	o := b.options()
	o.OnExit = func(e Exit) { entered <- e; <-leave }
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for run := range uint64(3) {
		if _, err := c.Launch(b.command(self("exit", "0"), ofRun(run))); err != nil {
			t.Fatal(err)
		}
	}
	one := <-entered
	leave <- struct{}{}
	two := <-entered // by now the first is acknowledged
	c.Close()        // as if the engine died while it handles the second
	b.open()
	again := map[uint64]bool{(<-b.exits).Run: true, (<-b.exits).Run: true}
	if again[one.Run] || !again[two.Run] {
		t.Errorf("told again: %v, after %d and half of %d", again, one.Run, two.Run)
	}
	close(leave)
	b.noExit()
}

func handled(c *Client) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.numbers.handled
}

// A connection that breaks, with both sides alive, loses and repeats nothing.
func TestConnectionLost(t *testing.T) {
	b := newBench(t)
	stays := b.launch(self("pause"), func(c *Command) { c.Output = "" })
	pid := b.keeperPid()
	stop := make(chan struct{})
	var cutter sync.WaitGroup
	cutter.Go(func() { b.cutConnections(stop) })
	const runs = 60
	count := make(map[identity]int)
	for run := range uint64(runs) {
		p, err := b.Launch(b.command(self("stderr", "ran"), ofRun(run), as(RoleStart)))
		if err == nil {
			count[p.identity()]++
		} else if !errors.Is(err, ErrLost) {
			t.Error(err)
		}
	}
	close(stop)
	cutter.Wait()
	launched := len(count)
	b.until("all to have ended", func() bool {
		all, err := b.List()
		return err == nil && len(all) == 1
	})
	ran := strings.Count(b.output(), "ran\n")
	for range ran {
		count[(<-b.exits).identity()]++
	}
	if ran < launched || ran > runs || len(count) != ran || !b.isKept(stays) || b.keeperPid() != pid {
		t.Errorf("%d launches seen, %d ran, %d known, keeper %d is now %d", launched, ran, len(count), pid, b.keeperPid())
	}
	b.noExit()
}

// cutConnections breaks the connection with the keeper every few milliseconds.
func (b *bench) cutConnections(stop chan struct{}) {
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.mu.Lock()
			if b.link != nil {
				b.link.conn.Close()
			}
			b.mu.Unlock()
		case <-stop:
			return
		}
	}
}

func TestShutdown(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("pause"))
	want := fmt.Sprintf("the keeper cannot leave: it still keeps blog (service, pid %d)", p.Pid)
	if err := b.Shutdown(); err == nil || err.Error() != want {
		t.Fatalf("%v, want %q", err, want)
	}
	if err := b.Signal(p, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.exit(p)
	pid := b.keeperPid()
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if isAlive(pid) {
		t.Error("the keeper is still there")
	}
	if _, err := b.List(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, socketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket: %v", err)
	}
}

// Of no use to anybody, the keeper leaves.
func TestKeeperLeavesByItself(t *testing.T) {
	b := newBench(t)
	pid := b.keeperPid()
	b.Close()
	b.until("the keeper to leave", func() bool { return !isAlive(pid) })
	b.open()
	if b.keeperPid() == pid {
		t.Error("the keeper did not leave")
	}
}

package actors

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dynapm/actors/keeper"
)

func TestLedgerKeepsTheOrderOfArrivalAndSettlesOnce(t *testing.T) {
	var l ledger
	for i := range 10 {
		l.add(somebody(fmt.Sprint(i)), i%2 == 1)
	}
	if !l.settle(somebody("4")) || l.settle(somebody("4")) {
		t.Error("a debt is settled once")
	}
	if up := fmt.Sprint(l.all(false)); up != "[0 2 6 8]" {
		t.Errorf("up: %s", up)
	}
	if down := fmt.Sprint(l.all(true)); down != "[1 3 5 7 9]" {
		t.Errorf("down: %s", down)
	}
}

func TestTailIsShortAndOfThisTimeOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	long := strings.Repeat("x", 3*tailBytes)
	for name, c := range map[string]struct {
		text string
		from int64
		want string
	}{
		"nothing":        {"", 0, "why"},
		"blank":          {" \n\n", 0, "why"},
		"two lines":      {"a\nb\n", 0, "why; its last output:\n  a\n  b"},
		"six lines":      {"a\nb\nc\nd\ne\nf", 0, "why; its last output:\n  b\n  c\n  d\n  e\n  f"},
		"earlier output": {"old\nnew\n", 4, "why; its last output:\n  new"},
		"only earlier":   {"old\n", 4, "why"},
		"rotated":        {"new\n", 100, "why"},
		"a cut line":     {long + "\nlast\n", 0, "why; its last output:\n  last"},
		"one long line":  {long, 0, "why; its last output:\n  " + long[:tailBytes]},
		"escapes":        {"\x1b[31mred\x00\n", 0, "why; its last output:\n  [31mred"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := withTail("why", path, c.from); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := withTail("why", path+".none", 0); got != "why" {
		t.Errorf("no file: %q", got)
	}
}

// TestExplain parts what withTail has put together.
func TestExplain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if reason, output := (Record{Reason: withTail("why", path, 0)}).Explain(); reason != "why" || output != "one\ntwo" {
		t.Errorf("%q and %q", reason, output)
	}
	if reason, output := (Record{Reason: "why"}).Explain(); reason != "why" || output != "" {
		t.Errorf("%q and %q", reason, output)
	}
}

func TestRefusalsAreToldApartByTheirReason(t *testing.T) {
	var err error = &Refusal{Reason: AlreadyUp, Detail: "since noon"}
	if !errors.Is(err, ErrAlreadyUp) || errors.Is(err, ErrNotUp) {
		t.Error("errors.Is")
	}
	if err.Error() != "the service is already running or starting: since noon" {
		t.Errorf("%q", err)
	}
}

// quick is a keeper whose processes end before Launch has returned.
type quick struct {
	mu   sync.Mutex
	last int
	told func(keeper.Exit)
}

func (q *quick) Launch(keeper.Command) (keeper.Process, error) {
	q.mu.Lock()
	q.last++
	p := keeper.Process{Pid: q.last, StartTime: uint64(q.last)}
	q.mu.Unlock()
	q.told(keeper.Exit{Process: p, Code: p.Pid})
	return p, nil
}

func (q *quick) Signal(keeper.Process, syscall.Signal) error { return keeper.ErrEnded }

func TestExitThatIsToldBeforeTheLaunch(t *testing.T) {
	q := &quick{}
	c := newChildren(q)
	q.told = c.exited
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			ch, err := c.launch(keeper.Command{})
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case <-ch.done:
				if ch.exit.Code != ch.Pid {
					t.Errorf("pid %d got the exit of %d", ch.Pid, ch.exit.Code)
				}
			case <-time.After(10 * time.Second):
				t.Error("the exit was lost")
			}
		})
	}
	all.Wait()
	if len(c.alive) > 0 || len(c.early) > 0 {
		t.Errorf("left: %d alive, %d exits", len(c.alive), len(c.early))
	}
	c.exited(keeper.Exit{Process: keeper.Process{Pid: 999}}) // nobody's
}

func TestExitTexts(t *testing.T) {
	for want, e := range map[string]keeper.Exit{
		"exited with status 3":            {Code: 3},
		"ended by SIGKILL":                {Signal: syscall.SIGKILL},
		"ended by SIGKILL, out of memory": {Signal: syscall.SIGKILL, OutOfMemory: true},
		"ended by signal 40":              {Signal: 40},
		"ended, its exit status is lost":  {Unknown: true},
	} {
		if got := exitText(e); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestCloseAnswersThoseWhoWaitAndLeavesTheServiceAsItIs(t *testing.T) {
	h := newHouse(t)
	spec := h.spec(freeAddress(t), self("silent")...)
	v := h.system.Spawn(spec)
	r := newRequest()
	v.Wait(r)
	var launched []keeper.Process
	h.until(func() bool { launched, _ = h.keeper.List(); return len(launched) == 1 })
	h.system.Close(h.soon())
	if refusal := h.answer(r); refusal == nil || refusal.Reason != Closing {
		t.Errorf("answered %+v", refusal)
	}
	if !alive(launched[0].Pid) {
		t.Error("the service was stopped")
	}
	h.keeper.Close()
	h.open()
	spec.Found = &launched[0]
	h.system.Spawn(spec) // to be retired
}

func TestRetiredServiceCanBeReplaced(t *testing.T) {
	h := newHouse(t)
	address := freeAddress(t)
	spec := h.spec(address, self("serve", address)...)
	v := h.system.Spawn(spec)
	h.wake(v).Release()
	pid := askPid(t, address)
	if err := v.Retire(h.soon()); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("it lives")
	}
	if refusal := h.ask(v); refusal == nil || refusal.Reason != Closing {
		t.Errorf("answered %+v", refusal)
	}
	if err := v.Retire(h.soon()); err != nil {
		t.Errorf("retired again: %v", err)
	}
	if err := v.Stop(h.soon(), false); !errors.Is(err, ErrClosing) {
		t.Errorf("stopped after it: %v", err)
	}
	next := h.system.Spawn(spec)
	g := h.wake(next)
	defer g.Release()
	if g.Run() != 2 {
		t.Errorf("run %d: a number was used twice", g.Run())
	}
}

func TestPing(t *testing.T) {
	h := newHouse(t)
	if err := h.system.Ping(h.soon()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.system.Ping(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

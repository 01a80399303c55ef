package persist

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	other := start(t, "hold", dir)
	other.line() // it has the store
	_, err := Open(Options{Dir: dir})
	wantInUse(t, err, dir, other.cmd.Process.Pid)
	if _, err := Open(Options{Dir: dir}); err == nil {
		t.Fatal("the second try succeeded: the first has dropped the lock")
	}
	other.kill() // which leaves the lock to nobody
	s := open(t, Options{Dir: dir})
	if got := s.one(); got.Service != "blog" {
		t.Fatalf("got %+v", got)
	}

	refused := start(t, "hold", dir)
	if said := refused.line(); !strings.Contains(said, "uses the state directory "+dir) {
		t.Fatalf("the other process says %q", said)
	}
}

func wantInUse(t *testing.T, err error, dir string, pid int) {
	t.Helper()
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.Dir != dir || inUse.Pid != pid {
		t.Fatalf("got %v, not an InUseError for %s and pid %d", err, dir, pid)
	}
	for _, part := range []string{"another engine (pid " + strconv.Itoa(pid) + ")", "uses the state directory " + dir} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message %q does not say %q", err, part)
		}
	}
}

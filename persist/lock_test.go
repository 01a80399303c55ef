package persist

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

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

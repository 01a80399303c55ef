package persist

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// disk is a disk in memory that fails as it is told, while it is ill.
type disk struct {
	*vfs.MemFS
	calls atomic.Int64
	ill   atomic.Bool
	fails func(call int64, op errorfs.Op) error
}

func newDisk(fails func(call int64, op errorfs.Op) error) *disk {
	return &disk{MemFS: vfs.NewMem(), fails: fails}
}

func (d *disk) fs() vfs.FS {
	return errorfs.Wrap(d.MemFS, errorfs.InjectorFunc(func(op errorfs.Op) error {
		call := d.calls.Add(1)
		if !d.ill.Load() {
			return nil
		}
		return d.fails(call, op)
	}))
}

// newFullDisk is a disk that is full while it is ill. Files that are there and
// need no room can still be opened and locked.
func newFullDisk() *disk {
	return newDisk(func(_ int64, op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileWrite, errorfs.OpCreate, errorfs.OpFilePreallocate, errorfs.OpFileSync, errorfs.OpFileSyncData:
			return syscall.ENOSPC
		}
		return nil
	})
}

// changes collects what OnHealth is told.
type changes chan error

func (c changes) on(fault error) { c <- fault }

func (c changes) next(t *testing.T) error {
	t.Helper()
	select {
	case fault := <-c:
		return fault
	case <-time.After(patience):
		t.Fatal("OnHealth was not called")
		return nil
	}
}

// until waits for a condition that nothing announces.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// wantAside fails unless n stores were set aside.
func wantAside(t *testing.T, fs vfs.FS, n int) (names []string) {
	t.Helper()
	return asideIn(t, fs, "state", n)
}

func wantAsideOnDisk(t *testing.T, dir string, n int) (names []string) {
	t.Helper()
	return asideIn(t, vfs.Default, dir, n)
}

func asideIn(t *testing.T, fs vfs.FS, dir string, n int) (names []string) {
	t.Helper()
	all, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if strings.HasPrefix(name, storeName+".broken-") {
			names = append(names, name)
		}
	}
	if len(names) != n {
		t.Fatalf("%d stores were set aside, not %d: %v", len(names), n, names)
	}
	return names
}

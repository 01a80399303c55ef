package persist

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// overwrite puts b in the place of the file that pattern finds in the store.
func overwrite(t *testing.T, dir, pattern string, change func([]byte) []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, storeName, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(name, change(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestBrokenStoreIsSetAside(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
	}{
		{"the manifest is garbage", func(t *testing.T, dir string) {
			overwrite(t, dir, "MANIFEST-*", func(b []byte) []byte { return []byte(strings.Repeat("garbage", 100)) })
		}},
		{"the manifest is missing", func(t *testing.T, dir string) {
			names, _ := filepath.Glob(filepath.Join(dir, storeName, "MANIFEST-*"))
			for _, name := range names {
				os.Remove(name)
			}
		}},
		{"the format is of a newer Pebble", func(t *testing.T, dir string) {
			names, _ := filepath.Glob(filepath.Join(dir, storeName, "marker.format-version.*"))
			for _, name := range names {
				os.Rename(name, name[:len(name)-3]+"999")
			}
		}},
		{"the store is a file", func(t *testing.T, dir string) {
			store := filepath.Join(dir, storeName)
			os.RemoveAll(store)
			os.WriteFile(store, []byte("hello"), 0o600)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, Options{Dir: dir})
			s.keep(full("blog"))
			s.close()
			c.spoil(t, dir)
			s = open(t, Options{Dir: dir})
			if len(s.Records()) != 0 {
				t.Errorf("got %+v", s.Records())
			}
			aside := wantAsideOnDisk(t, dir, 1)
			for _, want := range []string{"will not open: it is set aside and a new one is made", aside[0]} {
				if !strings.Contains(s.book.String(), want) {
					t.Errorf("the log does not say %q:\n%s", want, s.book)
				}
			}
			s.keep(full("blog"))
			s.close()
			open(t, Options{Dir: dir}).one()
		})
	}
}

// TestUnreadableTable: what can be read of a store with a broken block is kept,
// and is in the new store.
func TestUnreadableTable(t *testing.T) {
	dir := t.TempDir()
	const services = 400
	s := open(t, Options{Dir: dir})
	for i := range services {
		r := full(fmt.Sprintf("service-%03d", i))
		r.Reason = strings.Repeat("r", maxText)
		s.Put(r)
	}
	s.close()
	open(t, Options{Dir: dir}).close() // recovery makes a table of the log
	overwrite(t, dir, "*.sst", func(b []byte) []byte {
		b[len(b)/3] ^= 0x10
		return b
	})

	s = open(t, Options{Dir: dir})
	left := len(s.Records())
	if left == 0 || left >= services {
		t.Errorf("%d of %d records were saved", left, services)
	}
	wantAsideOnDisk(t, dir, 1)
	s.close()
	s = open(t, Options{Dir: dir})
	if got := len(s.Records()); got != left || s.book.String() != "" {
		t.Errorf("%d of the %d saved records are in the new store: %s", got, left, s.book)
	}
}

// TestStoreIsTakenAway: somebody deletes the directory under a running engine.
// All that is known is in the new one.
func TestStoreIsTakenAway(t *testing.T) {
	dir, health := t.TempDir(), make(changes, 10)
	var ill atomic.Bool
	fs := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWrite && ill.CompareAndSwap(true, false) {
			return syscall.EIO
		}
		return nil
	}))
	s := open(t, Options{Dir: dir, FS: fs, OnHealth: health.on, retry: time.Millisecond})
	s.keep(full("blog"), full("shop"))
	if err := os.RemoveAll(filepath.Join(dir, storeName)); err != nil {
		t.Fatal(err)
	}
	ill.Store(true)
	s.Put(full("blog"))
	if health.next(t) == nil || health.next(t) != nil {
		t.Fatal("the store did not die and come back")
	}
	s.close()
	if got := open(t, Options{Dir: dir}).Records(); len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
}

func TestAsideNamesAreNotTakenTwice(t *testing.T) {
	fs := vfs.NewMem()
	seen := make(map[string]bool)
	for range 3 {
		if err := fs.MkdirAll("state/store", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := setAside(fs, "state", errors.New("broken"), new(logbook).logger()); err != nil {
			t.Fatal(err)
		}
		for _, name := range wantAside(t, fs, len(seen)+1) {
			seen[name] = true
		}
	}
}

func TestCircumstantial(t *testing.T) {
	for err, want := range map[error]bool{
		fmt.Errorf("open: %w", syscall.ENOSPC): true,
		syscall.EACCES:                         true,
		syscall.EIO:                            true,
		&iofs.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}: true,
		&iofs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}: false,
		syscall.ENOTDIR:       false,
		errors.New("corrupt"): false,
	} {
		if got := circumstantial(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

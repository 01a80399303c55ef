package persist

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// circumstantial reports whether a fault is of the machine and not of the
// store: a full disk, a missing permission, no file descriptor left. It may be
// gone the next time, and the store is then as good as it was. What has no
// number from the kernel was found by Pebble in the files themselves; and a file
// that is missing, or is no file, is not going to come back.
func circumstantial(err error) bool {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return false
	}
	switch number {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR, syscall.EEXIST:
		return false
	}
	return true
}

// setAside renames a store that will not open, so that a new one can be made
// and somebody can look at the old one. Nothing is ever deleted.
func setAside(disk vfs.FS, dir string, cause error, log *slog.Logger) error {
	store := disk.PathJoin(dir, storeName)
	aside, err := asideName(disk, store)
	if err != nil {
		return err
	}
	if err := disk.Rename(store, aside); err != nil {
		return fmt.Errorf("cannot set aside the store that will not open: %w", err)
	}
	log.Error("the store of last-known state will not open: it is set aside and a new one is made; "+
		"services that run are found by asking the system, their history is in the old store",
		"store", aside, "cause", cause.Error())
	return syncDir(disk, dir)
}

// asideName is a name that is free: Rename would overwrite a file, and fail on
// a directory.
func asideName(disk vfs.FS, store string) (string, error) {
	base := store + ".broken-" + time.Now().UTC().Format("20060102T150405Z")
	name := base
	for i := 2; ; i++ {
		_, err := disk.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", fmt.Errorf("cannot find a name for the store that will not open: %w", err)
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
}

// syncDir makes what was renamed in dir stay renamed.
func syncDir(disk vfs.FS, dir string) error {
	d, err := disk.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("cannot sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot sync %s: %w", dir, err)
	}
	return nil
}

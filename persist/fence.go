package persist

import (
	"errors"
	"io"
	iofs "io/fs"
	"os"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fence stands between one opened Pebble and the file system. All passes until
// the first change of the disk fails, or the session dies of something else.
// Then the fence is raised: what would change the disk is dropped, and Pebble is
// told that it worked.
//
// As far as the disk can tell, Pebble crashed at that instant, which is what its
// recovery is made for. As far as Pebble can tell, all is well, which spares us
// what it does about failed writes: it panics on a goroutine of its own where a
// directory does not sync, ends the process where its log or manifest cannot
// be written, and tries a failed flush again at once, for ever. So it comes to
// its end and can be closed. The session is known to be dead all the while, and
// nothing that the fence has swallowed is taken for done.
//
// It may be at work still in the directory in which the next Pebble is opened:
// behind a raised fence it can do no harm there.
//
// Every method is written out, none embedded, so that a method which a newer
// Pebble adds to the interface does not compile before somebody has thought
// about it.
type fence struct {
	inner vfs.FS
	die   func(error) // ends the session; raises the fence

	// Held for reading through each change of the disk, so that once raise has
	// returned none is under way.
	mu     sync.RWMutex
	raised bool
}

var _ vfs.FS = (*fence)(nil)

// raise returns when nothing behind the fence can change the disk any more. It
// waits for the calls that are under way.
func (f *fence) raise() {
	f.mu.Lock()
	f.raised = true
	f.mu.Unlock()
}

// pass runs change unless the fence is raised. It does not fail: to fail is the
// end of the session.
func (f *fence) pass(change func() error) {
	f.mu.RLock()
	var err error
	if !f.raised {
		err = change()
	}
	f.mu.RUnlock()
	if err != nil {
		f.die(err)
	}
}

// passMissing is pass for what Pebble may do to a file that is not there.
func (f *fence) passMissing(change func() error) (missing error) {
	f.pass(func() error {
		err := change()
		if errors.Is(err, iofs.ErrNotExist) {
			missing, err = err, nil
		}
		return err
	})
	return missing
}

// file opens a file to write to: one in memory where that is not to be.
func (f *fence) file(open func() (vfs.File, error)) (vfs.File, error) {
	file := vfs.NewMemFile(nil)
	f.pass(func() error {
		opened, err := open()
		if err == nil {
			file = opened
		}
		return err
	})
	return &fencedFile{inner: file, fence: f}, nil
}

// Create makes a new manifest last in its directory before Pebble moves the
// marker to it. Pebble syncs the directory only after that: where directory
// entries reach the disk in any order (POSIX promises none; file systems with a
// journal keep theirs), a power cut in between leaves a marker to nothing, and a
// store that will not open.
func (f *fence) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(func() (vfs.File, error) {
		file, err := f.inner.Create(name, c)
		if err != nil || !strings.HasPrefix(f.PathBase(name), "MANIFEST-") {
			return file, err
		}
		if err := syncDir(f.inner, f.PathDir(name)); err != nil {
			file.Close()
			return nil, err
		}
		return file, nil
	})
}

func (f *fence) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.inner.OpenReadWrite(name, c, o...) })
}

func (f *fence) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.inner.ReuseForWrite(from, to, c) })
}

// OpenDir opens a directory to sync it, which is to change the disk.
func (f *fence) OpenDir(name string) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.inner.OpenDir(name) })
}

func (f *fence) Link(from, to string) error {
	return f.passMissing(func() error { return f.inner.Link(from, to) })
}

func (f *fence) Remove(name string) error {
	return f.passMissing(func() error { return f.inner.Remove(name) })
}

func (f *fence) RemoveAll(name string) error {
	return f.passMissing(func() error { return f.inner.RemoveAll(name) })
}

func (f *fence) Rename(from, to string) error {
	f.pass(func() error { return f.inner.Rename(from, to) })
	return nil
}

func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	f.pass(func() error { return f.inner.MkdirAll(dir, perm) })
	return nil
}

// Lock locks nothing. The state directory is locked by its Store, for longer
// than any one Pebble is open: the lock of one that was abandoned would keep
// its successor out.
func (f *fence) Lock(string) (io.Closer, error) { return noLock{}, nil }

type noLock struct{}

func (noLock) Close() error { return nil }

// What follows only looks.

func (f *fence) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	return f.inner.Open(name, o...)
}

func (f *fence) List(dir string) ([]string, error)            { return f.inner.List(dir) }
func (f *fence) Stat(name string) (vfs.FileInfo, error)       { return f.inner.Stat(name) }
func (f *fence) PathBase(path string) string                  { return f.inner.PathBase(path) }
func (f *fence) PathJoin(elem ...string) string               { return f.inner.PathJoin(elem...) }
func (f *fence) PathDir(path string) string                   { return f.inner.PathDir(path) }
func (f *fence) GetDiskUsage(p string) (vfs.DiskUsage, error) { return f.inner.GetDiskUsage(p) }

// Unwrap hides what is behind, which would be a way around the fence.
func (f *fence) Unwrap() vfs.FS { return nil }

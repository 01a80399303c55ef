package persist

import (
	"io"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fence stands between one opened Pebble and the file system. While it is
// down all passes. Once it is raised, what would change the disk is dropped and
// said to have worked.
//
// A Pebble that met a fatal fault cannot always be closed: a goroutine of its
// own has ended in the middle of its work, and Close would wait for it. But it
// may still flush, compact and delete files, in the directory in which another
// Pebble is opened meanwhile. Behind a raised fence it can do no harm: as far as
// the disk can tell it crashed at that instant, which is what recovery is made
// for. It is told that all went well, not that all failed, because Pebble tries
// a failed flush again at once, for ever: this way it comes to its end.
//
// Every method is written out, none embedded, so that a method which a newer
// Pebble adds to the interface does not compile before somebody has thought
// about it.
type fence struct {
	inner vfs.FS

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

// pass runs change unless the fence is raised.
func (f *fence) pass(change func() error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.raised {
		return nil
	}
	return change()
}

// file opens a file to write to: where the fence is raised, one that takes
// everything and keeps it in memory until it is closed.
func (f *fence) file(open func() (vfs.File, error)) (vfs.File, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.raised {
		return &fencedFile{inner: vfs.NewMemFile(nil), fence: f}, nil
	}
	file, err := open()
	if err != nil {
		return nil, err
	}
	return &fencedFile{inner: file, fence: f}, nil
}

func (f *fence) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.inner.Create(name, c) })
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
	return f.pass(func() error { return f.inner.Link(from, to) })
}

func (f *fence) Remove(name string) error {
	return f.pass(func() error { return f.inner.Remove(name) })
}

func (f *fence) RemoveAll(name string) error {
	return f.pass(func() error { return f.inner.RemoveAll(name) })
}

func (f *fence) Rename(from, to string) error {
	return f.pass(func() error { return f.inner.Rename(from, to) })
}

func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.pass(func() error { return f.inner.MkdirAll(dir, perm) })
}

// Lock locks nothing. The state directory is locked by its Store, for longer
// than any one Pebble is open: the lock of one that could not be closed would
// keep its successor out.
func (f *fence) Lock(string) (io.Closer, error) { return noLock{}, nil }

type noLock struct{}

func (noLock) Close() error { return nil }

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

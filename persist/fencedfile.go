package persist

import "github.com/cockroachdb/pebble/v2/vfs"

// fencedFile is a file that was opened for writing behind a fence.
type fencedFile struct {
	inner vfs.File
	fence *fence
}

var _ vfs.File = (*fencedFile)(nil)

func (f *fencedFile) Write(p []byte) (int, error) {
	f.fence.pass(func() error {
		_, err := f.inner.Write(p)
		return err
	})
	return len(p), nil
}

func (f *fencedFile) WriteAt(p []byte, at int64) (int, error) {
	f.fence.pass(func() error {
		_, err := f.inner.WriteAt(p, at)
		return err
	})
	return len(p), nil
}

func (f *fencedFile) Sync() error {
	f.fence.pass(f.inner.Sync)
	return nil
}

func (f *fencedFile) SyncData() error {
	f.fence.pass(f.inner.SyncData)
	return nil
}

func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	f.fence.pass(func() (err error) {
		full, err = f.inner.SyncTo(length)
		return err
	})
	return full, nil
}

// Preallocate may fail: not every file system knows it, and where there is no
// room the write will say so.
func (f *fencedFile) Preallocate(at, length int64) (err error) {
	f.fence.pass(func() error {
		err = f.inner.Preallocate(at, length)
		return nil
	})
	return err
}

// What follows changes nothing on the disk.

func (f *fencedFile) Close() error                           { return f.inner.Close() }
func (f *fencedFile) Read(p []byte) (int, error)             { return f.inner.Read(p) }
func (f *fencedFile) ReadAt(p []byte, at int64) (int, error) { return f.inner.ReadAt(p, at) }
func (f *fencedFile) Stat() (vfs.FileInfo, error)            { return f.inner.Stat() }
func (f *fencedFile) Prefetch(at int64, length int64) error  { return f.inner.Prefetch(at, length) }
func (f *fencedFile) Fd() uintptr                            { return f.inner.Fd() }

package persist

import "github.com/cockroachdb/pebble/v2/vfs"

// fencedFile is a file that was opened behind a fence.
type fencedFile struct {
	inner vfs.File
	fence *fence
}

var _ vfs.File = (*fencedFile)(nil)

func (f *fencedFile) Write(p []byte) (n int, err error) {
	n = len(p)
	err = f.fence.pass(func() (err error) {
		n, err = f.inner.Write(p)
		return err
	})
	return n, err
}

func (f *fencedFile) WriteAt(p []byte, at int64) (n int, err error) {
	n = len(p)
	err = f.fence.pass(func() (err error) {
		n, err = f.inner.WriteAt(p, at)
		return err
	})
	return n, err
}

func (f *fencedFile) Preallocate(at, length int64) error {
	return f.fence.pass(func() error { return f.inner.Preallocate(at, length) })
}

func (f *fencedFile) Sync() error     { return f.fence.pass(f.inner.Sync) }
func (f *fencedFile) SyncData() error { return f.fence.pass(f.inner.SyncData) }

func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	err = f.fence.pass(func() (err error) {
		full, err = f.inner.SyncTo(length)
		return err
	})
	return full, err
}

// What follows changes nothing on the disk.

func (f *fencedFile) Close() error                           { return f.inner.Close() }
func (f *fencedFile) Read(p []byte) (int, error)             { return f.inner.Read(p) }
func (f *fencedFile) ReadAt(p []byte, at int64) (int, error) { return f.inner.ReadAt(p, at) }
func (f *fencedFile) Stat() (vfs.FileInfo, error)            { return f.inner.Stat() }
func (f *fencedFile) Prefetch(at int64, length int64) error  { return f.inner.Prefetch(at, length) }
func (f *fencedFile) Fd() uintptr                            { return f.inner.Fd() }

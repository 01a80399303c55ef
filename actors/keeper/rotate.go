package keeper

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Logs bound what is kept of a command's output.
type Logs struct {
	MaxSize int64 `json:"maxSize,omitempty"` // of the file being written; 0: no bound
	Keep    int   `json:"keep,omitempty"`    // files beside it, Output.1 the youngest; 0 is 1
}

// The file being written belongs to the service: it has a descriptor of it, in
// append mode, and knows nothing of rotation. To rename the file would not move
// the descriptor, and to copy and truncate it would lose what is written in
// between. So its front is copied to Output.1 and then taken out of the file,
// while the service goes on appending: by FALLOC_FL_COLLAPSE_RANGE (ext4, xfs),
// or else by FALLOC_FL_PUNCH_HOLE (tmpfs, btrfs and others), which frees the
// space and leaves the length. Both work on whole blocks, so that a line may
// begin in one file and end in the next; byte for byte nothing is missing. A
// kill in between leaves a part in both.

// sizeCheck is how often the sizes are looked at, while anything is kept.
const sizeCheck = 2 * time.Second

// watchSizes begins to look at sizes, unless that goes on already. The caller
// holds the lock.
func (s *server) watchSizes() {
	if s.sizing {
		return
	}
	s.sizing = true
	go func() {
		tick := time.NewTicker(sizeCheck)
		defer tick.Stop()
		failing := map[string]bool{} // what was said once
		for range tick.C {
			outputs := s.outputs()
			if outputs == nil {
				return
			}
			for path, logs := range outputs {
				err := shorten(path, logs)
				if err != nil && !failing[path] {
					s.log.Error("the output grows beyond its size", "file", path, "cause", err)
				}
				failing[path] = err != nil
			}
		}
	}()
}

// outputs are the files with a bound that something kept may write to; nil if
// there are none, by which the watch is over.
func (s *server) outputs() map[string]Logs {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out map[string]Logs
	for _, k := range s.kept {
		if k.Logs.MaxSize > 0 {
			if out == nil {
				out = map[string]Logs{}
			}
			out[k.Output] = k.Logs
		}
	}
	s.sizing = out != nil
	return out
}

// shorten moves the front of an output that has grown too long to a file of its
// own.
func shorten(path string, logs Logs) error {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var system unix.Statfs_t
	info, err := f.Stat()
	if err == nil {
		err = unix.Fstatfs(int(f.Fd()), &system)
	}
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	_, begin := FirstByte(f)
	if info.Size()-begin <= logs.MaxSize {
		return nil
	}
	// Short of the end, which a collapse may not reach.
	cut := (info.Size() - 1) / system.Bsize * system.Bsize
	if cut <= begin {
		return nil
	}
	// A reader that follows holds it shared, for as long as it takes to read.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil // the next time
		}
		return err
	}
	if err := setAside(f, begin, cut, path+".new"); err != nil {
		os.Remove(path + ".new")
		return err
	}
	if err := shift(path, path+".new", logs.Keep); err != nil {
		return err
	}
	return takeOut(f, cut)
}

// setAside copies a part of f to a file of its own.
func setAside(f *os.File, begin, cut int64, path string) error {
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Seek(begin, io.SeekStart); err == nil {
		_, err = io.CopyN(to, f, cut-begin)
	}
	return errors.Join(err, to.Close())
}

// shift makes youngest the file path.1, and each that is kept one older.
func shift(path, youngest string, keep int) error {
	for n := max(keep, 1); n >= 1; n-- {
		from := youngest
		if n > 1 {
			from = fmt.Sprintf("%s.%d", path, n-1)
		}
		to := fmt.Sprintf("%s.%d", path, n)
		if err := unix.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
		}
	}
	return nil
}

// takeOut removes the first cut bytes of f, or frees their space.
func takeOut(f *os.File, cut int64) error {
	fd := int(f.Fd())
	removed, _ := FirstByte(f)
	removed -= holeBefore(f)
	if err := noteRemoved(f, removed+cut); err == nil {
		if unix.Fallocate(fd, unix.FALLOC_FL_COLLAPSE_RANGE, 0, cut) == nil {
			return nil
		}
		if err := noteRemoved(f, removed); err != nil {
			return err
		}
	}
	if err := unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, cut); err != nil {
		return fmt.Errorf("this file system can neither shorten a file at its front nor free it: %w", err)
	}
	return nil
}

// removedName is the attribute of an output that tells how many bytes were
// taken out at its front, for readers that follow it.
const removedName = "user.dynapm.removed"

func noteRemoved(f *os.File, n int64) error {
	return unix.Fsetxattr(int(f.Fd()), removedName, []byte(strconv.FormatInt(n, 10)), 0)
}

// FirstByte tells where an output begins that may have been rotated: the number
// of its first byte, counted from the start of the command, and where in the
// file that byte is. Who reads while the command writes holds a shared flock.
func FirstByte(f *os.File) (number, offset int64) {
	text := make([]byte, 20)
	if n, err := unix.Fgetxattr(int(f.Fd()), removedName, text); err == nil {
		number, _ = strconv.ParseInt(string(text[:n]), 10, 64)
	}
	offset = holeBefore(f)
	return number + offset, offset
}

// holeBefore is how much was freed at the front of f.
func holeBefore(f *os.File) int64 {
	offset, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) { // nothing but a hole, or nothing
		if info, err := f.Stat(); err == nil {
			return info.Size()
		}
	}
	if err != nil {
		return 0
	}
	return offset
}

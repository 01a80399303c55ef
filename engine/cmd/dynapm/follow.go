package main

import (
	"errors"
	"io"
	"os"
	"time"

	"dynapm/actors/keeper"

	"golang.org/x/sys/unix"
)

// followPause is how often a file that is followed is looked at.
const followPause = 100 * time.Millisecond

// follower prints an output from its beginning and goes on as it grows: while the keeper takes out its front, and from
// one start of the service to the next.
type follower struct {
	path string
	file *os.File // nil until there is one
	next int64    // number of the next byte, counted from the start of the service
}

// follow returns only for an error, or when done is closed.
func follow(w io.Writer, path string, done <-chan struct{}) error {
	tick := time.NewTicker(followPause)
	defer tick.Stop()
	f := &follower{path: path}
	for {
		if err := f.catchUp(w); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-done:
			return nil
		}
	}
}

// catchUp prints all there is.
func (f *follower) catchUp(w io.Writer) error {
	buffer := make([]byte, 64<<10)
	for {
		if f.file == nil {
			if err := f.open(); err != nil || f.file == nil {
				return err
			}
		}
		// Looked at before it is read to its end: what was written to it before it was replaced is not missed.
		replaced := f.replaced()
		for {
			n, err := f.read(buffer)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if !replaced {
			return nil
		}
		f.file.Close()
		f.file = nil
	}
}

func (f *follower) open() error {
	file, err := os.Open(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		f.file = file
		f.next, _ = keeper.FirstByte(file)
	}
	return err
}

// replaced tells whether another start of the service has another file.
func (f *follower) replaced() bool {
	ours, err := f.file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(f.path)
	return err == nil && !os.SameFile(ours, now)
}

// read reads on, from the file it was rotated to if its front was taken out meanwhile. The lock keeps that from
// happening in between; it is not held while anything is printed, as a terminal may stand still for hours.
func (f *follower) read(buffer []byte) (int, error) {
	fd := int(f.file.Fd())
	if err := unix.Flock(fd, unix.LOCK_SH); err != nil {
		return 0, err
	}
	defer unix.Flock(fd, unix.LOCK_UN)
	number, offset := keeper.FirstByte(f.file)
	if missed := number - f.next; missed > 0 {
		older := f.path + ".1"
		if f.replaced() {
			older = f.path + ".2" // .1 is the file itself
		}
		n, err := readEnd(older, buffer, missed)
		if n > 0 || err != nil {
			f.next += int64(n)
			return n, err
		}
		f.next = number // it was rotated more often than it was read
	}
	n, err := f.file.ReadAt(buffer, offset+f.next-number)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	f.next += int64(n)
	return n, err
}

// readEnd reads on in a file of which missed bytes have not been read.
func readEnd(path string, buffer []byte, missed int64) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, nil // it is gone by now
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() < missed {
		return 0, err
	}
	n, err := file.ReadAt(buffer[:min(int64(len(buffer)), missed)], info.Size()-missed)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

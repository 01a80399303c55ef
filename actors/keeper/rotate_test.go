package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// contents joins what is left of the files that an output was rotated to, and
// of itself.
func contents(t *testing.T, path string, keep int) string {
	t.Helper()
	var all []byte
	for n := keep; n >= 1; n-- {
		text, err := os.ReadFile(fmt.Sprintf("%s.%d", path, n))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, offset := FirstByte(f)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(append(all, text[offset:]...))
}

// fileSystems are those that can be had here: that of the temporary files, and
// one in memory, which cannot collapse a range.
func fileSystems(t *testing.T) []string {
	dirs := []string{t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "dynapm-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		dirs = append(dirs, dir)
	}
	return dirs
}

// Writers append while their output is rotated as fast as it can be: every line
// is there, once, and those of each writer in order.
func TestRotationLosesNothing(t *testing.T) {
	for _, dir := range fileSystems(t) {
		path := filepath.Join(dir, "out.log")
		const keep, rounds = 100, 10
		var allowed atomic.Int64 // lines of each writer: more than fit, at each round
		var wrote [3]int
		var group sync.WaitGroup
		for w := range wrote {
			f, err := openOutput(path, false, keep)
			if err != nil {
				t.Fatal(err)
			}
			group.Go(func() {
				defer f.Close()
				for may := int64(0); may >= 0; may = allowed.Load() {
					for ; int64(wrote[w]) < may; wrote[w]++ {
						fmt.Fprintf(f, "writer %d line %d\n", w, wrote[w])
					}
					runtime.Gosched()
				}
			})
		}
		for rotated := 0; rotated < rounds; runtime.Gosched() {
			allowed.Store(int64(rotated+1) * 500)
			if err := shorten(path, Logs{MaxSize: 16 << 10, Keep: keep}); err != nil {
				t.Fatal(dir, err)
			}
			if _, err := os.Stat(fmt.Sprintf("%s.%d", path, rotated+1)); err == nil {
				rotated++
			}
		}
		allowed.Store(-1)
		group.Wait()
		var next [3]int
		for line := range strings.Lines(contents(t, path, rounds)) {
			var w, i int
			if n, err := fmt.Sscanf(line, "writer %d line %d\n", &w, &i); n != 2 || err != nil || i != next[w] {
				t.Fatalf("%s: %q, and writer %d was at %d", dir, line, w, next[w])
			}
			next[w]++
		}
		if next != wrote {
			t.Errorf("%s: lines %v of %v", dir, next, wrote)
		}
	}
}

// What is freed is freed on the disk, whatever the length of the file says.
func TestRotationFreesTheDisk(t *testing.T) {
	for _, dir := range fileSystems(t) {
		path := filepath.Join(dir, "out.log")
		for range 5 {
			f, err := openOutput(path, false, 2)
			if err != nil {
				t.Fatal(err)
			}
			f.Write(make([]byte, 300<<10))
			f.Close()
			if err := shorten(path, Logs{MaxSize: 64 << 10, Keep: 2}); err != nil {
				t.Fatal(err)
			}
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		number, offset := FirstByte(f)
		info, err := f.Stat()
		if err != nil || info.Size()-offset > 16<<10 || number+info.Size()-offset != 5*300<<10 {
			t.Errorf("%s: %d bytes from number %d at %d, %v", dir, info.Size(), number, offset, err)
		}
		if all, _ := filepath.Glob(path + "*"); len(all) != 3 {
			t.Errorf("%s: %v", dir, all)
		}
	}
}

// The keeper does it by itself while the service writes, also for what it has
// adopted, and a start keeps as many files.
func TestOutputIsRotatedBySize(t *testing.T) {
	b := newBench(t)
	const lines = 40_000
	bounds := func(c *Command) { c.Rotate, c.Logs = true, Logs{MaxSize: 64 << 10, Keep: 8} } // more than there is to keep
	path := b.command(nil).Output
	p := b.launch(self("count", fmt.Sprint(lines)), bounds)
	rotated := func() bool { _, err := os.Stat(path + ".1"); return err == nil }
	b.until("the output to be rotated", rotated)
	all := ""
	b.until("the last line", func() bool {
		all = contents(t, path, 8)
		return strings.HasSuffix(all, fmt.Sprintf("line %d\n", lines-1))
	})
	next := 0
	for line := range strings.Lines(all) {
		if line != fmt.Sprintf("line %d\n", next) {
			t.Fatalf("%q in place of line %d", line, next)
		}
		next++
	}
	if next != lines {
		t.Errorf("%d lines of %d", next, lines)
	}
	old := b.killKeeper()
	b.until("a new keeper", func() bool { return b.keeperPid() != old })
	if err := os.Remove(path + ".1"); err != nil {
		t.Fatal(err)
	}
	f, err := openOutput(path, false, 1)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(make([]byte, 128<<10))
	f.Close()
	b.until("the output to be rotated by the next keeper", rotated)
	b.Signal(p, 9)
	b.exit(p)
	b.exit(b.launch([]string{"true"}, bounds, ofRun(2)))
	for _, name := range []string{path, path + ".1", path + ".2"} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}

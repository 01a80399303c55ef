package persist

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestDiskFullAndRecovery(t *testing.T) {
	disk, health := newFullDisk(), make(changes, 10)
	s := open(t, Options{FS: disk.fs(), OnHealth: health.on, retry: time.Millisecond})
	s.keep(Record{Service: "blog", Run: 1})

	disk.ill.Store(true)
	began := time.Now()
	err := s.PutSync(waiting(t), Record{Service: "blog", Run: 2})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room where state is") {
		t.Fatalf("got %v", err)
	}
	if fault := health.next(t); !errors.Is(fault, syscall.ENOSPC) {
		t.Fatalf("OnHealth was told %v", fault)
	}
	if since, fault := s.Health(); !errors.Is(fault, syscall.ENOSPC) || since.Before(began) {
		t.Fatalf("Health is %v, %v", since, fault)
	}
	for run := uint64(3); run <= 2000; run++ { // nothing of it waits for the disk
		s.Put(Record{Service: "blog", Run: run})
		s.Used("shop", began.Add(time.Duration(run)))
	}
	if err := s.PutSync(waiting(t), Record{Service: "wiki", Run: 5}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}

	disk.ill.Store(false)
	if fault := health.next(t); fault != nil {
		t.Fatalf("OnHealth was told %v", fault)
	}
	if since, fault := s.Health(); fault != nil || !since.IsZero() {
		t.Fatalf("Health is %v, %v", since, fault)
	}
	s.keep(Record{Service: "more"})
	s.close()
	if len(health) > 0 {
		t.Errorf("OnHealth was also told %v", <-health)
	}
	if n := strings.Count(s.book.String(), "state is not being saved"); n != 1 {
		t.Errorf("the full disk was reported %d times", n)
	}
	got := open(t, Options{FS: disk.MemFS}).Records()
	if len(got) != 4 || got[0].Run != 2000 || !got[2].LastUse.Equal(began.Add(2000)) || got[3].Run != 5 {
		t.Fatalf("got %+v", got)
	}
}

// TestDiskFullAtOpen: what is on the disk is known although nothing can be
// written, and nothing is set aside.
func TestDiskFullAtOpen(t *testing.T) {
	disk, health := newFullDisk(), make(changes, 10)
	s := open(t, Options{FS: disk.fs()})
	s.keep(full("blog"))
	s.close()

	disk.ill.Store(true)
	s = open(t, Options{FS: disk.fs(), OnHealth: health.on, retry: time.Millisecond})
	if got := s.one(); got.Run != full("blog").Run {
		t.Fatalf("got %+v", got)
	}
	if fault := health.next(t); !errors.Is(fault, syscall.ENOSPC) {
		t.Fatalf("OnHealth was told %v", fault)
	}
	s.Put(Record{Service: "shop"})
	disk.ill.Store(false)
	if fault := health.next(t); fault != nil {
		t.Fatalf("OnHealth was told %v", fault)
	}
	s.close()
	if got := open(t, Options{FS: disk.MemFS}).Records(); len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	wantAside(t, disk.MemFS, 0)
}

func TestCloseSaysWhatIsLeftUnwritten(t *testing.T) {
	disk := newFullDisk()
	s := open(t, Options{FS: disk.fs(), retry: time.Hour})
	disk.ill.Store(true)
	s.Put(Record{Service: "blog"})
	if err := s.Close(waiting(t)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v", err)
	}
	// The directory is free again.
	disk.ill.Store(false)
	open(t, Options{FS: disk.fs()}).keep(Record{Service: "blog"})
}

// TestCloseTriesOnceMore: a disk that works again while the store waits to be
// opened again loses nothing.
func TestCloseTriesOnceMore(t *testing.T) {
	disk := newFullDisk()
	s := open(t, Options{FS: disk.fs(), retry: time.Hour})
	disk.ill.Store(true)
	if s.PutSync(waiting(t), Record{Service: "blog", Run: 3}) == nil {
		t.Fatal("a full disk took a record")
	}
	disk.ill.Store(false)
	s.close()
	if got := open(t, Options{FS: disk.MemFS}).one(); got.Run != 3 {
		t.Fatalf("got %+v", got)
	}
}

// TestDeadStoresAreClosed: a disk that fails again and again costs no goroutine,
// which is what each Pebble that could not be closed would.
func TestDeadStoresAreClosed(t *testing.T) {
	disk, health := newFullDisk(), make(changes, 10)
	s := open(t, Options{FS: disk.fs(), OnHealth: health.on, retry: time.Microsecond})
	s.keep(Record{Service: "blog"})
	before := runtime.NumGoroutine()
	for range 10 {
		disk.ill.Store(true)
		s.Put(Record{Service: "blog"})
		if health.next(t) == nil {
			t.Fatal("OnHealth was told of no fault")
		}
		disk.ill.Store(false)
		if fault := health.next(t); fault != nil {
			t.Fatal(fault)
		}
	}
	until(t, "the goroutines of dead stores to end", func() bool { return runtime.NumGoroutine() <= before+5 })
}

// TestReadOnlyDirectory: what is there is known, what cannot be is said.
func TestReadOnlyDirectory(t *testing.T) {
	disk := newDisk(func(_ int64, op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose && op.Kind != errorfs.OpLock && op.Kind != errorfs.OpMkdirAll {
			return syscall.EROFS
		}
		return nil
	})
	s := open(t, Options{FS: disk.fs()})
	s.keep(full("blog"))
	s.close()
	disk.ill.Store(true)
	s = open(t, Options{FS: disk.fs(), retry: time.Hour})
	if got := s.one(); got.Run != full("blog").Run {
		t.Errorf("got %+v", got)
	}
	if _, fault := s.Health(); !errors.Is(fault, syscall.EROFS) {
		t.Errorf("Health is %v", fault)
	}
	if err := s.PutSync(waiting(t), Record{Service: "blog"}); !errors.Is(err, syscall.EROFS) {
		t.Errorf("PutSync: %v", err)
	}
	wantAside(t, disk.MemFS, 0)
}

// TestEveryCallFails lets each call to the file system fail once, from the
// first Open to the last Close, and all calls from there until the disk is well
// again. What PutSync has acknowledged is there in the end, and nothing that
// could pass is taken for a broken store.
func TestEveryCallFails(t *testing.T) {
	t.Parallel()
	whole := newDisk(nil)
	workload(t, whole)
	total := whole.calls.Load()
	for _, c := range []struct {
		name       string
		step, last int64
	}{
		{"once", 1, 0},
		{"and the next thirty", 3, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := int64(1); n <= total && !t.Failed(); n += c.step {
				d := newDisk(func(call int64, _ errorfs.Op) error {
					if call >= n && call <= n+c.last {
						return syscall.EIO
					}
					return nil
				})
				d.ill.Store(true)
				acked := workload(t, d)
				d.ill.Store(false)
				check(t, d.MemFS, acked, fmt.Sprintf("call %d of %d fails", n, total))
			}
		})
	}
}

// workload lives with a store for two short lives and returns what was
// acknowledged.
func workload(t *testing.T, d *disk) map[string]uint64 {
	acked := make(map[string]uint64)
	for life := range uint64(2) {
		s, err := Open(Options{Dir: "state", FS: d.fs(), retry: time.Microsecond})
		if err != nil {
			if !errors.Is(err, syscall.EIO) {
				t.Errorf("Open: %v", err)
			}
			continue
		}
		for run := range uint64(3) {
			run += 10 * life
			for _, service := range []string{"blog", "shop"} {
				if s.PutSync(waiting(t), Record{Service: service, Run: run}) == nil {
					acked[service] = run
				}
			}
			s.Put(Record{Service: "wiki", Run: run})
			s.Used("wiki", time.Now())
		}
		if err := s.Close(waiting(t)); errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
	}
	return acked
}

// check opens what the workload has left.
func check(t *testing.T, fs vfs.FS, acked map[string]uint64, when string) {
	t.Helper()
	found := make(map[string]uint64)
	s := open(t, Options{FS: fs})
	for _, r := range s.Records() {
		found[r.Service] = r.Run
	}
	for service, run := range acked {
		if found[service] < run {
			t.Errorf("%s: %s was acknowledged at run %d and has %d", when, service, run, found[service])
		}
	}
	s.close()
	wantAside(t, fs, 0)
}

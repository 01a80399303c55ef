package persist

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// countingSyncs counts the batches that are written to a disk.
func countingSyncs(disk vfs.FS) (vfs.FS, *atomic.Int64) {
	syncs := new(atomic.Int64) // of the log
	return errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, ".log") {
			syncs.Add(1)
		}
		return nil
	})), syncs
}

// TestUseIsNotPutOff by the next one: what a single service in use is known by is never much older than a second.
func TestUseIsNotPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, syncs := countingSyncs(vfs.NewMem())
		s := open(t, Options{FS: fs})
		before := syncs.Load()
		const uses = 10
		for range uses {
			s.Used("a", time.Now())
			time.Sleep(useEvery * 9 / 10)
		}
		synctest.Wait()
		if n := syncs.Load() - before; n < uses/2-1 {
			t.Errorf("%d batches of %d uses", n, uses)
		}
		s.close()
	})
}

// TestUsesGoOutOnceASecond: a thousand uses of ten services are one batch.
func TestUsesGoOutOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		fs, syncs := countingSyncs(disk)
		s := open(t, Options{FS: fs})
		for range 3 {
			before := syncs.Load()
			began := time.Now()
			for range 100 {
				time.Sleep(useEvery / 200)
				for _, service := range strings.Fields("a b c d e f g h i j") {
					s.Used(service, time.Now())
				}
			}
			synctest.Wait()
			if n := syncs.Load() - before; n != 0 {
				t.Errorf("%d batches in the first half second", n)
			}
			time.Sleep(useEvery)
			synctest.Wait()
			if n := syncs.Load() - before; n != 1 {
				t.Errorf("%d batches in %v, not one", n, time.Since(began))
			}
		}
		want := time.Now()
		s.Used("a", want)
		s.Used("a", want.Add(-time.Hour)) // late news
		s.close()

		s = open(t, Options{FS: disk})
		if got := s.Records(); len(got) != 10 || !got[0].LastUse.Equal(want) || got[0].State != "" {
			t.Errorf("got %+v", got)
		}
		s.close()
	})
}

// TestRecordsOfAMomentGoOutTogether: what is put in a moment is one batch after that moment. What is waited for is
// written at once, and takes the rest along.
func TestRecordsOfAMomentGoOutTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs, syncs := countingSyncs(vfs.NewMem())
		s := open(t, Options{FS: fs})
		opened := syncs.Load()
		batches := func() int64 { synctest.Wait(); return syncs.Load() - opened }
		for _, state := range []string{"starting", "ready", "stopping"} {
			s.Put(Record{Service: "a", State: state})
			if n := batches(); n != 0 {
				t.Errorf("%s was written at once", state)
			}
			time.Sleep(gatherFor / 4)
		}
		time.Sleep(gatherFor / 4)
		if n := batches(); n != 1 {
			t.Errorf("%d batches, want 1", n)
		}
		s.Put(Record{Service: "a", State: "stopped"})
		if err := s.PutSync(t.Context(), Record{Service: "b", State: "starting"}); err != nil {
			t.Error(err)
		}
		if n := batches(); n != 2 {
			t.Errorf("%d batches, want 2", n)
		}
		time.Sleep(2 * gatherFor)
		if n := batches(); n != 2 {
			t.Errorf("%d batches, want 2: nothing was left to be written", n)
		}
		s.close()
	})
}

// TestFutureLastUse: after the clock was set back, what lies ahead is now.
func TestFutureLastUse(t *testing.T) {
	var ahead, behind Record
	disk := vfs.NewMem()
	synctest.Test(t, func(t *testing.T) { // its clock begins in the year 2000
		time.Sleep(24 * time.Hour)
		ahead, behind = full("ahead"), full("behind")
		ahead.LastUse, ahead.Since, ahead.ReadySince = time.Now(), time.Now(), time.Now()
		behind.LastUse, behind.ReadySince = time.Now().Add(-24*time.Hour), time.Now().Add(-24*time.Hour)
		s := open(t, Options{FS: disk})
		s.keep(ahead, behind)
		s.close()
	})
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		s := open(t, Options{FS: disk})
		now := time.Now()
		got := s.Records()
		if len(got) != 2 || !got[0].LastUse.Equal(now) || !got[0].Since.Equal(now) || !got[0].ReadySince.Equal(now) {
			t.Errorf("got %+v, now is %v", got, now)
		}
		if !got[1].LastUse.Equal(behind.LastUse) || !got[1].ReadySince.Equal(behind.ReadySince) {
			t.Errorf("what was not ahead was changed: %+v", got[1])
		}
		if !strings.Contains(s.book.String(), "the clock was set back") {
			t.Errorf("nothing is said of it: %s", s.book)
		}
		// What happens from now on counts, although it is before what was stored.
		later := now.Add(time.Minute)
		time.Sleep(2 * time.Minute)
		s.Used("ahead", later)
		s.close()
		s = open(t, Options{FS: disk})
		if got := s.Records()[0].LastUse; !got.Equal(later) {
			t.Errorf("the last use is %v, not %v", got, later)
		}
		s.close()
	})
}

// TestRetryBacksOff: 1, 2, 4 ... 30 seconds, and from the beginning after a
// store that lived for a minute.
func TestRetryBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var tries []time.Duration
		var began time.Time
		disk := newFullDisk()
		fills := disk.fails
		disk.fails = func(call int64, op errorfs.Op) error {
			err := fills(call, op)
			if err != nil && strings.HasSuffix(op.Path, "store.probe") {
				mu.Lock()
				defer mu.Unlock()
				tries = append(tries, time.Since(began).Round(time.Second))
				began = time.Now()
			}
			return err
		}
		s := open(t, Options{FS: disk.fs()})
		fail := func() {
			disk.ill.Store(true)
			tries, began = nil, time.Now()
			if err := s.PutSync(waiting(t), Record{Service: "blog"}); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("got %v", err)
			}
		}
		fail()
		time.Sleep(2 * time.Minute)
		mu.Lock()
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			if i >= len(tries) || tries[i] != want*time.Second {
				t.Errorf("tried after %v", tries)
				break
			}
		}
		mu.Unlock()
		disk.ill.Store(false)
		time.Sleep(proven + retryMost)
		s.keep(Record{Service: "blog"})
		fail()
		time.Sleep(2 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(tries) == 0 || tries[0] != time.Second {
			t.Errorf("tried after %v", tries)
		}
		disk.ill.Store(false)
		s.close()
	})
}

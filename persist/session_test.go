package persist

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestFatalFaults: Pebble's way to end the process ends a goroutine.
func TestFatalFaults(t *testing.T) {
	for name, call := range map[string]func(s *session) error{
		"in our call": func(s *session) error {
			s.Fatalf("cannot go on: %v", errors.New("cause"))
			return nil
		},
		"on a goroutine of its own, under our call": func(s *session) error {
			go s.Fatalf("cannot go on: %s", errors.New("cause"))
			select {} // what Pebble's Close does then
		},
		"by a panic in our call": func(*session) error { panic(errors.New("cause")) },
	} {
		t.Run(name, func(t *testing.T) {
			book := new(logbook)
			s, err := openSession(vfs.NewMem(), "store", false, book.logger())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.do(func() error { return call(s) }); err == nil || !strings.Contains(err.Error(), "cause") {
				t.Fatalf("got %v", err)
			}
			if err := s.commit(1, []write{{"key", []byte("body")}}); err == nil {
				t.Error("a dead session takes a batch")
			}
			s.bury(nil)
		})
	}
}

// TestCallOutlivesItsSession: Pebble is not closed under a call that was left behind, which would work on memory that
// Close has freed.
func TestCallOutlivesItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := openSession(vfs.NewMem(), "store", false, new(logbook).logger())
		if err != nil {
			t.Fatal(err)
		}
		goOn, done := make(chan struct{}), make(chan any, 1)
		go s.do(func() error {
			defer func() { done <- recover() }()
			<-goOn
			return s.db.Set([]byte("key"), []byte("body"), pebble.NoSync)
		})
		synctest.Wait()
		s.bury(errors.New("cause"))
		synctest.Wait()
		close(goOn)
		if p := <-done; p != nil {
			t.Errorf("the call met a Pebble that was %v", p)
		}
		synctest.Wait()
		if !closed(s.db) {
			t.Error("it was not closed afterwards")
		}
	})
}

// closed tells whether a Pebble was closed, which it panics to say.
func closed(db *pebble.DB) (is bool) {
	defer func() { is = recover() != nil }()
	db.Get([]byte("key"))
	return false
}

// TestRaisedFence: nothing gets through, and all seems to work.
func TestRaisedFence(t *testing.T) {
	disk := vfs.NewMem()
	s, err := openSession(disk, "store", false, new(logbook).logger())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.commit(1, []write{{"key", []byte("body")}}); err != nil {
		t.Fatal(err)
	}
	before := disk.String()
	s.die(errors.New("cause"))
	// The dead Pebble does all it can do to a disk.
	for i := range 2000 {
		b := s.db.NewBatch()
		if err := b.Set([]byte{byte(i), byte(i >> 8)}, make([]byte, 1000), nil); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Flush(); err != nil {
		t.Error(err)
	}
	if err := s.db.Close(); err != nil {
		t.Error(err)
	}
	if after := disk.String(); after != before {
		t.Errorf("the disk has changed\nfrom\n%s\nto\n%s", before, after)
	}
}

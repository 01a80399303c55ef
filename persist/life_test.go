package persist

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestLongLife: a store that is written for years does not grow with them.
func TestLongLife(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	s := open(t, Options{FS: disk})
	r := full("blog")
	r.Reason = strings.Repeat("r", maxText)
	const writes = 8000 // 7 MB
	for run := range uint64(writes) {
		r.Run = run + 1
		s.keep(r)
	}
	s.close()
	var size int64
	names, err := disk.List("state/store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		info, err := disk.Stat("state/store/" + name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 3<<20 {
		t.Errorf("one record has become %d bytes in %d files: %v", size, len(names), names)
	}
	s = open(t, Options{FS: disk})
	if got := s.one(); got.Run != writes || s.book.String() != "" {
		t.Errorf("got %+v, %s", got, s.book)
	}
}

// TestHungDisk: a disk that does not answer holds up those who chose to wait,
// for as long as they chose.
func TestHungDisk(t *testing.T) {
	hang, hangs := make(chan struct{}), make(chan struct{}, 1)
	disk := newDisk(func(_ int64, op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData {
			select {
			case hangs <- struct{}{}:
			default:
			}
			<-hang
		}
		return nil
	})
	s := open(t, Options{FS: disk.fs()})
	disk.ill.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-hangs
		cancel()
	}()
	if err := s.PutSync(ctx, Record{Service: "blog", Run: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("PutSync: %v", err)
	}
	for run := range uint64(100) {
		s.Put(Record{Service: "blog", Run: run})
		s.Forget("shop")
	}
	if err := s.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	if _, err := Open(Options{Dir: "state", FS: disk.fs()}); err == nil {
		t.Error("the directory is free while the store still writes")
	}
	close(hang)
	s.close()
	if got := open(t, Options{FS: disk.MemFS}).one(); got.Run != 99 {
		t.Errorf("got %+v", got)
	}
}

package persist

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func BenchmarkPut(b *testing.B) {
	s, r := benchStore(b), full("blog")
	b.ReportAllocs()
	for b.Loop() {
		s.Put(r)
	}
}

func BenchmarkUsed(b *testing.B) {
	s, at := benchStore(b), time.Now().Add(-time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Nanosecond)
		s.Used("blog", at)
	}
}

func BenchmarkPutSync(b *testing.B) {
	s, r := benchStore(b), full("blog")
	for b.Loop() {
		if err := s.PutSync(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPutSyncOfMany: those who wait at the same time share a sync.
func BenchmarkPutSyncOfMany(b *testing.B) {
	s := benchStore(b)
	b.SetParallelism(20)
	b.RunParallel(func(pb *testing.PB) {
		r := full("blog")
		for pb.Next() {
			if err := s.PutSync(context.Background(), r); err != nil {
				b.Error(err)
			}
		}
	})
}

func benchStore(b *testing.B) *Store {
	s, err := Open(Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// BenchmarkOpen opens a store of a thousand records in a new process, as the
// engine does, and says what that adds to its memory.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		s.Put(full(fmt.Sprintf("service-%04d", i)))
		s.Used(fmt.Sprintf("service-%04d", i), time.Now())
	}
	if err := s.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	var micros, kib int
	for b.Loop() {
		p := start(b, "measure", dir)
		var records, took, more int
		if _, err := fmt.Sscan(p.line(), &records, &took, &more); err != nil || records != 1000 {
			b.Fatal(records, err)
		}
		p.cmd.Wait()
		micros, kib = micros+took, kib+more
	}
	b.ReportMetric(float64(micros)/float64(b.N), "µs/open")
	b.ReportMetric(float64(kib)/float64(b.N), "KiB/open")
}

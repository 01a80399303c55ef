package persist

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// patience is how long a test waits for what is to happen.
const patience = 20 * time.Second

// logbook is a log that a test reads.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// opened is a store that the test may close itself before its end.
type opened struct {
	*Store
	t    *testing.T
	book *logbook
}

func open(t *testing.T, o Options) *opened {
	t.Helper()
	book := new(logbook)
	if o.Log == nil {
		o.Log = book.logger()
	}
	if o.Dir == "" {
		o.Dir = "state"
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close(waiting(t))
		if t.Failed() {
			t.Logf("the log of the store:\n%s", book)
		}
	})
	return &opened{Store: s, t: t, book: book}
}

// waiting is a context for what must end.
func waiting(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (o *opened) close() {
	o.t.Helper()
	if err := o.Close(waiting(o.t)); err != nil {
		o.t.Fatal(err)
	}
}

func (o *opened) keep(records ...Record) {
	o.t.Helper()
	for _, r := range records {
		if err := o.PutSync(waiting(o.t), r); err != nil {
			o.t.Fatal(err)
		}
	}
}

// one is the only record that was found.
func (o *opened) one() Record {
	o.t.Helper()
	if len(o.Records()) != 1 {
		o.t.Fatalf("%d records were found, not one: %v", len(o.Records()), o.Records())
	}
	return o.Records()[0]
}

// full is a record with a value in every field.
func full(service string) Record {
	at := time.Unix(1_700_000_000, 123456789)
	return Record{
		Service: service, Kind: "managed", State: "ready", Held: true, Reason: "the first request",
		Run: 7, LastRun: 9, Pid: 4711, StartTime: 99887766, BootID: "5f3a8a0c-0d37-4d0e-9d0f-3f1f1c6c1b2a", Port: 20017, Address: "127.0.0.1:20017",
		LastUse: at.Add(time.Minute), Since: at.Add(2 * time.Second), ReadySince: at.Add(time.Second), RetryAt: at.Add(time.Hour),
		StartCount: 12, TotalUptime: 3 * time.Hour, Failures: 2,
		RecentStarts: []Start{
			{Run: 8, At: at.Add(-time.Hour), Launched: time.Millisecond, Outcome: "start failed"},
			{Run: 9, At: at, Launched: time.Millisecond, Listening: 80 * time.Millisecond, Ready: 95 * time.Millisecond,
				Connected: 96 * time.Millisecond, FirstByte: 110 * time.Millisecond, Outcome: "ready"},
		},
	}
}

func TestEveryFieldSurvives(t *testing.T) {
	v := reflect.ValueOf(full("blog"))
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("the test says nothing about %s", v.Type().Field(i).Name)
		}
	}
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	if len(s.Records()) != 0 {
		t.Fatalf("a new store has records: %v", s.Records())
	}
	want := full("blog")
	s.Put(want)
	s.close()

	if got := open(t, Options{Dir: dir}).one(); !reflect.DeepEqual(got, want) {
		t.Fatalf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestLastPutWins(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, Options{FS: fs})
	for run := range uint64(500) {
		s.Put(Record{Service: "blog", Run: run})
		s.Put(Record{Service: "shop", Run: 2 * run})
	}
	s.close()
	got := open(t, Options{FS: fs}).Records()
	if len(got) != 2 || got[0].Run != 499 || got[1].Run != 998 {
		t.Fatalf("got %+v", got)
	}
}

func TestPutKeepsNothingOfItsArgument(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, Options{FS: fs})
	r := full("blog")
	s.Put(r)
	r.RecentStarts[0].Outcome = "overwritten"
	s.close()
	if got := open(t, Options{FS: fs}).one().RecentStarts[0].Outcome; got != "start failed" {
		t.Fatalf("the store has %q", got)
	}
}

func TestForget(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, Options{FS: fs})
	s.keep(full("blog"), full("shop"))
	s.Forget("blog")
	s.Put(Record{Service: "wiki", State: "ready"})
	s.Forget("wiki") // in the same batch
	s.close()
	if got := open(t, Options{FS: fs}).one(); got.Service != "shop" {
		t.Fatalf("got %+v", got)
	}
}

func TestBounds(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, Options{FS: fs})
	r := Record{Service: "blog", Reason: strings.Repeat("x", maxText-1) + "é and more"}
	for i := range 25 {
		r.RecentStarts = append(r.RecentStarts, Start{Ready: time.Duration(i), Outcome: strings.Repeat("long ", 1000)})
	}
	s.Put(r)
	s.Put(Record{Service: strings.Repeat("n", maxName+1)})
	s.Put(Record{})
	s.Used("", time.Now())
	if err := s.PutSync(waiting(t), Record{}); err == nil {
		t.Error("a record without a name was kept")
	}
	s.close()
	got := open(t, Options{FS: fs}).one()
	if got.Reason != strings.Repeat("x", maxText-1) {
		t.Errorf("the reason was cut to %q", got.Reason)
	}
	if n := len(got.RecentStarts); n != maxStarts || got.RecentStarts[n-1].Ready != 24 || len(got.RecentStarts[0].Outcome) != maxText {
		t.Errorf("%d starts, the last %+v", n, got.RecentStarts[n-1])
	}
}

func TestSecondStoreOfTheProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	s.keep(full("blog"))
	_, err := Open(Options{Dir: dir})
	wantInUse(t, err, dir, os.Getpid())
	s.close()
	s = open(t, Options{Dir: dir})
	s.one()
	s.close()
	if err := s.PutSync(waiting(t), full("blog")); err == nil {
		t.Error("a closed store takes records")
	}
	s.Put(full("shop")) // is dropped
	if names, _ := filepath.Glob(filepath.Join(dir, "store.*")); len(names) != 1 {
		t.Errorf("beside the store there are %v, not only its lock", names)
	}
}

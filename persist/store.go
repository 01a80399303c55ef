package persist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// storeName is the directory of Pebble's files in the state directory.
const storeName = "store"

// ErrClosed is returned by PutSync on a Store that is closed.
var ErrClosed = errors.New("the store is closed")

// Options say where a Store is and whom it tells.
type Options struct {
	Dir string       // the state directory, made if it is missing; the store is Dir/store
	Log *slog.Logger // nil: silent
	FS  vfs.FS       // nil: the operating system's

	// OnHealth is called when writing begins to fail, with the fault, and when it
	// works again, with nil. It is called from within Open or on the goroutine
	// that writes: it must not block, nor call the Store.
	OnHealth func(fault error)

	retry time.Duration // the first wait before a dead store is opened again; 0: a second
}

// Store keeps the last known state of services across the life of the engine.
// Safe for concurrent use.
//
// Nothing but PutSync and Close waits for the disk: what is put is gathered in
// memory, by service, for a moment, and one goroutine writes it. A disk that fails costs the
// memory of one record per service, and what was not written if the engine ends
// before the disk works again.
type Store struct {
	fs      vfs.FS
	dir     string
	log     *slog.Logger
	lock    io.Closer
	records []Record

	gathered gathered
	health   health

	stop  chan struct{} // closed by Close
	once  sync.Once
	ended chan struct{} // closed when the writer has ended
	left  error         // why something was left unwritten; valid after ended

	writer writer // owned by Open, then by the writing goroutine
}

// Open opens the store of a state directory, or makes it.
//
// It fails with an *InUseError where another engine has the directory, and
// where the directory cannot be used at all. A store that is broken is set
// aside and a new one is made. A store that cannot be written now (a full disk)
// is read if possible; it is opened, Health says what is wrong, and it is tried
// again while the engine works.
func Open(o Options) (*Store, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.retry == 0 {
		o.retry = time.Second
	}
	if err := makeDir(o.FS, o.Dir, o.Log); err != nil {
		return nil, err
	}
	lock, err := lockDir(o.FS, o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		fs: o.FS, dir: o.Dir, log: o.Log, lock: lock,
		gathered: newGathered(),
		health:   health{log: o.Log, dir: o.Dir, changed: o.OnHealth},
		stop:     make(chan struct{}),
		ended:    make(chan struct{}),
		writer:   newWriter(o.retry),
	}
	s.begin()
	go s.write()
	return s, nil
}

// begin opens Pebble for the first time and takes what is there.
func (s *Store) begin() {
	l, err := s.open()
	if err != nil {
		s.down(err)
		if l = s.readOnly(); l == nil {
			return
		}
	}
	s.records = s.gathered.absorb(l, s.log)
	s.gathered.due.Reset(gatherFor) // some of it may be to be written again
}

// Records is what was found at Open, by name. The caller must not change it.
func (s *Store) Records() []Record { return s.records }

// Health says since when writing fails and why. The fault is nil while all is
// well.
func (s *Store) Health() (since time.Time, fault error) { return s.health.get() }

// Close writes what is pending and gives the state directory back. It returns
// an error if something was left unwritten; what ctx cuts short goes on, and
// holds the directory until it is done. What is put later is dropped.
func (s *Store) Close(ctx context.Context) error {
	s.once.Do(func() { close(s.stop) })
	select {
	case <-s.ended:
		return s.left
	case <-ctx.Done():
		return fmt.Errorf("cannot finish writing the store: %w", context.Cause(ctx))
	}
}

package persist

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// session is one opened Pebble, from Open to Close or to its death.
//
// Pebble answers a fault it cannot go on from with Logger.Fatalf, which it
// expects to end the process. The state of the services is not worth the
// process that serves them: the session dies in its place. Its fence is raised,
// it is closed, and another is opened after a while. What it had acknowledged is
// on the disk.
//
// Failed writes never get as far, for the fence keeps them from Pebble. What is
// left is what Pebble finds wrong when it reads: Fatalf ends the goroutine that
// it is called on, which is one of Pebble's or one that do has made for the call.
type session struct {
	log   *slog.Logger
	fence *fence
	dead  chan struct{} // closed by die
	death sync.Once
	calls sync.WaitGroup // of do

	mu     sync.Mutex
	cause  error // of its death
	db     *pebble.DB
	buried bool
}

// errVanished is the outcome of a call whose goroutine ended under it. The cause
// of the death says more wherever there is one.
var errVanished = errors.New("pebble ended the call")

// openSession opens the store in dir. The error is the fault that Pebble met,
// whether it was returned or fatal.
func openSession(fs vfs.FS, dir string, readOnly bool, log *slog.Logger) (*session, error) {
	s := &session{log: log, dead: make(chan struct{})}
	s.fence = &fence{inner: fs, die: s.die}
	err := s.do(func() error {
		db, err := pebble.Open(dir, s.options(readOnly))
		if err == nil {
			s.adopt(db)
		}
		return err
	})
	if err != nil {
		s.bury(err)
		return nil, err
	}
	return s, nil
}

// die ends the session. The first cause is the one. When it returns, nothing
// of the session can reach the disk any more.
func (s *session) die(cause error) {
	s.death.Do(func() {
		s.mu.Lock()
		s.cause = cause
		s.mu.Unlock()
		// In this order: a write that the fence has swallowed finds the session dead
		// when it returns, and is not taken for done.
		close(s.dead)
		s.fence.raise()
	})
}

// options are for a store of some hundred small records: a few pages of
// memory, small files, one thing at a time.
func (s *session) options(readOnly bool) *pebble.Options {
	o := &pebble.Options{
		FS:                          s.fence,
		ReadOnly:                    readOnly,
		Logger:                      s,
		CacheSize:                   256 << 10,
		MemTableSize:                256 << 10,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                64,
		L0CompactionThreshold:       2,
		LBaseMaxBytes:               4 << 20,
		MaxManifestFileSize:         1 << 20,
		FormatMajorVersion:          pebble.FormatNewest,
		EventListener: &pebble.EventListener{
			// Pebble goes on after these and would try again at once, for ever.
			BackgroundError: func(err error) { s.die(err) },
			DataCorruption:  func(i pebble.DataCorruptionInfo) { s.die(fmt.Errorf("%s: %w", i.Path, i.Details)) },
		},
	}
	return o
}

// do runs a call into Pebble on a goroutine of its own, which a fatal fault can
// end without harm. It returns early if the session dies under the call; the
// call is then left behind.
func (s *session) do(call func() error) error {
	done := make(chan error, 1)
	s.calls.Go(func() {
		err := errVanished
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("pebble panicked", "panic", p, "stack", string(debug.Stack()))
				err = fmt.Errorf("pebble panicked: %v", p)
				s.die(err)
			}
			done <- err
		}()
		err = call()
	})
	var err error
	select {
	case err = <-done:
	case <-s.dead:
	}
	if cause := s.end(); cause != nil {
		return cause
	}
	return err
}

// end is what the session died of, nil while it lives.
func (s *session) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// adopt takes what Open returned. A session that was buried meanwhile only
// sees to it that it is closed.
func (s *session) adopt(db *pebble.DB) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db = db; s.buried {
		go s.abandon(db)
	}
}

// bury ends a session that is of no more use, and has it closed. When it
// returns, nothing of it can reach the disk.
func (s *session) bury(cause error) {
	s.die(cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buried = true; s.db != nil {
		go s.abandon(s.db)
	}
}

// abandon closes a dead Pebble to have its memory and files back, when the calls
// that were left behind have ended: Close frees memory that they work on. It hangs
// where one does not end, or Fatalf has ended a goroutine of Pebble's that Close
// waits for: then they are lost to the process.
func (s *session) abandon(db *pebble.DB) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Debug("pebble panicked when it was closed after its death", "panic", p)
		}
	}()
	s.calls.Wait()
	if err := db.Close(); err != nil {
		s.log.Debug("a dead store was closed", "cause", err.Error())
	}
}

// close ends a session in order. What was committed is on the disk already.
func (s *session) close() error {
	err := s.do(s.db.Close)
	if err != nil {
		s.die(err)
	}
	return err
}

// Infof drops what Pebble says about its daily work.
func (s *session) Infof(string, ...any) {}

// Errorf passes on what Pebble finds wrong and goes on from.
func (s *session) Errorf(format string, args ...any) {
	s.log.Warn("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf is called by Pebble, which expects it not to return. Deferred calls
// run and release Pebble's locks, as they would in a panic, but on a goroutine
// of Pebble's own a panic would end the process.
func (s *session) Fatalf(format string, args ...any) {
	s.die(fatal(format, args))
	runtime.Goexit()
}

// fatal is the error that Pebble formatted, or what it said.
func fatal(format string, args []any) error {
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			return err
		}
	}
	return fmt.Errorf(format, args...)
}

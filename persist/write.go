package persist

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	retryMost  = 30 * time.Second // between two tries to open a dead store
	proven     = time.Minute      // a store that lived so long has earned a quick first try
	batchBytes = 64 << 10         // a quarter of the memtable: above a half, Pebble takes a slower path
)

// writer is what the writing goroutine owns.
type writer struct {
	session  *session // nil: dead, to be opened again
	mark     mark
	sequence uint64 // of the last batch

	first  time.Duration // the first wait of a row of failures
	wait   time.Duration // the next one
	again  *time.Timer   // runs while the session is dead
	opened time.Time
}

func newWriter(first time.Duration) writer {
	w := writer{first: first, wait: first, again: time.NewTimer(time.Hour)}
	w.again.Stop()
	return w
}

// dead is closed when the open session dies by itself.
func (w *writer) dead() <-chan struct{} {
	if w.session == nil {
		return nil
	}
	return w.session.dead
}

// write is the goroutine that writes, until Close. A batch takes along all that
// has come in while the one before it was on its way to the disk.
func (s *Store) write() {
	defer close(s.ended)
	w := &s.writer
	for {
		select {
		case <-s.gathered.wake:
			s.commit()
		case <-s.gathered.due.C:
			s.commit()
		case <-w.dead():
			s.down(w.session.end())
		case <-w.again.C:
			s.reopen()
		case <-s.stop:
			s.finish()
			return
		}
	}
}

// commit writes all that is pending and tells those who wait. It is false if
// that failed or the store is dead: all is pending as before, then.
func (s *Store) commit() bool {
	if s.writer.session == nil {
		_, fault := s.health.get()
		answer(s.gathered.leave(), fault)
		return false
	}
	b := s.gathered.take()
	err := s.writeAll(b.writes)
	if err != nil {
		s.gathered.giveBack(b)
		err = s.down(err)
	}
	answer(b.waiting, err)
	return err == nil
}

// answer tells every PutSync in waiting how it ended.
func answer(waiting []chan error, err error) {
	for _, done := range waiting {
		done <- err
	}
}

// writeAll writes what was taken, in one batch or a few of bounded size.
func (s *Store) writeAll(writes []write) error {
	w := &s.writer
	for len(writes) > 0 {
		n, size := 0, 0
		for n < len(writes) && size < batchBytes {
			size += len(writes[n].key) + len(writes[n].body)
			n++
		}
		if err := w.session.commit(w.sequence+1, writes[:n]); err != nil {
			return err
		}
		w.sequence++
		writes = writes[n:]
		w.mark.write(w.sequence)
	}
	return nil
}

// commit writes one batch and returns when it is durable. Every batch has the
// head with it, so that what was written last is known in the store itself.
func (s *session) commit(sequence uint64, writes []write) error {
	return s.do(func() error {
		b := s.db.NewBatch()
		for _, w := range writes {
			var err error
			if w.body == nil {
				err = b.Delete([]byte(w.key), nil)
			} else {
				err = b.Set([]byte(w.key), frame(w.key, sequence, w.body), nil)
			}
			if err != nil {
				return err
			}
		}
		if err := b.Set([]byte(headKey), frame(headKey, sequence, nil), nil); err != nil {
			return err
		}
		if err := b.Commit(pebble.Sync); err != nil {
			return err
		}
		// Not deferred: Close gives the batch to a pool that all stores share, and
		// a fatal fault leaves it in the hands of the dead one's goroutines.
		return b.Close()
	})
}

// down notes that the store has died or could not be opened, and sets the time
// of the next try. It returns the fault as it is reported.
func (s *Store) down(cause error) error {
	w := &s.writer
	// Before the burial, which waits for calls under way: from here on no PutSync
	// waits with it.
	fault := s.health.fail(cause)
	if w.session != nil {
		if time.Since(w.opened) >= proven {
			w.wait = w.first
		}
		w.session.bury(cause)
		w.mark.file.Close()
		w.session = nil
	}
	w.again.Reset(w.wait)
	w.wait = min(2*w.wait, retryMost)
	return fault
}

// reopen opens a dead store and writes what was gathered meanwhile.
func (s *Store) reopen() {
	err := probe(s.fs, s.dir)
	var l *loaded
	if err == nil {
		l, err = s.open()
	}
	if err != nil {
		s.down(err)
		return
	}
	s.gathered.reconcile(l)
	if s.commit() {
		s.health.recover()
	}
}

// finish writes what is pending and closes. A dead store gets one more try.
func (s *Store) finish() {
	w := &s.writer
	s.gathered.close()
	if !s.commit() {
		s.reopen()
	}
	w.again.Stop()
	if _, fault := s.health.get(); fault != nil {
		s.left = fault
	}
	if w.session != nil {
		w.mark.file.Close()
		if err := w.session.close(); err != nil {
			// All that was committed is on the disk: the next Open recovers it.
			s.log.Warn("the store did not close in order", "cause", err.Error())
		}
	}
	if err := s.lock.Close(); err != nil {
		s.log.Warn("the lock of the state directory was not released in order", "cause", err.Error())
	}
}

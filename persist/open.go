package persist

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// makeDir makes the state directory, for nobody else's eyes: the reasons of
// failed starts may quote what services print. Whoever made it, it is made to
// last before there is a store in it: Pebble syncs the names of its files, which
// a power cut takes along with the directory above them if that was never synced.
func makeDir(fs vfs.FS, dir string, log *slog.Logger) error {
	_, err := fs.Stat(fs.PathJoin(dir, storeName))
	if err == nil {
		return nil
	}
	top := fs.PathDir(dir)
	for {
		if _, err := fs.Stat(top); err == nil || top == fs.PathDir(top) {
			break
		}
		top = fs.PathDir(top)
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make state directory: %w", err)
	}
	for d := fs.PathDir(dir); ; d = fs.PathDir(d) {
		if err := syncDir(fs, d); err != nil {
			log.Warn("a new state directory may not survive a power cut", "cause", err.Error())
		}
		if d == top {
			return nil
		}
	}
}

// open opens Pebble and reads all of it. A store that is broken is set aside:
// what could still be read of it is in the result, marked as not in the new one.
func (s *Store) open() (*loaded, error) {
	l, err := s.tryOpen()
	if err == nil || circumstantial(err) {
		return l, err
	}
	if err := setAside(s.fs, s.dir, err, s.log); err != nil {
		return nil, err
	}
	fresh, err := s.tryOpen()
	if err != nil {
		return nil, err
	}
	if l != nil {
		for name, f := range l.services {
			f.lost = true
			fresh.services[name] = f
		}
	}
	return fresh, nil
}

// tryOpen makes a session the writer's, or leaves nothing behind that could
// touch the disk. What was read is returned with an error, too.
func (s *Store) tryOpen() (*loaded, error) {
	w := &s.writer
	store := s.fs.PathJoin(s.dir, storeName)
	session, err := openSession(s.fs, store, false, s.log)
	if err != nil {
		return nil, err
	}
	l, err := session.load()
	if err != nil {
		session.bury(err)
		return l, err
	}
	marked := readMark(s.fs, store)
	mark, err := openMark(session, store)
	if err != nil {
		session.bury(err)
		return nil, err
	}
	s.compare(l, marked)
	w.sequence = max(w.sequence, l.head, l.highest, marked)
	w.session, w.mark, w.opened = session, mark, time.Now()
	return l, nil
}

// compare says what the store has lost by its own account.
func (s *Store) compare(l *loaded, marked uint64) {
	if marked > l.head {
		s.log.Warn("the store lost its last writes: what it says of services is older than what was true, and only a hint",
			"lost", marked-l.head, "last", l.head)
	}
	if l.highest > l.head {
		s.log.Warn("the store lost part of its writes: it has records newer than its head", "head", l.head, "newest", l.highest)
	}
}

// readOnly reads a store that cannot be opened for writing now: nil if it
// cannot be read either.
func (s *Store) readOnly() *loaded {
	session, err := openSession(s.fs, s.fs.PathJoin(s.dir, storeName), true, s.log)
	if err != nil {
		s.log.Warn("the store cannot be read either: nothing is known of the services but what the system tells", "cause", err.Error())
		return nil
	}
	l, err := session.load()
	if err != nil {
		s.log.Warn("the store can be read only in part", "cause", err.Error())
	}
	if err := session.close(); err != nil {
		s.log.Warn("the store did not close in order after it was read", "cause", err.Error())
	}
	return l
}

// probeSize is what a store that is opened writes before it is of use: a log, a
// manifest, the recovered log as a table.
const probeSize = 1 << 20

// probe finds out whether there is room to open a dead store. Pebble would find
// out too, but in the middle of recovery and with a fatal fault.
func probe(fs vfs.FS, dir string) error {
	path := fs.PathJoin(dir, "store.probe")
	file, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, probeSize))
	if err == nil {
		err = file.Sync()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if e := fs.Remove(path); err == nil {
		err = e
	}
	return err
}

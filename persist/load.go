package persist

import (
	"errors"
	"log/slog"
	"strings"
	"time"
)

// loaded is what was read from a store.
type loaded struct {
	services map[string]*found
	head     uint64 // the sequence of the last batch, as the store has it
	highest  uint64 // of all that was read
}

// found is what the store has on one service: a record, its last use, or both.
type found struct {
	record *Record // nil: none that can be believed
	body   []byte  // of the record, in the present version
	used   time.Time
	useKey time.Time // used, as far as it has a key of its own: version 1 had it in the record
	lost   bool      // it is from a store that was set aside, not in the open one
}

// load reads the whole store. Where a part of it cannot be read the error says
// why, and what could be read is there all the same.
func (s *session) load() (*loaded, error) {
	l := &loaded{services: make(map[string]*found)}
	finished := make(chan struct{})
	err := s.do(func() error {
		defer close(finished)
		it, err := s.db.NewIter(nil)
		if err != nil {
			return err
		}
		for ok := it.First(); ok; ok = it.Next() {
			l.take(string(it.Key()), it.Value(), s.log)
		}
		return it.Close()
	})
	<-finished // a session that dies under the call leaves it behind, at work on l
	return l, err
}

// take reads one value. One that is not believed is left where it is: a newer
// program may know it, and the next Put of the service overwrites it.
func (l *loaded) take(key string, value []byte, log *slog.Logger) {
	ver, sequence, body, err := unframe(key, value)
	if err == nil {
		err = l.takeBody(key, ver, sequence, body)
	}
	if err != nil {
		log.Warn("a record of the store is passed over", "key", key, "cause", err.Error())
		return
	}
	l.highest = max(l.highest, sequence)
}

func (l *loaded) takeBody(key string, ver byte, sequence uint64, body []byte) error {
	if name, ok := strings.CutPrefix(key, recordPrefix); ok {
		r, err := decodeRecord(ver, body)
		if err != nil {
			return err
		}
		r.Service = name
		f := l.service(name)
		f.record, f.body = &r, appendRecord(nil, &r)
		f.use(r.LastUse)
		return nil
	}
	if name, ok := strings.CutPrefix(key, usePrefix); ok {
		at, err := decodeUse(body)
		if err != nil {
			return err
		}
		f := l.service(name)
		f.useKey = at
		f.use(at)
		return nil
	}
	if key != headKey {
		return errors.New("its key is not known")
	}
	l.head = sequence
	return nil
}

func (l *loaded) service(name string) *found {
	f := l.services[name]
	if f == nil {
		f = new(found)
		l.services[name] = f
	}
	return f
}

// use takes the later of two.
func (f *found) use(at time.Time) {
	if at.After(f.used) {
		f.used = at
	}
}

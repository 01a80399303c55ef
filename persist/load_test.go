package persist

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// plant writes values into a store as another program could have.
func plant(t *testing.T, fs vfs.FS, values map[string][]byte) {
	t.Helper()
	db, err := pebble.Open(fs.PathJoin("state", storeName), &pebble.Options{FS: fs, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range values {
		if err := db.Set([]byte(key), value, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) { panic("fatal") }

// TestStoreOfVersion1: what the first version left is read, and written in this
// one's way when it is next put.
func TestStoreOfVersion1(t *testing.T) {
	head := sealed(headKey, binary.LittleEndian.AppendUint64([]byte{1}, 42))
	want := wantV1
	want.Service = "blog"
	earlierStore(t, map[string][]byte{recordPrefix + "blog": golden(t, "record-v1.hex"), headKey: head}, want)
}

// TestStoreOfEarlierVersions: the same of the versions since.
func TestStoreOfEarlierVersions(t *testing.T) {
	for version, want := range map[int]Record{2: wantV2(), 3: wantV3()} {
		file := func(kind string) []byte { return golden(t, fmt.Sprintf("%s-v%d.hex", kind, version)) }
		earlierStore(t, map[string][]byte{recordPrefix + "blog": file("record"), usePrefix + "blog": file("used"), headKey: file("head")}, want)
	}
}

func earlierStore(t *testing.T, values map[string][]byte, want Record) {
	t.Helper()
	fs := vfs.NewMem()
	plant(t, fs, values)
	for range 2 {
		s := open(t, Options{FS: fs})
		if got := s.one(); !reflect.DeepEqual(got, want) || s.book.String() != "" {
			t.Fatalf("got %+v, %s", got, s.book)
		}
		s.close()
	}
	s := open(t, Options{FS: fs})
	now := full("blog")
	now.LastUse = time.Time{} // which leaves the one that was there
	s.keep(now)
	s.close()
	now.LastUse = want.LastUse
	if got := open(t, Options{FS: fs}).one(); !reflect.DeepEqual(got, now) {
		t.Fatalf("got %+v", got)
	}
}

// TestRecordsThatAreNotBelieved are passed over by name, the others kept.
func TestRecordsThatAreNotBelieved(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, Options{FS: fs})
	s.keep(full("good"))
	s.close()

	value := func(name string) []byte {
		r := full(name)
		return frame(recordPrefix+name, 1, appendRecord(nil, &r))
	}
	newer := value("newer")
	newer[0] = version + 1
	newer = sealed(recordPrefix+"newer", newer[:len(newer)-4])
	broken := value("broken")
	broken[len(broken)/2] ^= 1
	plant(t, fs, map[string][]byte{
		recordPrefix + "newer": newer, recordPrefix + "broken": broken,
		recordPrefix + "moved": value("elsewhere"), "strange": frame("strange", 1, nil),
	})
	s = open(t, Options{FS: fs})
	if got := s.one(); got.Service != "good" {
		t.Errorf("got %+v", got)
	}
	for _, want := range []string{"service/newer", fmt.Sprintf("version %d", version+1), "service/broken", "checksum is wrong", "service/moved", "strange"} {
		if !strings.Contains(s.book.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, s.book)
		}
	}
	s.keep(full("newer")) // is what counts now
	s.close()
	if got := open(t, Options{FS: fs}).Records(); len(got) != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestFlippedBitInTheLog: Pebble opens such a store without a word, as if it had
// ended before the flipped bit. We say how much is missing.
func TestFlippedBitInTheLog(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	for run := range uint64(200) {
		s.keep(Record{Service: "blog", Run: run + 1})
	}
	s.close()
	logs, err := filepath.Glob(filepath.Join(dir, storeName, "*.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("%v, %v", logs, err)
	}
	b, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(bytes.TrimRight(b, "\x00"))/2] ^= 0x10
	if err := os.WriteFile(logs[0], b, 0o600); err != nil {
		t.Fatal(err)
	}

	s = open(t, Options{Dir: dir})
	run := s.one().Run
	if run < 50 || run > 150 {
		t.Errorf("run %d is left of 200", run)
	}
	if want := "lost=" + strconv.Itoa(200-int(run)); !strings.Contains(s.book.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, s.book)
	}
	s.keep(Record{Service: "blog", Run: 201})
	s.close()
	if s = open(t, Options{Dir: dir}); s.book.String() != "" || s.one().Run != 201 {
		t.Errorf("the store is not well again: %s", s.book)
	}
}

// TestMark: a mark that is older than the store, torn or missing is no loss.
func TestMark(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, Options{FS: fs})
	s.keep(full("blog"), full("blog"), full("blog"))
	s.close()
	store := fs.PathJoin("state", storeName)
	if got := readMark(fs, store); got != 3 {
		t.Fatalf("the mark is %d", got)
	}
	path := fs.PathJoin(store, markName)
	older := append(bytes.Clone(markMagic), binary.LittleEndian.AppendUint64(nil, 2)...)
	for name, b := range map[string][]byte{
		"older": sealed(markName, older), "torn": sealed(markName, older)[:15], "flipped": append(bytes.Clone(older), 1, 2, 3, 4),
		"of something else": sealed(markName, make([]byte, 16)), "empty": nil,
	} {
		f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(b)
		f.Close()
		s := open(t, Options{FS: fs})
		if s.one(); s.book.String() != "" {
			t.Errorf("%s: %s", name, s.book)
		}
		s.close()
	}
}

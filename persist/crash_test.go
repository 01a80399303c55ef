package persist

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// cutter cuts the power before each call that changes the disk, and looks what
// is left of the store. The workload waits meanwhile, and then goes on.
type cutter struct {
	t       *testing.T
	disk    *vfs.MemFS
	percent int // of what was not synced that is on the disk all the same

	mu   sync.Mutex
	cuts int

	acked struct {
		sync.Mutex
		runs map[string]uint64 // that PutSync has acknowledged
	}
}

func newCutter(t *testing.T, percent int) *cutter {
	c := &cutter{t: t, disk: vfs.NewCrashableMem(), percent: percent}
	c.acked.runs = make(map[string]uint64)
	return c
}

func (c *cutter) fs() vfs.FS { return errorfs.Wrap(c.disk, errorfs.InjectorFunc(c.cut)) }

func (c *cutter) cut(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.t.Failed() {
		return nil // one cut is enough to read
	}
	c.cuts++
	must := c.known() // before the cut: what is acknowledged later need not be there
	rng := rand.New(rand.NewPCG(uint64(c.cuts), 0))
	left := c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.percent, RNG: rng})
	if err := c.inspect(left, must); err != nil {
		c.t.Errorf("cut %d, before call %d on %s: %v", c.cuts, op.Kind, op.Path, err)
	}
	return nil
}

func (c *cutter) known() map[string]uint64 {
	c.acked.Lock()
	defer c.acked.Unlock()
	runs := make(map[string]uint64)
	for service, run := range c.acked.runs {
		runs[service] = run
	}
	return runs
}

func (c *cutter) ack(service string, run uint64) {
	c.acked.Lock()
	defer c.acked.Unlock()
	c.acked.runs[service] = run
}

// inspect opens what a power cut has left. A store that was being made, and
// never held a thing, may be set aside; after that there is nothing to complain.
func (c *cutter) inspect(left vfs.FS, must map[string]uint64) error {
	if err := left.MkdirAll("state", 0o700); err != nil {
		return err
	}
	var book logbook
	s, err := Open(Options{Dir: "state", FS: left, Log: book.logger()})
	if err != nil {
		return err
	}
	defer s.Close(waiting(c.t))
	if said := book.String(); said != "" && len(must) > 0 {
		return fmt.Errorf("the store complains: %s", said)
	}
	if _, fault := s.Health(); fault != nil {
		return fault
	}
	found := make(map[string]uint64)
	for _, r := range s.Records() {
		found[r.Service] = r.Run
	}
	for service, run := range must {
		if found[service] < run {
			return fmt.Errorf("%s was acknowledged at run %d and has %d", service, run, found[service])
		}
	}
	return s.PutSync(waiting(c.t), Record{Service: "next"})
}

// live does all that a store is asked to do.
func (c *cutter) live(t *testing.T, from, runs uint64, filler string) {
	s := open(t, Options{FS: c.fs()})
	for run := from; run < from+runs; run++ {
		for _, service := range []string{"blog", "shop"} {
			r := full(service)
			r.Run = run
			for range maxStarts {
				r.RecentStarts = append(r.RecentStarts, Start{Outcome: filler})
			}
			s.keep(r)
			c.ack(service, run)
		}
		s.Used("wiki", time.Now())
		s.Put(Record{Service: "gone", Run: run})
		s.Forget("gone")
	}
	s.close()
}

func TestPowerCutAtEveryWrite(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{0, 50} {
		t.Run(fmt.Sprintf("%d%% of the unsynced survives", percent), func(t *testing.T) {
			c := newCutter(t, percent)
			c.live(t, 1, 12, "ready")
			c.live(t, 100, 12, "ready") // recovery, too, is cut at every write
			t.Logf("%d power cuts", c.cuts)
			if c.cuts < 100 {
				t.Errorf("only %d power cuts", c.cuts)
			}
		})
	}
}

func TestPowerCutWhileTablesAreWritten(t *testing.T) {
	t.Parallel()
	c := newCutter(t, 0)
	for life := range uint64(4) { // each recovery makes a table of the log, two tables make one
		c.live(t, 1+100*life, 4, strings.Repeat("x", maxText))
	}
	tables, err := c.disk.List("state/store")
	if err != nil || !slices.ContainsFunc(tables, func(name string) bool { return strings.HasSuffix(name, ".sst") }) {
		t.Errorf("no table was written: %v, %v", tables, err)
	}
	t.Logf("%d power cuts", c.cuts)
}

// TestPowerCutWhileSettingAside: a broken store is in its place or beside it,
// and the one that takes its place is whole or not there.
func TestPowerCutWhileSettingAside(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{0, 50} {
		c := newCutter(t, percent)
		s := open(t, Options{FS: c.disk})
		s.keep(full("blog"))
		s.close()
		spoilManifest(t, c.disk)
		s = open(t, Options{FS: c.fs()})
		if len(s.Records()) != 0 {
			t.Errorf("got %+v", s.Records())
		}
		s.keep(full("shop"))
		c.ack("shop", full("shop").Run)
		s.keep(full("shop"))
		s.close()
		wantAside(t, c.disk, 1)
		if c.cuts < 10 {
			t.Errorf("only %d power cuts", c.cuts)
		}
	}
}

// spoilManifest puts garbage in the place of every manifest, and syncs it.
func spoilManifest(t *testing.T, disk vfs.FS) {
	t.Helper()
	names, err := disk.List("state/store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "MANIFEST-") {
			continue
		}
		f, err := disk.Create("state/store/"+name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(strings.Repeat("garbage", 100))); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if err := syncDir(disk, "state/store"); err != nil {
		t.Fatal(err)
	}
}

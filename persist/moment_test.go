package persist

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestMoment: what is put in a moment goes in one batch, after that moment; what is waited for goes at once, and takes
// the rest along.
func TestMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(Options{Dir: "state", FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(t.Context())
		batches := func() uint64 { synctest.Wait(); return s.writer.sequence }
		none := batches()
		for _, state := range []string{"starting", "ready", "stopping"} {
			s.Put(Record{Service: "a", State: state})
			if n := batches(); n != none {
				t.Fatalf("%s was written at once", state)
			}
			time.Sleep(gatherFor / 4)
		}
		time.Sleep(gatherFor / 4)
		if n := batches(); n != none+1 {
			t.Errorf("%d batches, want 1", n-none)
		}
		s.Put(Record{Service: "a", State: "stopped"})
		if err := s.PutSync(t.Context(), Record{Service: "b", State: "starting"}); err != nil {
			t.Error(err)
		}
		if n := batches(); n != none+2 {
			t.Errorf("%d batches, want 2", n-none)
		}
		time.Sleep(2 * gatherFor)
		if n := batches(); n != none+2 {
			t.Errorf("%d batches, want 2: there was nothing left to write", n-none)
		}
	})
}

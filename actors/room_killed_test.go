package actors

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"dynapm/actors/keeper"
)

// TestEngineOfTheRoomThatIsKilledDoesNothing: what goroutines of its runs go on to do reaches neither keeper nor store.
func TestEngineOfTheRoomThatIsKilledDoesNothing(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(1, dir)
		r.open(false)
		defer r.tearDown()
		r.line.cut()
		a := r.tenants[0]
		a.stored = []Last{{State: StateStarting, Run: 1}}
		if err := r.line.intend(context.Background(), Record{Service: a.name, State: StateStarting, Run: 1}); err == nil || a.durable != 0 {
			t.Errorf("its intent is on record: %v", err)
		}
		launched := make(chan error, 1)
		go func() {
			_, err := r.line.Launch(keeper.Command{Service: a.name, Run: 1, Role: keeper.RoleService})
			launched <- err
		}()
		synctest.Wait()
		if n := len(r.line.pending); n > 0 {
			t.Errorf("%d commands are under way to the keeper", n)
		}
		err := <-launched
		if !errors.Is(err, keeper.ErrClosed) || len(r.procs) > 0 {
			t.Errorf("the keeper has run %v for it: %v", r.procs, err)
		}
	})
}

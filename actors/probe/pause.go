package probe

import (
	"context"
	"sync"
	"time"
)

// napLimit is up to where a pause is a nap: about as long as the runtime may have
// to wait for it, though its signal to preempt a thread ends a nap.
const napLimit = 5 * time.Millisecond

// napping is held by the one waiter that naps. A nap keeps a slot of the
// scheduler, and there are few.
var napping sync.Mutex

// pause waits for d, and is false if ctx ended first.
//
// The pauses of a start are short and many. For the runtime to put a thread to
// sleep for a timer and to wake another when that fires costs many times the CPU
// of a try, while the service that is starting could use it.
// So a waiter naps instead, without telling the runtime, unless another one does.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= napLimit && napping.TryLock() {
		rawSleep(d)
		napping.Unlock()
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package loadtest

import (
	"context"
	"fmt"
	"time"
)

// herd wakes a sleeping service with many requests at once, again and again: each must be answered, and there must be
// one start.
func (r *run) herd(ctx context.Context) error {
	return r.rounds(ctx, ofLastOne, func(ctx context.Context, s *sleeper, one round) error {
		after, err := s.admin.inspect(ctx)
		if err != nil {
			return err
		}
		herd := Herd{r.clients, one.latency.TotalCount(), after.StartCount - one.before.StartCount, millis(one.latency.Max())}
		if herd.Starts != 1 {
			one.fail(fmt.Sprintf("%d starts for one herd", herd.Starts), time.Now(), 1)
		}
		s.herds = append(s.herds, herd)
		return nil
	})
}

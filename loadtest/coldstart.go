package loadtest

import "context"

// coldstart wakes a service again and again, with one request on a new connection each time.
func (r *run) coldstart(ctx context.Context) error {
	return r.rounds(ctx, ofAnswer, func(ctx context.Context, s *sleeper, one round) error {
		if one.failed == 0 {
			s.coldStarts = append(s.coldStarts, s.admin.breakDown(ctx, one.before.StartCount, millis(one.latency.Max())))
		}
		return nil
	})
}

// breakDown divides the time that the client saw, as far as the engine tells.
func (g *gateway) breakDown(ctx context.Context, before int, total float64) Cold {
	s, err := g.told(ctx, before)
	if err != nil {
		return Cold{Total: total}
	}
	return coldOf(s.LastStart, total)
}

// coldOf takes each step from the one before. What the engine did not see is part of the next; what is not in its
// clock at all is around it.
func coldOf(c *clock, total float64) Cold {
	out, last := Cold{Total: total, Known: true}, 0.0
	for _, step := range []struct {
		at   *float64
		into *float64
	}{{c.Launched, &out.Launch}, {c.Listening, &out.Listen}, {c.Ready, &out.Ready}, {c.Connected, &out.Connect}, {c.FirstByte, &out.FirstByte}} {
		if step.at != nil && *step.at > last {
			*step.into = *step.at - last
			last = *step.at
		}
	}
	out.Around = max(total-last, 0)
	return out
}

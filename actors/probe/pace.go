package probe

import "time"

// shortStep is the least pause between two tries. A service that is quick to start
// loses half of it.
const shortStep = 200 * time.Microsecond

const longStep = 20 * time.Millisecond

// step is the pause after a failed try, when the service has had elapsed to
// start: little of a start is waited away, and no CPU burnt on a slow starter.
func step(elapsed time.Duration) time.Duration {
	return min(max(shortStep, elapsed/50), longStep)
}

// expectantStep is step for a service that has taken as long as expected before, or
// longer: hardly a try until shortly before that, and often around it. One that has
// become quicker loses up to half of what it took before, once.
func expectantStep(elapsed, expected time.Duration) time.Duration {
	coming := expected - expected/10
	for _, at := range []time.Duration{coming / 2, coming} {
		if elapsed < at {
			return min(max(shortStep, at-elapsed), longStep)
		}
	}
	if elapsed < expected+expected/4 {
		return max(shortStep, min(expected/100, step(elapsed)))
	}
	return step(elapsed)
}

// gentleStep is step for tries that cost a process each.
func gentleStep(elapsed time.Duration) time.Duration {
	return min(max(20*time.Millisecond, elapsed/10), time.Second)
}

func (w *waiter) step(elapsed time.Duration) time.Duration {
	if w.check.Expected > 0 {
		return expectantStep(elapsed, w.check.Expected)
	}
	return step(elapsed)
}

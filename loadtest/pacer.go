package loadtest

import "time"

// A pacer says when the next request is due. It is pure: it knows neither clock nor connections, only how long the run
// has lasted and how many requests were taken before, and so a test can ask it anything.
type pacer interface {
	// pace gives the time, since the run began, at which the next request is due; ok is false if there is none.
	pace(elapsed time.Duration, taken int64) (due time.Duration, ok bool)
}

// bound ends a run: by its duration, by its number of requests, or by what comes first. 0 is no bound.
type bound struct {
	duration time.Duration
	requests int64
}

func (b bound) over(at time.Duration, taken int64) bool {
	return b.duration > 0 && at >= b.duration || b.requests > 0 && taken >= b.requests
}

// closedLoop has a request due whenever somebody can send one.
type closedLoop struct{ bound }

func (p closedLoop) pace(elapsed time.Duration, taken int64) (time.Duration, bool) {
	return elapsed, !p.over(elapsed, taken)
}

// constantRate has requests due at even distances, whether anybody can send them or not: the due time comes from the
// number alone. So what a server makes others wait is in the latency of all who waited.
type constantRate struct {
	bound
	rate float64 // requests per second
}

func (p constantRate) pace(_ time.Duration, taken int64) (time.Duration, bool) {
	// Not added up step by step: the error of a sum grows, this one does not.
	due := time.Duration(float64(taken) / p.rate * float64(time.Second))
	return due, !p.over(due, taken)
}

// Package admin is the HTTP API that the command line, dashboards and scripts use: DynaPM's, extended.
//
//	GET  /_dynapm/api/services              every service
//	GET  /_dynapm/api/services/NAME         one service, in detail
//	GET  /_dynapm/api/services/NAME/why     the last decisions about it, with their reasons
//	POST /_dynapm/api/services/NAME/start   200 once it is ready
//	POST /_dynapm/api/services/NAME/stop    200 once it is down; ?hold=true keeps it down until a start; 409 while
//	                                        another that is up depends on it
//	GET  /_dynapm/api/events                changes of state as server-sent events
//	POST /_dynapm/api/down                  stops every service and the engine; 200 once the services are down
//
// Anything else, a wrong method included, is 404. Times are in milliseconds, instants since the Unix epoch.
// The package knows nothing of services: it asks its Control.
package admin

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// What a Control may answer, beside errors that tell the cause in words. It may wrap them with the cause.
var (
	ErrNotFound     = errors.New("no such service")
	ErrAlreadyUp    = errors.New("the service is already running or starting")
	ErrNotUp        = errors.New("the service is not running")
	ErrNeeded       = errors.New("another service depends on it")
	ErrStartTimeout = errors.New("the service did not become ready in time")
)

// said is how the API, in DynaPM's words, says those errors.
var said = []struct {
	err    error
	status int
	text   string
}{
	{ErrNotFound, http.StatusNotFound, "Service not found"},
	{ErrAlreadyUp, http.StatusBadRequest, "Service is already running or starting"},
	{ErrNotUp, http.StatusBadRequest, "Service is not online"},
	{ErrNeeded, http.StatusConflict, "Service is needed by another"},
	{ErrStartTimeout, http.StatusServiceUnavailable, "Service start timeout"},
}

// Control is what the API needs of the engine. Its methods may be called from any goroutine.
type Control interface {
	// List gives every service in the order of the config.
	List(ctx context.Context) []Service
	// Inspect gives one service; ErrNotFound.
	Inspect(ctx context.Context, name string) (Detail, error)
	// Why gives the last decisions about one service; ErrNotFound.
	Why(ctx context.Context, name string) (Why, error)
	// Start returns once the service is ready; ErrNotFound, ErrAlreadyUp, ErrStartTimeout, or the cause.
	Start(ctx context.Context, name string) error
	// Stop returns once the service is down; with hold it stays down, whatever requests arrive, until a Start.
	// ErrNotFound, ErrNotUp, ErrNeeded, or the cause.
	Stop(ctx context.Context, name string, hold bool) error
	// Down stops every service and returns; the engine ends when the answer has been sent.
	Down(ctx context.Context) error
	// Events gives the changes of state from now on, until cancel is called. A reader that is too slow loses events.
	Events() (events <-chan Event, cancel func())
}

// Service is one entry of the list. Status has DynaPM's words (online, starting, stopping, offline), State ours.
type Service struct {
	Name              string   `json:"name"`
	Base              string   `json:"base"`
	Status            string   `json:"status"`
	State             string   `json:"state"`
	Uptime            int64    `json:"uptime"`         // ms in all runs, the present one included
	LastAccessTime    int64    `json:"lastAccessTime"` // 0: never
	ActiveConnections int      `json:"activeConnections"`
	Waiting           int      `json:"waiting"` // requests that wait for it to be ready
	IdleTimeout       int64    `json:"idleTimeout"`
	ProxyOnly         bool     `json:"proxyOnly"`
	Pid               int      `json:"pid,omitempty"`
	Routes            []string `json:"routes"`
	Since             int64    `json:"since"` // when it came into its state
	Held              bool     `json:"held"`
	Reason            string   `json:"reason,omitempty"`
	KeptUp            []string `json:"keptUp,omitempty"` // why it is up although no request asks, each in words
}

// Detail is one service in full.
type Detail struct {
	Service
	StartTimeout  int64       `json:"startTimeout"`
	HealthCheck   HealthCheck `json:"healthCheck"`
	DependsOn     []string    `json:"dependsOn,omitempty"`
	StartCount    int         `json:"startCount"`
	TotalUptime   int64       `json:"totalUptime"`             // ms in runs that have ended
	Overloaded    int         `json:"overloaded"`              // requests refused as too many waited, since the engine began
	MaxConcurrent int         `json:"maxConcurrent,omitempty"` // requests that it has at one time; 0: any number
	LastStart     *Start      `json:"lastStart,omitempty"`
	Ownership     *Ownership  `json:"ownership,omitempty"` // of a managed service that has a process
}

// Ownership is how the processes of a managed service are held together. Level is "cgroup" or, where no control group
// can be made, "group+subreaper+mark": process group and session, parenthood, and the mark in the environment.
type Ownership struct {
	Level  string `json:"level"`
	Cgroup string `json:"cgroup,omitempty"` // its directory
	Unmet  string `json:"unmet,omitempty"`  // which limits are not in force as a cgroup would have them, and why
}

// HealthCheck repeats the config's.
type HealthCheck struct {
	Type           string `json:"type"`
	URL            string `json:"url,omitempty"`
	ExpectedStatus string `json:"expectedStatus,omitempty"`
	Command        string `json:"command,omitempty"`
	Timeout        int64  `json:"timeout,omitempty"`
}

// Start is the clock of a start, in ms since it was asked for; what did not happen is absent. Connected and FirstByte
// are of the first request that waited for it.
type Start struct {
	At        int64    `json:"at"`
	Launched  *float64 `json:"launched,omitempty"`
	Listening *float64 `json:"listening,omitempty"`
	Ready     *float64 `json:"ready,omitempty"`
	Connected *float64 `json:"connected,omitempty"`
	FirstByte *float64 `json:"firstByte,omitempty"`
	Run       uint64   `json:"run,omitempty"`     // of a start that has ended
	Outcome   string   `json:"outcome,omitempty"` // ready, failed, timeout, interrupted or lost
}

// Why is how a service came to be as it is.
type Why struct {
	Service
	RetryAt     int64      `json:"retryAt,omitempty"` // until then requests are refused
	EngineSince int64      `json:"engineSince"`       // what was decided before is not known, but for the starts
	Decisions   []Decision `json:"decisions"`         // at most 50, the latest last
	Starts      []Start    `json:"starts"`            // those that have ended, at most 10, the latest last
}

// Decision is a change of state, or something worth knowing within one.
type Decision struct {
	At     int64  `json:"at"`
	State  string `json:"state"` // from then on
	Reason string `json:"reason"`
	Output string `json:"output,omitempty"` // the last lines of a process that failed
	Run    uint64 `json:"run,omitempty"`
	Pid    int    `json:"pid,omitempty"`
}

// Event is one change of state.
type Event struct {
	Service string    `json:"name"`
	Status  string    `json:"status"`
	State   string    `json:"state"`
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"-"`
}

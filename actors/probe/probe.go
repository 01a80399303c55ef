// Package probe finds out when a service can be used, and who holds its
// address when it cannot.
package probe

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Kind is the way a service is checked.
type Kind string

const (
	TCP     Kind = "tcp"     // something listens on the address
	HTTP    Kind = "http"    // and answers a request with an expected status
	Command Kind = "command" // a command of the user's succeeds
	None    Kind = "none"    // ready as soon as it is launched
)

// Check says when a service is ready. Zero fields have the defaults given.
type Check struct {
	Kind Kind // TCP
	// URL is asked by an HTTP check: "http://localhost:8000/health", or a path
	// alone, "/health". With a local host and no port, or the port of the
	// service's address, the address itself is asked. Default: "/".
	URL    string
	Method string // GET
	// Host replaces the Host field of the request, which is else the URL's.
	Host      string
	Header    http.Header
	StatusMin int           // 200
	StatusMax int           // StatusMin
	Command   string        // for messages; what runs it is given to Wait
	Timeout   time.Duration // of one try: 5 s
}

// Result is what Wait found.
type Result struct {
	Address   string    // the one that answered: "ip:port" or "unix:/path"
	Listening time.Time // of the first successful connect; zero if there was none
	Err       error     // nil: ready. Else the last failure, said for a person
}

// Wait tries until the check passes or ctx ends. Each of addresses is tried
// (see Candidates). run runs a command check once; it is nil for other kinds.
func Wait(ctx context.Context, addresses []string, check Check, run func(context.Context) error) Result {
	return Result{Err: errors.New("not ready")}
}

// Candidates returns the addresses under which the service at address may
// answer: for localhost, both loopbacks.
func Candidates(address string) ([]string, error) { return []string{address}, nil }

// Holder names the process that listens on address now.
func Holder(address string) (string, bool) { return "", false }

// Listening tells whether any process of this machine listens on address.
func Listening(address string) bool { return false }

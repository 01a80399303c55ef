// Package probe finds out when a service can be used, and who holds its
// address when it cannot.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Kind is the way a service is checked.
type Kind string

const (
	TCP     Kind = "tcp"     // something listens on the address, and takes connections
	HTTP    Kind = "http"    // and answers a request with an expected status
	GRPC    Kind = "grpc"    // and says that it is serving, by grpc.health.v1 in plain HTTP/2
	Redis   Kind = "redis"   // and answers PING
	Command Kind = "command" // a command of the user's succeeds
	Log     Kind = "log"     // its output has a line that matches
	Notify  Kind = "notify"  // it says so itself (sd_notify(3))
	None    Kind = "none"    // ready as soon as it is launched
)

// Check says when a service is ready. Zero fields have the defaults given.
type Check struct {
	Kind Kind // TCP
	// Port is where a TCP, GRPC or Redis check connects, at the host of the
	// service's address. Default: its port.
	Port int
	// URL is asked by an HTTP check: "http://localhost:8000/health", or a path
	// alone, "/health". With a local host, and no port or that of the
	// service's address, the address itself is asked. Default: "/".
	URL    string
	Method string // GET
	// Host replaces the Host field of the request, which is else the URL's.
	Host      string
	Header    http.Header
	TLS       *tls.Config    // of https; its ServerName is the URL's host where it is empty. nil: the system's authorities
	StatusMin int            // 200
	StatusMax int            // StatusMin
	Service   string         // that a GRPC check asks for; "": the whole server
	Password  string         // that a Redis check sends before; "": none
	Pattern   *regexp.Regexp // that a Log check looks for
	Output    string         // the file it reads, from its beginning
	// Said: what a Log or Notify check waits for is known to have been said, in a life of
	// which the output may be gone.
	Said    bool
	Command string        // for messages; what runs it is given to Wait
	Timeout time.Duration // of one try: 5 s
	// Connect has a TCP check make a connection each time, however sure the kernel is
	// that somebody listens.
	Connect bool
	// Expected is how long it has taken of late; 0: nobody knows. It is looked for all
	// the time, but most eagerly then.
	Expected time.Duration
}

func (c Check) withDefaults() Check {
	if c.Kind == "" {
		c.Kind = TCP
	}
	if c.URL == "" {
		c.URL = "/"
	}
	if c.Method == "" {
		c.Method = http.MethodGet
	}
	if c.StatusMin == 0 {
		c.StatusMin = http.StatusOK
	}
	if c.StatusMax == 0 {
		c.StatusMax = c.StatusMin
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	return c
}

// Result is what Wait found.
type Result struct {
	// Address is the one of the addresses that answered: "ip:port" or
	// "unix:/path". If none did, which a command or no check at all need not
	// mind, it is the first.
	Address   string
	Listening time.Time // of the first successful connect; zero if there was none
	Err       error     // nil: ready. Else the last failure, said for a person
	Decided   bool      // a try came to its end before its time was up; else Err tells nothing of the service
}

// Wait tries until the check passes or ctx ends. Each of addresses (see
// Candidates) is tried each time. run runs a command check once, or waits
// for what a Notify check is about; it is nil for other kinds.
func Wait(ctx context.Context, addresses []string, check Check, run func(context.Context) error) Result {
	w := newWaiter(addresses, check, run)
	defer w.close()
	try, pace := w.try()
	if try == nil {
		return w.result
	}
	began := time.Now()
	for {
		w.result.Err = w.once(ctx, try)
		if w.result.Err == nil {
			return w.result
		}
		elapsed := time.Since(began)
		if !pause(ctx, pace(elapsed)) {
			return w.result
		}
		w.insist(elapsed)
	}
}

// waiter is the state of one Wait.
type waiter struct {
	addresses []string
	check     Check
	run       func(context.Context) error
	result    Result
	output    output // of a Log check
	last      error  // of a try that was not cut off by the end of the wait

	absent   error         // what vain tries end with
	trusting bool          // this try believes the kernel that nobody listens, or somebody does
	insists  time.Duration // since the beginning: when the next try does not
}

func newWaiter(addresses []string, check Check, run func(context.Context) error) *waiter {
	w := &waiter{addresses: addresses, check: check.withDefaults(), run: run, trusting: true, insists: insistEvery,
		output: output{path: check.Output, pattern: check.Pattern}}
	if len(addresses) > 0 {
		w.result.Address = addresses[0]
	}
	return w
}

func (w *waiter) close() { w.output.close() }

// try returns how a try is made and how long is waited between two, or nil if
// none is needed.
func (w *waiter) try() (func(context.Context) error, func(time.Duration) time.Duration) {
	switch w.check.Kind {
	case TCP:
		return w.tryConnect, w.step
	case HTTP:
		return w.tryHTTP, w.step
	case GRPC:
		return w.tryGRPC, w.step
	case Redis:
		return w.tryRedis, w.step
	case Log:
		return w.tryLog, w.step
	case Notify:
		return w.tryNotify, w.step
	case Command:
		return w.tryCommand, gentleStep
	case None:
		return nil, nil
	default:
		unknown := fmt.Errorf("cannot check: there is no check of type %q", w.check.Kind)
		return func(context.Context) error { return unknown }, gentleStep
	}
}

// once makes one try within its own timeout. A try that was cut off by the end
// of the whole wait says nothing new; then the failure before it counts.
func (w *waiter) once(ctx context.Context, try func(context.Context) error) error {
	if w.vain() {
		w.result.Decided = true
		return w.last
	}
	inTime, cancel := context.WithTimeout(ctx, w.check.Timeout)
	defer cancel()
	err := try(inTime)
	w.result.Decided = w.result.Decided || inTime.Err() == nil
	if err != nil && ctx.Err() != nil && w.last != nil {
		return w.last
	}
	w.last = err
	return err
}

// tryConnect looks at each address, and passes with the first at which somebody
// listens.
func (w *waiter) tryConnect(ctx context.Context) error {
	var failures []error
	for _, address := range w.addresses {
		door := w.door(address)
		known := w.known(door)
		if known == somebody && !w.check.Connect {
			w.listens(address)
			return nil
		}
		s, err := reach(ctx, door, known)
		if err == nil {
			w.listens(address)
			s.close()
			return nil
		}
		failures = append(failures, err)
	}
	return summary(failures)
}

// door is where a check of address connects that looks at another port.
func (w *waiter) door(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil && w.check.Port != 0 {
		return net.JoinHostPort(host, strconv.Itoa(w.check.Port))
	}
	return address
}

func (w *waiter) listens(address string) {
	w.result.Address = address
	if w.result.Listening.IsZero() {
		w.result.Listening = time.Now()
	}
}

// tryNotify waits for the service to say that it is ready.
func (w *waiter) tryNotify(ctx context.Context) error {
	if !w.check.Said {
		if err := w.run(ctx); err != nil {
			return err
		}
	}
	return w.said(ctx)
}

// tryCommand runs the command. Beside that it looks which address to use and
// since when something listens there, without which the command may pass.
func (w *waiter) tryCommand(ctx context.Context) error {
	if w.result.Listening.IsZero() {
		_ = w.tryConnect(ctx)
	}
	if err := w.run(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%q did not end within %v", w.check.Command, w.check.Timeout)
		}
		return fmt.Errorf("%q failed: %w", w.check.Command, err)
	}
	if w.result.Listening.IsZero() {
		_ = w.tryConnect(ctx)
	}
	return nil
}

// summary makes one failure of those of all addresses. That one listens but
// does not answer well is worth more than that another does not listen.
func summary(failures []error) error {
	var closed []string
	for _, err := range failures {
		nobody, ok := errors.AsType[*nobodyListens](err)
		if !ok {
			return err
		}
		closed = append(closed, nobody.address)
	}
	if len(closed) == 0 {
		return errors.New("there is no address to check")
	}
	return &nobodyListens{address: strings.Join(closed, " or ")}
}

// nobodyListens is the failure of a service that has not come up yet.
type nobodyListens struct{ address string }

func (e *nobodyListens) Error() string { return "nothing listens on " + e.address }

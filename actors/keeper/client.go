package keeper

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"dynapm/actors/keeper/statedir"
)

// callTimeout bounds a request with all its repetitions, the start of another
// keeper included. It is longer than the keeper itself takes for a kill.
const callTimeout = 15 * time.Second

// Options says which keeper to open.
type Options struct {
	// Dir is the state directory. It is made with mode 0700 if missing.
	Dir string
	// Executable is the argv that runs Main; the keeper's own arguments are
	// appended: {"/path/dynapm", "keeper"}.
	Executable []string
	// OnExit is called once for each process that ended, from one goroutine,
	// in the order of the exits. It may be called before the Launch of an
	// instantly ended process has returned. The exits of a time without an
	// engine are delivered after Open.
	OnExit func(Exit)
	// OnReady is called, in the same way, for each process that has said that it
	// is ready (see Command.Notify); to a later engine it is told again.
	OnReady func(Process)
	Log     *slog.Logger
}

// Client is an engine's hold on the keeper of one state directory. If the
// keeper is killed it starts another, which takes over what still runs. Its
// methods may be called from any goroutine.
type Client struct {
	options Options
	dir     *statedir.Dir
	name    string // makes launch tokens unlike those of other engines
	exits   *deliveries
	closing chan struct{} // closed by Close and by a successful Shutdown
	parted  chan struct{} // closed when there is no connection any more
	close   sync.Once
	// steady is held by Shutdown, so that the keeper it sends away is not
	// taken for one that was lost.
	steady sync.Mutex

	mu      sync.Mutex
	link    *link         // nil while there is none
	linked  chan struct{} // closed while there is one
	reason  error         // of there being none
	numbers *numbers      // of the notices of the last keeper
	told    *numbers      // of the keeper that was told what to adopt
	kept    map[identity]Process
	tokens  uint64
}

// BusyError says that another engine has the keeper.
type BusyError struct {
	Pid int // of the other engine
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("another engine (pid %d) already runs with this state directory; stop it or use another stateDir", e.Pid)
}

// ErrEnded is returned by Signal for a process that is no longer kept: its
// Exit was delivered or is on its way.
var ErrEnded = errors.New("the process has ended")

// ErrLost is returned by Launch for a command of a delegated service that the
// keeper was asked for just when it was killed: it may have been run or not.
var ErrLost = errors.New("the keeper was lost meanwhile")

// ErrClosed is returned by all methods after Close.
var ErrClosed = errors.New("the keeper's client is closed")

// Open finds the keeper of o.Dir or starts one. It returns a *BusyError if
// another engine has it.
func Open(o Options) (*Client, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := statedir.Open(o.Dir)
	if err != nil {
		return nil, err
	}
	c := &Client{
		options: o, dir: dir, name: rand.Text(),
		exits:   newDeliveries(),
		closing: make(chan struct{}),
		parted:  make(chan struct{}),
		linked:  make(chan struct{}),
		kept:    make(map[identity]Process),
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	first, err := c.connect(ctx)
	if err != nil {
		dir.Close()
		return nil, err
	}
	go c.deliver()
	go c.maintain(first)
	return c, nil
}

// Launch starts a command. An error says, for a person, why it could not be
// executed.
func (c *Client) Launch(cmd Command) (Process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	l := cmd.wire()
	l.Token = c.token()
	var asked *link
	for {
		to, err := c.current(ctx)
		if err != nil {
			return Process{}, fmt.Errorf("cannot run %s: %w", cmd.Service, err)
		}
		if missing := cmd.asked(); missing != "" && to.version < accountProtocol {
			return Process{}, fmt.Errorf("cannot run %s: the keeper (pid %d) is of an older version, which has no %s; stop all services with `dynapm down` and start the engine again",
				cmd.Service, to.pid, missing)
		}
		if cmd.Notify && to.version < notifyProtocol {
			return Process{}, fmt.Errorf("cannot run %s: the keeper (pid %d) is of an older version, which does not hear services say that they are ready; stop all services with `dynapm down` and start the engine again",
				cmd.Service, to.pid)
		}
		l.Repeat = repetition(asked, to, cmd.Role)
		answer, err := to.ask(ctx, frame{Do: doLaunch, Launch: l})
		switch {
		case err == nil && answer.Process != nil:
			return *answer.Process, nil
		case errors.Is(err, errUnsent):
			continue
		case errors.Is(err, errLost):
			asked = to
			continue
		case err == nil:
			err = errors.New("the keeper's reply names no process")
		}
		return Process{}, err
	}
}

// repetition says how a launch is to be asked for on link to, after the
// connection asked broke before it replied. Whatever happened, the command
// must not run twice.
//
// The same keeper knows what became of it. A new one knows a service by its
// marks, and a start command while that runs; whether one was run that is not
// there nobody can tell, so it is given up, as are the other commands.
func repetition(asked, to *link, role Role) repeat {
	switch {
	case asked == nil:
		return first
	case asked.numbers == to.numbers || role != RoleService:
		return find
	default:
		return findOrRun
	}
}

func (c *Client) token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens++
	return fmt.Sprintf("%s-%d", c.name, c.tokens)
}

// Signal sends sig to the whole process group of p, and for RoleService to
// every descendant that left the group. With SIGKILL it returns once none of
// them is left. p may be any copy; Pid and StartTime name it.
func (c *Client) Signal(p Process, sig syscall.Signal) error {
	if sig != 0 && sig != syscall.SIGKILL {
		c.noteAsked(p)
	}
	_, err := c.ask(frame{Do: doSignal, Process: &p, Signal: sig})
	return err
}

// List returns what the keeper keeps, in the order of launch.
func (c *Client) List() ([]Process, error) {
	answer, err := c.ask(frame{Do: doList})
	return answer.Processes, err
}

// Adopt makes the keeper keep what an engine knows to have been launched under
// an earlier one, less what has ended since. By itself a keeper knows what it has
// not launched by its marks alone: not what has overwritten them.
// Of each it takes Service, Run, Role, Pid and StartTime.
func (c *Client) Adopt(list []Process) error {
	var there []Process
	for _, p := range list {
		if stat, ok := readStat(p.Pid); ok && stat.alive() && stat.start == p.StartTime {
			p.Started = timeOf(p.StartTime)
			there = append(there, p)
		}
	}
	if len(there) == 0 {
		return nil
	}
	c.remember(there...) // first: the notice of an end may be the next frame
	_, err := c.ask(frame{Do: doAdopt, Processes: there})
	return err
}

// ask makes a request that does no harm if it is made twice.
func (c *Client) ask(f frame) (frame, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	for {
		to, err := c.current(ctx)
		if err != nil {
			return frame{}, err
		}
		answer, err := to.ask(ctx, f)
		if !errors.Is(err, errLost) {
			return answer, err
		}
	}
}

// Shutdown makes the keeper leave, and returns when it has; the client is
// closed then. It is an error while the keeper still keeps something.
func (c *Client) Shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	for {
		to, err := c.current(ctx)
		if err != nil {
			return err
		}
		if err = c.sendAway(ctx, to); !errors.Is(err, errLost) {
			return err
		}
	}
}

func (c *Client) sendAway(ctx context.Context, to *link) error {
	c.steady.Lock()
	defer c.steady.Unlock()
	if _, err := to.ask(ctx, frame{Do: doShutdown}); err != nil {
		return err
	}
	if err := to.untilGone(ctx); err != nil {
		return err
	}
	c.close.Do(func() { close(c.closing) })
	return nil
}

// Close leaves the keeper, and whatever it keeps, running. An OnExit that has
// not yet been called is called by the next engine's client instead.
func (c *Client) Close() error {
	c.close.Do(func() { close(c.closing) })
	// Until the connection is closed the keeper would take the next engine for
	// a second one.
	<-c.parted
	return nil
}

func (c *Client) isClosed() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

// current returns the connection with the keeper, and waits for one while the
// keeper is being found again.
func (c *Client) current(ctx context.Context) (*link, error) {
	for {
		if c.isClosed() {
			return nil, ErrClosed
		}
		c.mu.Lock()
		to, linked, reason := c.link, c.linked, c.reason
		c.mu.Unlock()
		if to != nil {
			return to, nil
		}
		select {
		case <-linked:
		case <-c.closing:
		case <-ctx.Done():
			return nil, fmt.Errorf("the keeper cannot be reached: %w", errors.Join(ctx.Err(), reason))
		}
	}
}

// remembered returns what the keeper was last known to keep, eldest first.
func (c *Client) remembered() []Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.kept), func(a, b Process) int { return a.Started.Compare(b.Started) })
}

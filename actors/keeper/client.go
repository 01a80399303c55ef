package keeper

import (
	"errors"
	"fmt"
	"log/slog"
	"syscall"
)

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
	Log    *slog.Logger
}

// Client is an engine's hold on the keeper of one state directory. Its methods
// may be called from any goroutine.
type Client struct{}

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

var errNotOpen = errors.New("the keeper is not open")

// Open finds the keeper of o.Dir or starts one. It returns a *BusyError if
// another engine has it.
func Open(o Options) (*Client, error) { return nil, errNotOpen }

// Launch starts a command. An error says, for a person, why it could not be
// executed.
func (c *Client) Launch(cmd Command) (Process, error) { return Process{}, errNotOpen }

// Signal sends sig to the whole process group of p, and for RoleService to
// every descendant that left the group. With SIGKILL it returns once none of
// them is left. p may be any copy; Pid and StartTime name it.
func (c *Client) Signal(p Process, sig syscall.Signal) error { return errNotOpen }

// List returns what the keeper keeps, in the order of launch.
func (c *Client) List() ([]Process, error) { return nil, errNotOpen }

// Shutdown makes the keeper leave and returns when it has. It is an error
// while the keeper still keeps something.
func (c *Client) Shutdown() error { return errNotOpen }

// Close leaves the keeper, and whatever it keeps, running.
func (c *Client) Close() error { return nil }

package actors

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"dynapm/actors/keeper"

	"golang.org/x/sys/unix"
)

// children are the processes of one service that are in the keeper's care: it
// brings together what Launch returns and what OnExit tells, whichever comes
// first.
type children struct {
	keeper Keeper

	mu        sync.Mutex
	alive     map[identity]*child
	launching int               // calls of Launch that have not returned
	early     []keeper.Exit     // of processes that are not known yet, while launching
	spoke     map[identity]bool // said that they are ready, and are not known yet
}

// identity names a process for good: a pid alone may be used again.
type identity struct {
	pid   int
	start uint64
}

// child is one process, until its exit was told.
type child struct {
	keeper.Process
	found bool          // not launched by this engine
	ready chan struct{} // closed when it has said that it is ready
	done  chan struct{} // closed at the exit
	exit  keeper.Exit   // to be read after done
}

func newChildren(k Keeper) *children {
	return &children{keeper: k, alive: map[identity]*child{}, spoke: map[identity]bool{}}
}

// launch runs a command. It waits for the keeper, not for the command.
func (c *children) launch(cmd keeper.Command) (*child, error) {
	c.mu.Lock()
	c.launching++
	c.mu.Unlock()
	p, err := c.keeper.Launch(cmd)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.launching--
	early := c.early
	if c.launching == 0 {
		c.early = nil
	}
	if err != nil {
		return nil, err
	}
	ch := c.add(p, false)
	for _, e := range early {
		c.end(e)
	}
	return ch, nil
}

// find takes in a process of an earlier engine. Its exit may have been told
// before, when nobody knew it.
func (c *children) find(p keeper.Process) *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.add(p, true)
}

func (c *children) add(p keeper.Process, found bool) *child {
	id := identity{p.Pid, p.StartTime}
	ch := &child{Process: p, found: found, ready: make(chan struct{}), done: make(chan struct{})}
	c.alive[id] = ch
	if p.Ready || c.spoke[id] {
		close(ch.ready)
		delete(c.spoke, id)
	}
	return ch
}

// speaks takes what a process says of itself: that it is ready. It may be heard
// before the process is known, and more than once.
func (c *children) speaks(p keeper.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := identity{p.Pid, p.StartTime}
	ch := c.alive[id]
	switch {
	case ch == nil:
		c.spoke[id] = true
	case !ch.isReady():
		close(ch.ready)
	}
}

// exited takes what the keeper tells.
func (c *children) exited(e keeper.Exit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.end(e) && c.launching > 0 {
		c.early = append(c.early, e)
	}
}

// end is false if the process is not known.
func (c *children) end(e keeper.Exit) bool {
	id := identity{e.Pid, e.StartTime}
	ch := c.alive[id]
	if ch == nil {
		return false
	}
	delete(c.alive, id)
	ch.exit = e
	close(ch.done)
	return true
}

// signal is keeper.ErrEnded for a process that has ended; 0 only asks.
func (c *children) signal(ch *child, s syscall.Signal) error {
	err := c.keeper.Signal(ch.Process, s)
	if ch.found && errors.Is(err, keeper.ErrEnded) {
		c.lost(ch)
	}
	return err
}

// lost ends a child of which the keeper knows no more: its exit may have been
// told when nobody knew it.
func (c *children) lost(ch *child) {
	c.exited(keeper.Exit{Process: ch.Process, Unknown: true})
}

func (ch *child) isReady() bool {
	select {
	case <-ch.ready:
		return true
	default:
		return false
	}
}

// hasEnded tells whether the exit was told.
func (ch *child) hasEnded() bool {
	select {
	case <-ch.done:
		return true
	default:
		return false
	}
}

// exitText says how a process ended.
func exitText(e keeper.Exit) string {
	text := fmt.Sprintf("exited with status %d", e.Code)
	switch {
	case e.Unknown:
		text = "ended, its exit status is lost"
	case e.Signal != 0:
		text = "ended by " + signalName(e.Signal)
	}
	if e.OutOfMemory {
		text += ", out of memory"
	}
	return text
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

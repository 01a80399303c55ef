package actors

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"time"

	"dynapm/actors/keeper"
	"dynapm/actors/probe"
)

// output is the file that gets what the service and its commands print.
func (c *common) output() string {
	return filepath.Join(c.v.system.options.LogDir, c.v.Name()+".log")
}

// outputOf is output, but for checks: they run often, and would drown the rest.
func (c *common) outputOf(role keeper.Role) string {
	if role == keeper.RoleCheck {
		return filepath.Join(c.v.system.options.LogDir, c.v.Name()+".check.log")
	}
	return c.output()
}

// shell is the command that runs a line of the user's config.
func (c *common) shell(role keeper.Role, line string) keeper.Command {
	dir, env := c.v.spec.place()
	logs := c.v.spec.Logs
	if role == keeper.RoleCheck {
		logs.Keep = 1
	}
	return keeper.Command{
		Service: c.v.Name(), Run: uint64(c.run), Role: role, Argv: []string{"/bin/sh", "-c", line},
		Dir: dir, Env: env, Output: c.outputOf(role), Rotate: role != keeper.RoleStop,
		As: c.v.spec.As, Umask: c.v.spec.Umask, Logs: logs,
	}
}

// place is where and with what environment commands run.
func (s *Spec) place() (dir string, env []string) {
	if s.Managed != nil {
		return s.Managed.Dir, s.Managed.Env
	}
	return s.Delegated.Dir, s.Delegated.Env
}

// errStatusLost is of a command whose keeper was killed: it has ended, and nobody
// knows how.
var errStatusLost = errors.New("its exit status is lost")

// errKilled is of a command that took too long, which says nothing.
var errKilled = errors.New("did not end in time and was killed")

// notRun is of a command that could not be executed, or that nobody knows of
// whether it was.
type notRun struct{ error }

func (e *notRun) Unwrap() error { return e.error }

// saysNothing tells whether the failure of a check is none of the service's: it
// was not run, or not to its end, or ended as nobody knows.
func saysNothing(err error) bool {
	_, missing := errors.AsType[*notRun](err)
	return missing || errors.Is(err, errStatusLost) || errors.Is(err, errKilled)
}

// command runs a line to its end. If ctx ends first it is killed.
func (c *common) command(ctx context.Context, role keeper.Role, line string) error {
	cmd := c.shell(role, line)
	var from int64
	if !cmd.Rotate {
		from = size(cmd.Output)
	}
	ch, err := c.v.children.launch(cmd)
	if err != nil {
		return &notRun{err}
	}
	select {
	case <-ch.done:
	case <-ctx.Done():
		c.v.children.signal(ch, syscall.SIGKILL)
		return fmt.Errorf("the %s command %w", role, errKilled)
	}
	switch {
	case ch.exit.Unknown:
		return fmt.Errorf("the %s command: %w", role, errStatusLost)
	case ch.exit.Code == 0 && ch.exit.Signal == 0:
		return nil
	}
	return errors.New(withTail(fmt.Sprintf("the %s command %s", role, exitText(ch.exit)), cmd.Output, from))
}

// listenDial bounds the question whether somebody listens whom this machine does not know of.
const listenDial = time.Second

// listens tells whether anybody listens at the address of a service. The system
// knows it of this machine; of another, or of a container with an address of its
// own, only a connection tells.
func listens(address string) bool {
	if probe.Listening(address) {
		return true
	}
	candidates, err := probe.Candidates(address)
	if err != nil {
		return false
	}
	for _, candidate := range candidates {
		ip, err := netip.ParseAddrPort(candidate)
		if err != nil || ip.Addr().IsLoopback() || ip.Addr().IsUnspecified() {
			continue
		}
		if conn, err := net.DialTimeout("tcp", candidate, listenDial); err == nil {
			conn.Close()
			return true
		}
	}
	return false
}

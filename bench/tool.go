package main

import (
	"context"
	"os/exec"
	"syscall"
)

// tool makes a command, such as go or git, that is asked to end when the run is broken off, and all that it has started
// with it: killed, it would leave what it builds in its temporary directory, and the programs that it runs. It has a
// process group of its own, so that the terminal's Ctrl-C does not reach it a second time.
func tool(ctx context.Context, name string, args ...string) *exec.Cmd {
	t := exec.CommandContext(ctx, name, args...)
	t.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	t.Cancel = func() error { return syscall.Kill(-t.Process.Pid, syscall.SIGINT) }
	t.WaitDelay = stopPatience
	return t
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// runGet is the role of the client of the shell loop: one GET, and whether it was answered.
func runGet(args []string) error {
	address, err := netip.ParseAddrPort(args[0])
	if err == nil {
		err = getOnce(address, "bench.test")
	}
	if err == nil {
		os.Exit(exitDone)
	}
	return err
}

// directly starts the command of a case as the engine does, in a session of its own, and asks until it answers. What the
// command itself uses of the CPU is what the gateways' use is to be compared with: a machine that is slow at starting
// programs is so for both.
func (s *site) directly(ctx context.Context, at int) (start coldStart, err error) {
	argv := s.coldCommand(at)
	if s.coldCases[at].form == formShell {
		argv = []string{"/bin/sh", "-c", argv[0]}
	}
	began := time.Now()
	pid, err := s.spawn(argv)
	if err != nil {
		return start, err
	}
	limited, cancel := within(ctx, startPatience, "no answer")
	defer cancel()
	err = getUntil(limited, s.cold[at])
	start.took = time.Since(began)
	if s.coldCases[at].form == formContainer {
		err = errors.Join(err, s.stopContainer(ctx, at))
	}
	unix.Kill(-pid, unix.SIGKILL)
	start.spent.gateway, _ = reap(pid)
	return start, err
}

// retryStep is what a client waits that asks until it is answered.
const retryStep = 100 * time.Microsecond

func getUntil(ctx context.Context, address netip.AddrPort) error {
	for {
		err := getOnce(address, "bench.test")
		if err == nil || !errors.Is(err, unix.ECONNREFUSED) {
			return err
		}
		if ctx.Err() != nil {
			return why(ctx)
		}
		unix.Nanosleep(&unix.Timespec{Nsec: retryStep.Nanoseconds()}, nil)
	}
}

// within is a context that ends after some time; what has not come to be by then is said by why.
func within(ctx context.Context, patience time.Duration, what string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s within %s", what, patience))
}

// why a context ended: the user broke it off, or its time was over.
func why(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errInterrupted
	}
	return context.Cause(ctx)
}

// inShellLoop is what people write who have no gateway: start it, and ask again every 10 ms. It is over when the shell is,
// which is ended if nothing answers.
func (s *site) inShellLoop(ctx context.Context, at int) (start coldStart, err error) {
	limited, cancel := within(ctx, startPatience, "no answer")
	defer cancel()
	start.took, err = s.untilAnswered(limited, at)
	if s.coldCases[at].form == formContainer {
		err = errors.Join(err, s.stopContainer(ctx, at))
	}
	return start, errors.Join(err, untilFree(ctx, s.cold[at]))
}

// untilAnswered runs the shell, and kills what is left of its session.
func (s *site) untilAnswered(ctx context.Context, at int) (time.Duration, error) {
	command := strings.Join(s.coldCommand(at), " ")
	if s.coldCases[at].form == formShell {
		command = "sh -c '" + command + "'"
	}
	script := fmt.Sprintf("%s & until %s=get %s %s; do sleep 0.01; done", command, roleSwitch, s.self, s.cold[at])
	began := time.Now()
	pid, err := s.spawn([]string{"/bin/sh", "-c", script})
	if err != nil {
		return 0, err
	}
	kill := func() { unix.Kill(-pid, unix.SIGKILL) }
	keep := context.AfterFunc(ctx, kill)
	_, err = reap(pid)
	took := time.Since(began)
	if !keep() {
		err = why(ctx)
	}
	kill()
	return took, err
}

// untilFree returns when nothing listens at address: what the shell has left behind is nobody's to wait for.
func untilFree(ctx context.Context, address netip.AddrPort) error {
	ctx, cancel := within(ctx, stopPatience, fmt.Sprintf("the service at %s does not end", address))
	defer cancel()
	for {
		err := getOnce(address, "bench.test")
		if errors.Is(err, unix.ECONNREFUSED) {
			return nil
		}
		if ctx.Err() != nil {
			return why(ctx)
		}
		unix.Nanosleep(&unix.Timespec{Nsec: int64(time.Millisecond)}, nil)
	}
}

// spawn executes a command with nothing to read and nowhere to print, in a session of its own. It does not outlive us.
func (s *site) spawn(argv []string) (pid int, err error) {
	null := s.null.Fd()
	return syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Dir: s.dir, Env: os.Environ(), Files: []uintptr{null, null, null},
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}})
}

// reap waits for the end of a child, and returns what it has used of the CPU.
func reap(pid int) (used time.Duration, err error) {
	var usage unix.Rusage
	err = again(func() error { _, err := unix.Wait4(pid, nil, 0, &usage); return err })
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), err
}

// again repeats a system call that a signal has interrupted: the runtime sends itself some.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// getOnce makes a connection and a GET on it, and returns at the first bytes of a reply, which must be good.
func getOnce(address netip.AddrPort, host string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 30})
	if err := unix.Connect(fd, socketAddress(address)); err != nil {
		return err
	}
	if _, err := unix.Write(fd, fmt.Appendf(nil, "GET /small HTTP/1.1\r\nHost: %s\r\n\r\n", host)); err != nil {
		return err
	}
	var reply [4096]byte
	var n int
	err = again(func() (err error) { n, err = unix.Read(fd, reply[:]); return err })
	if err == nil && n == 0 {
		return errors.New("closed before a reply")
	}
	if err == nil && !bytes.HasPrefix(reply[:max(n, 0)], []byte("HTTP/1.1 200 ")) {
		err = errors.New("status " + statusOf(reply[:max(n, 0)]))
	}
	return err
}

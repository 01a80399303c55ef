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
func (t *coldTimes) directly(ctx context.Context, at int) (time.Duration, error) {
	s := t.site
	argv := s.coldCommand(at)
	if s.coldCases[at].form == formShell {
		argv = []string{"/bin/sh", "-c", argv[0]}
	}
	began := time.Now()
	pid, err := s.spawn(argv)
	if err != nil {
		return 0, err
	}
	err = getUntil(ctx, s.cold[at])
	took := time.Since(began)
	if s.coldCases[at].form == formContainer {
		err = errors.Join(err, s.stopContainer(ctx, at))
	}
	unix.Kill(-pid, unix.SIGKILL)
	used, _ := reap(pid)
	t.spent.gateway += used
	return took, err
}

// retryStep is what a client waits that asks until it is answered.
const retryStep = 100 * time.Microsecond

func getUntil(ctx context.Context, address netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		err := getOnce(address, "bench.test")
		if err == nil || !errors.Is(err, unix.ECONNREFUSED) {
			return err
		}
		if ctx.Err() != nil {
			return errInterrupted
		}
		unix.Nanosleep(&unix.Timespec{Nsec: retryStep.Nanoseconds()}, nil)
	}
}

// inShellLoop is what people write who have no gateway: start it, and ask again every 10 ms. It is over when the shell is.
func (s *site) inShellLoop(ctx context.Context, at int) (time.Duration, error) {
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
	_, err = reap(pid)
	took := time.Since(began)
	unix.Kill(-pid, unix.SIGKILL)
	if s.coldCases[at].form == formContainer {
		err = errors.Join(err, s.stopContainer(ctx, at))
	}
	return took, errors.Join(err, untilFree(ctx, s.cold[at]))
}

// untilFree returns when nothing listens at address: what the shell has left behind is nobody's to wait for.
func untilFree(ctx context.Context, address netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	for {
		err := getOnce(address, "bench.test")
		if errors.Is(err, unix.ECONNREFUSED) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the service at %s does not end", address)
		}
		unix.Nanosleep(&unix.Timespec{Nsec: int64(time.Millisecond)}, nil)
	}
}

// spawn executes a command with nothing to read and nowhere to print, in a session of its own.
func (s *site) spawn(argv []string) (pid int, err error) {
	null := s.null.Fd()
	return syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Dir: s.dir, Env: os.Environ(), Files: []uintptr{null, null, null},
		Sys: &syscall.SysProcAttr{Setsid: true}})
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

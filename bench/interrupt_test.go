package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// signalling makes a program that tells its process and then does what script says. began waits for it, and is a
// descriptor of that process.
func signalling(t *testing.T, script string) (program string, began func() int) {
	t.Helper()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "began")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho $$ >"+fifo+"\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, func() int { return processAt(t, fifo) }
}

// processAt opens the process whose number comes out of a fifo.
func processAt(t *testing.T, fifo string) int {
	data, err := os.ReadFile(fifo)
	if err != nil {
		t.Error(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Errorf("process %d: %v", pid, err)
	}
	return fd
}

// hasEnded waits for a process to end, and kills one that does not.
func hasEnded(t *testing.T, pidfd int) {
	t.Helper()
	defer unix.Close(pidfd)
	ended := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	again(func() error { _, err := unix.Poll(ended, int(startPatience.Milliseconds())); return err })
	if ended[0].Revents == 0 {
		t.Error("what was started is left")
		unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
	}
}

// TestMicroInterrupted: micro-benchmarks that are broken off leave neither their program nor what go has built.
func TestMicroInterrupted(t *testing.T) {
	tree, temp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Chdir(tree)
	fifo := filepath.Join(tree, "began")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(tree, "go.mod"), "module endless\n\ngo 1.26.0\n")
	write(t, filepath.Join(tree, "room", "room_test.go"), fmt.Sprintf(endless, fifo))
	ctx, cancel := context.WithCancel(t.Context())
	program := make(chan int, 1)
	go func() {
		defer cancel()
		program <- processAt(t, fifo)
	}()
	if err := microMain(ctx, []string{"-rounds", "1"}); err != errInterrupted {
		t.Fatalf("it ended with: %v", err)
	}
	hasEnded(t, <-program)
	if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

const endless = `package room

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func BenchmarkEndless(b *testing.B) {
	if err := os.WriteFile(%q, fmt.Append(nil, os.Getpid()), 0); err != nil {
		b.Fatal(err)
	}
	time.Sleep(10 * time.Minute)
}
`

// TestCompareInterrupted: rounds that were whole when a comparison is broken off are kept, and what is not whole is not.
func TestCompareInterrupted(t *testing.T) {
	stays, began := signalling(t, "exec sleep 600")
	program := filepath.Join(t.TempDir(), "program")
	first := "if mkdir once 2>/dev/null; then echo 'BenchmarkRoom 1 10 ns/op'; else exec " + stays + "; fi"
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+first+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := comparing{rounds: 6, length: "1x", report: t.TempDir()}
	for _, name := range []string{"base", "head"} {
		root := t.TempDir()
		write(t, filepath.Join(root, "room", "empty"), "")
		c.sides = append(c.sides, &side{name: name, root: root, programs: map[string]string{"room": program}})
	}
	ctx, cancel := context.WithCancel(t.Context())
	pidfd := make(chan int, 1)
	go func() {
		defer cancel()
		pidfd <- began()
	}()
	err := c.measure(ctx)
	if err == nil {
		t.Fatal("it was not broken off")
	}
	hasEnded(t, <-pidfd)
	for _, s := range c.sides {
		if len(s.rounds) != 1 || !strings.Contains(s.rounds[0], "10 ns/op") {
			t.Errorf("%s: %q", s.name, s.rounds)
		}
	}
	c.dir = t.TempDir()
	if err := c.brokenOff(ctx, err); !errors.Is(err, errInterrupted) || errors.Is(err, errSlower) {
		t.Errorf("it ended with: %v", err)
	}
	for _, name := range []string{"base", "head"} {
		if data, err := os.ReadFile(filepath.Join(c.report, "compare-"+name+".txt")); string(data) != c.sides[0].rounds[0] {
			t.Errorf("%s keeps %q, %v", name, data, err)
		}
	}
	c.sides[0].rounds, c.sides[1].rounds = nil, nil
	if err := c.brokenOff(ctx, err); err != errInterrupted {
		t.Errorf("without a whole round: %v", err)
	}
}

// TestSecondSignal: whoever does not want to wait for what does not end says so once more.
func TestSecondSignal(t *testing.T) {
	engine, began := signalling(t, "trap '' INT\nexec sleep 600")
	bench := exec.Command(os.Args[0], "-only", ourName, "-scenario", "small", "-engine", engine)
	bench.Env = append(os.Environ(), mainSwitch+"=1", "TMPDIR="+t.TempDir())
	says, err := bench.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bench.Start(); err != nil {
		t.Fatal(err)
	}
	pidfd := began()
	defer func() {
		unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		unix.Close(pidfd)
	}()
	bench.Process.Signal(os.Interrupt)
	for lines := bufio.NewScanner(says); lines.Scan(); {
		if strings.Contains(lines.Text(), "once more") {
			bench.Process.Signal(os.Interrupt)
		}
	}
	bench.Wait()
	if status := bench.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", bench.ProcessState)
	}
}

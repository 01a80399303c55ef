package keeper

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary is also the keeper, an engine, and every service.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "hasty-keeper": // one that gives up soon
			becomeTimeout = time.Second
			fallthrough
		case "bare-keeper": // on a system that has no cgroups
			procSelf = "/nowhere"
			fallthrough
		case "keeper":
			os.Exit(Main(os.Args[2:]))
		case "service":
			os.Exit(service(os.Args[2], os.Args[3:]))
		case "engine":
			os.Exit(otherEngine(os.Args[2]))
		}
	}
	// A binary with the race detector lingers for a second at its exit, which
	// here is many exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	os.Exit(m.Run())
}

// self is the argv of the test binary as a service.
func self(mode string, args ...string) []string {
	return append([]string{executable, "service", mode}, args...)
}

var executable = func() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}()

// service is what a launched child does.
func service(mode string, args []string) int {
	switch mode {
	case "exit":
		code, _ := strconv.Atoi(args[0])
		return code
	case "pause":
		fmt.Println("up")
		pause()
	case "ignore-term":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("up")
		pause()
	case "notify":
		notifies(args[0], args[1])
		pause()
	case "notifychild":
		cmd := &os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}, Sys: &syscall.SysProcAttr{Setsid: true}}
		if _, err := os.StartProcess(executable, self("notify", args...), cmd); err != nil {
			panic(err)
		}
		pause()
	case "output":
		n, _ := strconv.Atoi(args[0])
		os.Stdout.Write(bytes.Repeat([]byte("0123456789abcdef"), n/16))
	case "count": // count N: that many numbered lines, while it is rotated
		n, _ := strconv.Atoi(args[0])
		for i := range n {
			fmt.Printf("line %d\n", i)
		}
		pause()
	case "stderr":
		fmt.Fprintln(os.Stderr, args[0])
	case "look":
		look()
	case "child":
		// child HOW WHAT [exit]: starts another process and stays, or leaves.
		fmt.Println("child", beget(args[0], args[1]))
		if len(args) == 2 {
			pause()
		}
	}
	return 0
}

func pause() {
	for {
		unix.Pause()
	}
}

// beget starts the mode what in the group of this process, in a session of
// its own, or as a daemon does, and returns its pid.
func beget(how, what string) int {
	attr := &os.ProcAttr{Dir: "/", Env: os.Environ(), Files: []*os.File{nil, os.Stdout, os.Stderr}}
	argv := self(what)
	switch how {
	case "session":
		attr.Sys = &syscall.SysProcAttr{Setsid: true}
	case "unmarked-session":
		attr.Sys = &syscall.SysProcAttr{Setsid: true}
		attr.Env = []string{}
	case "daemon", "unmarked-daemon":
		attr.Sys = &syscall.SysProcAttr{Setsid: true}
		argv = self("child", "group", what, "exit")
	}
	if how == "unmarked-daemon" {
		attr.Env = []string{}
	}
	p, err := os.StartProcess(executable, argv, attr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if strings.HasSuffix(how, "daemon") {
		p.Wait() // the one in between; then the daemon is the subreaper's
	}
	return p.Pid
}

// look prints what a service finds itself in.
func look() {
	dir, _ := os.Getwd()
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	sid, _ := unix.Getsid(0)
	fmt.Printf("dir=%s\nleader=%t\nhard=%d\nslack=%d\n", dir, sid == os.Getpid() && unix.Getpgrp() == os.Getpid(), limit.Max, givenSlack)
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "SigBlk") {
			fmt.Print(strings.ReplaceAll(line, "\t", ""))
		}
	}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		fd, _ := strconv.Atoi(entry.Name())
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			path, _ := os.Readlink("/proc/self/fd/" + entry.Name())
			fmt.Printf("fd%d=%s\n", fd, path)
		}
	}
	for _, kv := range os.Environ() {
		fmt.Println("env", kv)
	}
}

// otherEngine opens the keeper of dir, launches a service there, and stays
// until it is killed.
func otherEngine(dir string) int {
	c, err := Open(Options{Dir: dir, Executable: []string{executable, "keeper"}, OnExit: func(Exit) {}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for run, argv := range [][]string{self("pause"), self("child", "session", "pause")} {
		if _, err := c.Launch(Command{Service: "left", Run: uint64(run) + 1, Role: RoleService, Argv: argv}); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("up")
	pause()
	return 0
}

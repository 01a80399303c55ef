package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"dynapm/actors/keeper"
	"dynapm/actors/probe"
)

// The test binary is also the keeper and every service.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "keeper":
			os.Exit(keeper.Main(os.Args[2:]))
		case "service":
			os.Exit(beService(os.Args[2], os.Args[3:]))
		}
	}
	// A binary with the race detector lingers for a second at its exit, which
	// here is many exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	os.Exit(m.Run())
}

// self is the argv of the test binary as a service.
func self(how string, args ...string) []string {
	executable, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return append([]string{executable, "service", how}, args...)
}

// beService is what a launched child does.
func beService(how string, args []string) int {
	switch how {
	case "serve": // ADDRESS
		signal.Reset()
		return serve(args[0])
	case "stubborn": // ADDRESS: serves, and ignores SIGTERM
		signal.Ignore(syscall.SIGTERM)
		return serve(args[0])
	case "late": // ADDRESS FILE: serves once there is the file
		untilThere(args[1])
		return serve(args[0])
	case "speak": // ADDRESS FILE: serves, and says so once there is the file
		go func() {
			untilThere(args[1])
			fmt.Println("now it is ready")
		}()
		return serve(args[0])
	case "notify": // ADDRESS FILE: serves, and notifies so once there is the file
		go func() {
			untilThere(args[1])
			conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
			if err != nil {
				panic(err)
			}
			conn.Write([]byte("STATUS=all is well\nREADY=1"))
		}()
		return serve(args[0])
	case "deaf": // ADDRESS FILE: serves until there is the file, and lives on
		l, err := net.Listen("tcp", args[0])
		if err != nil {
			return 1
		}
		untilThere(args[1])
		l.Close()
		select {}
	case "silent": // never listens
		fmt.Println("thinking about it")
		select {}
	case "crash": // STATUS
		fmt.Println("cannot find my config")
		fmt.Println("giving up")
		status, _ := strconv.Atoi(args[0])
		return status
	case "once": // ADDRESS: serves one connection and dies
		l, err := net.Listen("tcp", args[0])
		if err != nil {
			return 1
		}
		l.Accept()
		return 7
	}
	return 2
}

func untilThere(file string) {
	for ticker := time.NewTicker(time.Millisecond); ; <-ticker.C {
		if _, err := os.Stat(file); err == nil {
			return
		}
	}
}

// serve answers every connection with its pid.
func serve(address string) int {
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return 1
		}
		fmt.Fprint(conn, os.Getpid())
		conn.Close()
	}
}

// house is a system with a keeper, and a diary of what happens in it.
type house struct {
	t      *testing.T
	dir    string
	keeper *keeper.Client
	system *System
	diary  *diary
}

// newHouse is closed by the end of the test, which fails if anything runs then.
func newHouse(t *testing.T) *house {
	h := &house{t: t, dir: t.TempDir(), diary: newDiary()}
	h.open()
	t.Cleanup(h.close)
	return h
}

// open is the start of an engine.
func (h *house) open() {
	var exits sync.Mutex // the system is made after the keeper is there
	var system *System
	exits.Lock()
	client, err := keeper.Open(keeper.Options{
		Dir: h.dir, Executable: append(self("")[:1], "keeper"),
		OnExit: func(e keeper.Exit) {
			exits.Lock()
			defer exits.Unlock()
			system.Exited(e)
		},
		OnReady: func(p keeper.Process) {
			exits.Lock()
			defer exits.Unlock()
			system.Ready(p)
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.keeper = client
	system = NewSystem(Options{Keeper: client, Traffic: h.diary, Journal: h.diary, LogDir: h.dir})
	h.system = system
	exits.Unlock()
}

func (h *house) close() {
	h.system.mu.Lock()
	var all []*Service
	for _, v := range h.system.services {
		all = append(all, v)
	}
	h.system.mu.Unlock()
	for _, v := range all {
		end := h.soon()
		err := v.Retire(end)
		for errors.Is(err, &Refusal{Reason: StopFailed}) && end.Err() == nil { // it is tried again: join it
			err = v.Retire(end)
		}
		if err != nil {
			h.t.Errorf("cannot retire %s: %v", v.Name(), err)
		}
	}
	h.system.Close(h.soon())
	if left, err := h.keeper.List(); err != nil || len(left) > 0 {
		h.t.Errorf("left behind: %v, %v", left, err)
	}
	if err := h.keeper.Shutdown(); err != nil {
		h.t.Error(err)
	}
}

// soon is a deadline for what should take no time at all.
func (h *house) soon() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	h.t.Cleanup(cancel)
	return ctx
}

// until waits for a condition that nobody tells.
func (h *house) until(condition func() bool) {
	h.t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	end := h.soon().Done()
	for !condition() {
		select {
		case <-ticker.C:
		case <-end:
			h.t.Fatal("the condition did not come true")
		}
	}
}

// spec is a managed service that is not in a hurry.
func (h *house) spec(address string, argv ...string) Spec {
	return Spec{
		Name: "blog", Managed: &Managed{Argv: argv, Dir: h.dir, Env: os.Environ()}, Address: address,
		Check: probe.Check{Kind: probe.TCP}, StartTimeout: 15 * time.Second, StopTimeout: 15 * time.Second,
		DrainTimeout: 10 * time.Second, MaxPending: 1024,
	}
}

// freeAddress is one at which nobody listens. Its port is below the ephemeral range, so that nobody is given it who does
// not name it, and the abstract socket keeps it from other tests.
func freeAddress(t *testing.T) string {
	for {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		claim, err := net.Listen("unix", "@dynapm-actors-"+port)
		if err != nil {
			continue
		}
		t.Cleanup(func() { claim.Close() })
		if address := net.JoinHostPort("127.0.0.1", port); !probe.Listening(address) {
			return address
		}
	}
}

// askPid asks a service who it is.
func askPid(t *testing.T, address string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// request is a Waiter that keeps its answer.
type request struct{ answer chan *Refusal }

func newRequest() *request { return &request{make(chan *Refusal, 10)} }

func (r *request) Grant()           { r.answer <- nil }
func (r *request) Refuse(x Refusal) { r.answer <- &x }

// ask waits for the service like a request and returns the answer; nil is a
// Grant.
func (h *house) ask(v *Service) *Refusal {
	h.t.Helper()
	r := newRequest()
	v.Wait(r)
	return h.answer(r)
}

func (h *house) answer(r *request) *Refusal {
	h.t.Helper()
	select {
	case refusal := <-r.answer:
		return refusal
	case <-h.soon().Done():
		h.t.Fatal("a request was not answered")
		return nil
	}
}

// comer is a request that takes its lease as soon as it may: who comes later may find a service that is idle again.
type comer struct {
	*request
	v     *Service
	lease *Gate // once it is answered
}

func (c *comer) Grant() {
	c.lease = c.v.Claim(c)
	c.request.Grant()
}

// wake makes a service ready and takes a lease.
func (h *house) wake(v *Service) *Gate {
	h.t.Helper()
	c := &comer{request: newRequest(), v: v}
	v.Wait(c)
	if refusal := h.answer(c.request); refusal != nil {
		h.t.Fatal(refusal)
	}
	if c.lease == nil {
		h.t.Fatal("granted, and the gate is shut")
	}
	return c.lease
}

func (h *house) status(v *Service) Status {
	h.t.Helper()
	s, err := v.Status(h.soon())
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// alive tells whether a process is there that is no zombie.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !containsZombie(string(text))
}

func containsZombie(stat string) bool {
	for i := len(stat) - 1; i > 0; i-- {
		if stat[i] == ')' {
			return i+2 < len(stat) && stat[i+2] == 'Z'
		}
	}
	return false
}

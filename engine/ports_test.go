package engine

import (
	"fmt"
	"net"
	"os/exec"
	"testing"

	"dynapm/actors/keeper"
)

func TestPortsAreTheSameAgain(t *testing.T) {
	for _, name := range []string{"a", "blog", "a-service-with-a-long-name"} {
		first, err := newPorts("/state").choose(name)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := newPorts("/state").choose(name); again != first {
			t.Errorf("%s got port %d, then %d", name, first, again)
		}
	}
}

func TestPortsOfTwoEnginesDiffer(t *testing.T) {
	one, _ := newPorts("/one").choose("hello")
	if other, _ := newPorts("/other").choose("hello"); other == one {
		t.Errorf("both engines give hello port %d", one)
	}
}

func TestPortsInUseAreNotGiven(t *testing.T) {
	port, err := newPorts("/state").choose("hello")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", local(port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if again, err := newPorts("/state").choose("hello"); err != nil || again == port {
		t.Errorf("got port %d, %v, while somebody listens on it", again, err)
	}
}

func TestPortOfARunningProcess(t *testing.T) {
	c := exec.Command("sh", "-c", "echo up; read end")
	c.Env = []string{"PORTS=1", "PORT=21234"}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	if port := portOf(&keeper.Process{Pid: c.Process.Pid}); port != 21234 {
		t.Errorf("got port %d, want 21234", port)
	}
	in.Close()
	if err := c.Wait(); err != nil && c.ProcessState.ExitCode() != 1 {
		t.Error(err)
	}
	if port := portOf(&keeper.Process{Pid: c.Process.Pid}); port != 0 {
		t.Errorf("got port %d of a process that has ended", port)
	}
}

func TestPortsAreDistinctUntilNoneIsLeft(t *testing.T) {
	p := newPorts("/state")
	p.count = 100
	taken := p.first + 17
	p.take(taken)
	seen := map[int]bool{taken: true}
	for i := range p.count {
		port, err := p.choose(fmt.Sprint("service-", i))
		if err != nil {
			break
		}
		if seen[port] || port < p.first || port >= p.first+p.count {
			t.Fatalf("service-%d got port %d, which is taken or outside the range", i, port)
		}
		seen[port] = true
	}
	if len(seen) < p.count/2 {
		t.Errorf("only %d of %d ports were given", len(seen)-1, p.count-1)
	}
	if port, err := p.choose("one-too-many"); err == nil {
		t.Errorf("got port %d where none is left, want an error", port)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startPatience = time.Minute      // for a process to answer
	stopPatience  = 10 * time.Second // for a process to end when it is asked to
)

// process is a child of ours, with whatever it started itself.
type process struct {
	name    string
	cmd     *exec.Cmd
	address netip.AddrPort
	admin   netip.AddrPort // of an engine
	log     string
	stop    syscall.Signal
	ended   chan struct{}
	pids    []int    // the family, once it is up
	helper  *process // another one that it asks
	after   func()   // what is to be done when it has ended
}

// startProcess starts a command. It has a process group of its own, so that a Ctrl-C ends us first and we end it; should
// we be killed, it gets its stop signal from the kernel.
func startProcess(name, dir string, address netip.AddrPort, stop syscall.Signal, env []string, argv ...string) (*process, error) {
	p := &process{name: name, address: address, log: filepath.Join(dir, "output"), stop: stop, ended: make(chan struct{})}
	output, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, output, output
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: stop}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// up waits until the process answers a request, which also wakes a service that sleeps, and takes stock of its family.
func (p *process) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	var last error
	for {
		if last = p.ask(ctx); last == nil {
			return p.takeStock()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s has ended: %s", p.name, p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; %s", p.name, last, p.lastWords())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// takeStock notes who is of the family.
func (p *process) takeStock() (err error) {
	if p.pids, err = family(p.cmd.Process.Pid); err != nil || p.helper == nil {
		return err
	}
	more, err := family(p.helper.cmd.Process.Pid)
	p.pids = append(p.pids, more...)
	return err
}

// listening waits until somebody can connect, which is all that a helper says of itself.
func (p *process) listening() error {
	for deadline := time.Now().Add(startPatience); ; {
		conn, err := net.DialTimeout("tcp", p.address.String(), time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s has ended: %s", p.name, p.lastWords())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not listen: %w; %s", p.name, err, p.lastWords())
		}
	}
}

func (p *process) ask(ctx context.Context) error {
	_, err := fetch(ctx, p.address, smallRequest)
	return err
}

// lastWords is the end of what the process printed.
func (p *process) lastWords() string {
	data, _ := os.ReadFile(p.log)
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return "it printed nothing"
	}
	return "it printed: " + string(data[max(0, len(data)-2000):])
}

// end asks the process to end, and kills what is left of its family after a while.
func (p *process) end() {
	if p.helper != nil {
		defer p.helper.end()
	}
	if p.after != nil {
		defer p.after()
	}
	pids := p.pids
	if pids == nil {
		pids, _ = family(p.cmd.Process.Pid)
	}
	p.cmd.Process.Signal(p.stop)
	select {
	case <-p.ended:
	case <-time.After(stopPatience):
		p.cmd.Process.Kill()
		<-p.ended
	}
	// The first of them has been waited for. The others are nobody's whom we could wait for.
	deadline := time.Now().Add(stopPatience)
	for _, pid := range pids[min(1, len(pids)):] {
		for syscall.Kill(pid, 0) == nil {
			if time.Now().After(deadline) {
				syscall.Kill(pid, syscall.SIGKILL)
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// use is what the process has used of the CPU. It is an error if it is not all there any more: what is measured then is
// something else.
func (p *process) use() (time.Duration, error) {
	used, err := cpuTime(p.pids)
	if err != nil {
		return 0, fmt.Errorf("%s: %w; %s", p.name, err, p.lastWords())
	}
	return used, nil
}

// freeAddress finds a port to listen on below the range that connections are given theirs from, so that none takes it
// before the process is there.
func freeAddress() (netip.AddrPort, error) {
	for range 100 {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(16000)))
		if err != nil {
			continue
		}
		address := l.Addr().(*net.TCPAddr).AddrPort()
		l.Close()
		return address, nil
	}
	return netip.AddrPort{}, errors.New("cannot find a free port between 12000 and 28000")
}

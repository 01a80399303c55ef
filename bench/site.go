package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// site is where contenders run: a temporary directory, the engine's program, and the one backend.
type site struct {
	dir       string
	engine    string
	backend   *process
	files     int // that a process may have open
	self      string
	server    string // of the cold starts
	null      *os.File
	coldCases []coldCase
	cold      []netip.AddrPort // of the services of these cases
	removed   [][]string       // what Docker is to be told in the end, last first
}

// openSite builds the engine from the tree, unless a program is given, and starts the backend.
func openSite(ctx context.Context, engine string) (*site, error) {
	dir, err := os.MkdirTemp("", "dynapm-bench-")
	if err != nil {
		return nil, err
	}
	s := &site{dir: dir, engine: engine, files: int(raiseFiles(manyFiles))}
	if err := s.furnish(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *site) furnish(ctx context.Context) error {
	if s.engine == "" {
		s.engine = filepath.Join(s.dir, "dynapm")
		if err := build(ctx, s.engine, "dynapm/engine/cmd/dynapm"); err != nil {
			return err
		}
	}
	s.server = filepath.Join(s.dir, "coldserver")
	if err := build(ctx, s.server, "dynapm/bench/coldserver"); err != nil {
		return err
	}
	var err error
	if s.self, err = os.Executable(); err != nil {
		return err
	}
	if s.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return err
	}
	if s.engine, err = filepath.Abs(s.engine); err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	if s.backend, err = s.role("backend", address, address.String()); err != nil {
		return err
	}
	return s.backend.up(ctx)
}

func build(ctx context.Context, program, from string) error {
	build := tool(ctx, "go", "build", "-trimpath", "-o", program, from)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w\n%s", from, err, out)
	}
	return nil
}

func (s *site) close() {
	if s.backend != nil {
		s.backend.end()
	}
	for _, args := range slices.Backward(s.removed) {
		if _, err := dockerSays(context.Background(), nil, args...); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	if s.null != nil {
		s.null.Close()
	}
	os.RemoveAll(s.dir)
}

// role starts this program as something else.
func (s *site) role(role string, address netip.AddrPort, args ...string) (*process, error) {
	dir, err := os.MkdirTemp(s.dir, role+"-")
	if err != nil {
		return nil, err
	}
	return startProcess(role, dir, address, syscall.SIGKILL, []string{roleSwitch + "=" + role}, append([]string{s.self}, args...)...)
}

// running is a contender that is up.
type running struct {
	contender
	*process
}

// use is what a contender has used of the CPU: no proxy uses none.
func (r running) use() (time.Duration, error) {
	if r.kind == kindDirect {
		return 0, nil
	}
	return r.process.use()
}

// start brings a contender up and checks that it does the same work as the others.
func (s *site) start(ctx context.Context, c contender, t terms) (*process, error) {
	if c.kind == kindDirect {
		return s.backend, nil
	}
	t.files = cmp.Or(t.files, s.files)
	dir, err := os.MkdirTemp(s.dir, c.name+"-")
	if err != nil {
		return nil, err
	}
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := c.start(s, dir, listen, t)
	if err != nil {
		return nil, err
	}
	p.name = c.name
	if err = p.up(ctx); err == nil && !c.lessWork {
		err = sameWork(ctx, p)
	}
	if err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

func endAll(up []running) {
	for _, r := range up {
		if r.process != nil && r.kind != kindDirect {
			r.end()
		}
	}
}

// sameWork asks the backend what a contender forwards: a proxy that leaves header fields out has less to do.
func sameWork(ctx context.Context, p *process) error {
	head, err := fetch(ctx, p.address, headRequest)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	for _, want := range []string{
		" HTTP/1.1\r\n", "\r\nhost: bench.test\r\n", "\r\nx-forwarded-for: 127.0.0.1\r\n", "\r\nx-forwarded-proto: http\r\n",
		"\r\nx-forwarded-host: bench.test\r\n", "\r\nuser-agent: bench\r\n",
	} {
		if !strings.Contains(strings.ToLower(string(head))+"\r\n", strings.ToLower(want)) {
			return fmt.Errorf("%s does not do the same work as the others: the backend got no %q in %q", p.name, want, head)
		}
	}
	return nil
}

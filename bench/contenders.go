package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Kinds of contenders. Peers are those that the engine is judged against; the others show where it stands.
const (
	kindOurs    = "ours"
	kindNginx   = "nginx"
	kindHAProxy = "haproxy"
	kindOther   = "other"
	kindDirect  = "direct" // no proxy at all: the client at the backend
)

// contender is a way to get from the client to the backend.
type contender struct {
	name  string
	kind  string
	needs string // a program that has to be installed
	start func(s *site, dir string, listen netip.AddrPort, t terms) (*process, error)
}

func (c contender) peer() bool { return c.kind == kindNginx || c.kind == kindHAProxy }

// howToInstall a program that is missing.
var howToInstall = map[string]string{
	"nginx":   "apt-get install nginx-light",
	"haproxy": "apt-get install haproxy",
}

// ourName is the engine's in every table.
const ourName = "dynapm"

func allContenders() []contender {
	return []contender{
		{name: ourName, kind: kindOurs, start: startEngine},
		{name: "nginx-1", kind: kindNginx, needs: "nginx", start: startNginx(1)},
		{name: "nginx-2", kind: kindNginx, needs: "nginx", start: startNginx(2)},
		{name: "haproxy-1", kind: kindHAProxy, needs: "haproxy", start: startHAProxy(1)},
		{name: "haproxy-2", kind: kindHAProxy, needs: "haproxy", start: startHAProxy(2)},
		{name: "fasthttp", kind: kindOther, start: startRole("fasthttp")},
		{name: "nethttp", kind: kindOther, start: startRole("nethttp")},
		{name: "direct", kind: kindDirect, start: nil},
	}
}

// choose takes the contenders that were asked for (all if none was), and fails if a program is missing, unless the run
// may be incomplete. It says what is left out.
func choose(only string, incomplete bool) (chosen []contender, left []string, err error) {
	names := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	for _, c := range allContenders() {
		at := slices.Index(names, c.name)
		if at >= 0 {
			names = slices.Delete(names, at, at+1)
		} else if only != "" {
			left = append(left, c.name+": not asked for")
			continue
		}
		if _, missing := exec.LookPath(c.needs); c.needs != "" && missing != nil {
			left = append(left, fmt.Sprintf("%s: %s is not installed (%s)", c.name, c.needs, howToInstall[c.needs]))
			if !incomplete {
				err = fmt.Errorf("%s is not installed: %s; or leave its figures out with -incomplete", c.needs, howToInstall[c.needs])
			}
			continue
		}
		chosen = append(chosen, c)
	}
	if len(names) > 0 {
		err = fmt.Errorf("there is no contender %q", names[0])
	}
	return chosen, left, err
}

// site is where contenders run: a temporary directory, the engine's program, and the one backend.
type site struct {
	dir     string
	engine  string
	backend *process
	files   int // that a process may have open
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
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", s.engine, "dynapm/engine/cmd/dynapm")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build the engine: %w\n%s", err, out)
		}
	}
	var err error
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

func (s *site) close() {
	if s.backend != nil {
		s.backend.end()
	}
	os.RemoveAll(s.dir)
}

// role starts this program as something else.
func (s *site) role(role string, address netip.AddrPort, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, role+"-")
	if err != nil {
		return nil, err
	}
	return startProcess(role, dir, address, syscall.SIGKILL, []string{roleSwitch + "=" + role}, append([]string{self}, args...)...)
}

// running is a contender that is up.
type running struct {
	contender
	*process
}

// start brings contenders up and checks that each does the same work.
func (s *site) start(ctx context.Context, chosen []contender, t terms) ([]running, error) {
	var up []running
	t.files = s.files
	for _, c := range chosen {
		p, err := s.startOne(ctx, c, t)
		if err != nil {
			endAll(up)
			return nil, err
		}
		up = append(up, running{c, p})
	}
	return up, nil
}

func (s *site) startOne(ctx context.Context, c contender, t terms) (*process, error) {
	if c.kind == kindDirect {
		return s.backend, nil
	}
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
	if err = p.up(ctx); err == nil {
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

func startEngine(s *site, dir string, listen netip.AddrPort, _ terms) (*process, error) {
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "bench.yaml")
	if err := os.WriteFile(file, []byte(engineConf(listen, admin, s.backend.address)), 0o600); err != nil {
		return nil, err
	}
	return startProcess(ourName, dir, listen, syscall.SIGINT, nil, s.engine, "engine", "-config", file)
}

func startNginx(workers int) func(*site, string, netip.AddrPort, terms) (*process, error) {
	return func(s *site, dir string, listen netip.AddrPort, t terms) (*process, error) {
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, []byte(nginxConf(workers, t, listen, s.backend.address)), 0o600); err != nil {
			return nil, err
		}
		return startProcess("nginx", dir, listen, syscall.SIGTERM, nil, "nginx", "-p", dir, "-e", "stderr", "-c", file)
	}
}

func startHAProxy(threads int) func(*site, string, netip.AddrPort, terms) (*process, error) {
	return func(s *site, dir string, listen netip.AddrPort, t terms) (*process, error) {
		file := filepath.Join(dir, "haproxy.cfg")
		if err := os.WriteFile(file, []byte(haproxyConf(threads, t, listen, s.backend.address)), 0o600); err != nil {
			return nil, err
		}
		return startProcess("haproxy", dir, listen, syscall.SIGTERM, nil, "haproxy", "-db", "-f", file)
	}
}

func startRole(role string) func(*site, string, netip.AddrPort, terms) (*process, error) {
	return func(s *site, _ string, listen netip.AddrPort, t terms) (*process, error) {
		args := []string{listen.String(), s.backend.address.String()}
		if t.stream && role == "fasthttp" {
			args = append(args, "stream")
		}
		return s.role(role, listen, args...)
	}
}

var errInterrupted = errors.New("interrupted")

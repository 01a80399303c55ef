package main

import (
	"cmp"
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
	kindCaddy   = "caddy"
	kindNode    = "node"    // the DynaPM of Node
	kindSablier = "sablier" // with nginx
	kindOther   = "other"
	kindDirect  = "direct" // no proxy at all: the client at the backend
)

// contender is a way to get from the client to the backend.
type contender struct {
	name     string
	kind     string
	needs    string // a program that has to be installed
	starts   bool   // services, when one is asked for
	lessWork bool   // it forwards less than the others
	start    func(s *site, dir string, listen netip.AddrPort, t terms) (*process, error)
}

// ourOwn: it is an engine, with a keeper.
func (c contender) ourOwn() bool { return c.kind == kindOurs || c.name == besideName }

func (c contender) peer() bool { return slices.Contains(peerKinds, c.kind) }

// peerKinds are the kinds of which the best is what the engine is judged against.
var peerKinds = []string{kindNginx, kindHAProxy, kindCaddy}

// howToInstall a program that is missing.
var howToInstall = map[string]string{
	"nginx":   "apt-get install nginx-light",
	"haproxy": "apt-get install haproxy",
	"caddy":   "apt-get install caddy",
}

// ourName is the engine's in every table.
const ourName = "dynapm"

// besideName is that of another engine, which is measured beside ours and judged by nobody.
const besideName = "beside"

func allContenders(beside string) []contender {
	all := []contender{
		{name: ourName, kind: kindOurs, starts: true, start: startEngine("")},
		{name: "nginx-1", kind: kindNginx, needs: "nginx", start: startNginx(1)},
		{name: "nginx-2", kind: kindNginx, needs: "nginx", start: startNginx(2)},
		{name: "haproxy-1", kind: kindHAProxy, needs: "haproxy", start: startHAProxy(1)},
		{name: "haproxy-2", kind: kindHAProxy, needs: "haproxy", start: startHAProxy(2)},
		{name: "caddy", kind: kindCaddy, needs: "caddy", start: startCaddy},
		{name: "fasthttp", kind: kindOther, start: startRole("fasthttp")},
		{name: "nethttp", kind: kindOther, start: startRole("nethttp")},
		{name: "direct", kind: kindDirect},
	}
	if beside != "" {
		all = slices.Insert(all, 1, contender{name: besideName, kind: kindOther, starts: true, start: startEngine(beside)})
	}
	return all
}

// withOptional adds the gateways that start services, as ours does, where they are given, and says which are not.
func withOptional(all []contender) (more []contender, missing []string) {
	for _, find := range []func() (contender, string){nodeContender, sablierContender} {
		c, why := find()
		if why != "" {
			missing = append(missing, why)
			continue
		}
		all = slices.Insert(all, len(all)-1, c)
	}
	return all, missing
}

// quickContenders are those of the short run: ours, nginx, HAProxy, and no proxy at all.
func quickContenders(all []contender) []contender {
	return slices.DeleteFunc(all, func(c contender) bool {
		return c.kind == kindCaddy || c.kind == kindOther && c.name != besideName
	})
}

// choose takes of the contenders those that were asked for (all if none was), and fails if a program is missing, unless
// the run may be incomplete. It says what is left out.
func choose(all []contender, only string, incomplete bool) (chosen []contender, left []string, err error) {
	names := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	for _, c := range all {
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

// startEngine starts the engine of the site, or another one.
func startEngine(program string) func(*site, string, netip.AddrPort, terms) (*process, error) {
	return func(s *site, dir string, listen netip.AddrPort, t terms) (*process, error) {
		admin, err := freeAddress()
		if err != nil {
			return nil, err
		}
		conf := engineConf(t, listen, admin, s.backend.address)
		if t.cold {
			conf += s.coldConf()
		}
		file := filepath.Join(dir, "bench.yaml")
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			return nil, err
		}
		p, err := startProcess(ourName, dir, listen, syscall.SIGINT, nil, cmp.Or(program, s.engine), "engine", "-config", file)
		if err == nil {
			p.admin = admin
		}
		return p, err
	}
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

// startCaddy has it log nothing but faults, and keep nothing outside of its directory.
func startCaddy(s *site, dir string, listen netip.AddrPort, t terms) (*process, error) {
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(caddyConf(t, listen, s.backend.address)), 0o600); err != nil {
		return nil, err
	}
	env := []string{"XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	return startProcess("caddy", dir, listen, syscall.SIGTERM, env, "caddy", "run", "--adapter", "caddyfile", "--config", file)
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

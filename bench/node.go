package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// nodeSwitch is the environment variable that names where the DynaPM of Node is installed.
const nodeSwitch = "DYNAPM_NODE"

const nodeName = "dynapm-node"

// nodeProgram is DynaPM's in its folder, as its package has it.
func nodeProgram(dir string) string { return filepath.Join(dir, "dist", "src", "index.js") }

// nodeContender is the DynaPM of Node, if a directory was given, or else why it is left out. It is judged by nobody: it
// sends the backend neither Host nor X-Forwarded-*, and so has less to do than the others.
func nodeContender() (c contender, missing string) {
	dir := os.Getenv(nodeSwitch)
	if dir == "" {
		return c, fmt.Sprintf("%s: no directory of it was given (%s=DIRECTORY)", nodeName, nodeSwitch)
	}
	if _, err := exec.LookPath("node"); err != nil {
		return c, nodeName + ": node is not installed (apt-get install nodejs)"
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		_, err = os.Stat(nodeProgram(dir))
	}
	if err != nil {
		return c, fmt.Sprintf("%s: %s=%s has no program: %v", nodeName, nodeSwitch, dir, err)
	}
	return contender{name: nodeName, kind: kindNode, starts: true, lessWork: true, start: startNode(nodeProgram(dir))}, ""
}

func startNode(program string) func(*site, string, netip.AddrPort, terms) (*process, error) {
	return func(s *site, dir string, listen netip.AddrPort, t terms) (*process, error) {
		admin, err := freeAddress()
		if err != nil {
			return nil, err
		}
		conf, err := s.nodeConf(dir, listen, admin, t)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "dynapm.config.mjs"), conf, 0o600); err != nil {
			return nil, err
		}
		p, err := startProcess(nodeName, dir, listen, syscall.SIGTERM, nil, "node", program)
		if err == nil {
			p.admin, p.log = admin, filepath.Join(dir, "logs", "dynapm.log")
			p.after = func() { s.endServices(dir) }
		}
		return p, err
	}
}

// nodeService is a service in its config.
type nodeService struct {
	Name         string            `json:"name"`
	Base         string            `json:"base"`
	IdleTimeout  int               `json:"idleTimeout"`
	StartTimeout int               `json:"startTimeout"`
	Commands     map[string]string `json:"commands"`
}

// nodeConf is the config of its README, with services that run already, and those of the cold starts. Where the README
// stops and checks by lsof, which takes some time at each start, they do by a file with the process's id.
func (s *site) nodeConf(dir string, listen, admin netip.AddrPort, t terms) ([]byte, error) {
	services := map[string]nodeService{}
	for at, host := range t.hosts() {
		services[host] = nodeService{Name: fmt.Sprintf("bench%d", at), Base: "http://" + s.backend.address.String(),
			Commands: map[string]string{"start": "true", "stop": "true", "check": "true"}}
	}
	if t.cold {
		for at := range s.coldCases {
			services[coldHost(at)] = nodeService{Name: coldName(at), Base: "http://" + s.cold[at].String(),
				Commands: s.nodeCommands(at, filepath.Join(dir, coldName(at)))}
		}
	}
	for host, service := range services {
		service.IdleTimeout, service.StartTimeout = 6*60*60*1000, 10*1000
		services[host] = service
	}
	conf, err := json.MarshalIndent(map[string]any{
		"host": listen.Addr().String(), "port": listen.Port(), "services": services,
		"adminApi": map[string]any{"enabled": true, "port": admin.Port(), "allowedIps": []string{"127.0.0.1", "::1"}},
	}, "", "  ")
	return append([]byte("export default "), conf...), err
}

// nodeCommands are those of a case, as a shell runs them.
func (s *site) nodeCommands(at int, file string) map[string]string {
	command := strings.Join(s.coldCommand(at), " ")
	switch s.coldCases[at].form {
	case formContainer:
		return map[string]string{"start": command, "stop": strings.Join(s.coldStop(at), " "), "check": s.coldCheck(at)}
	case formShell:
		command = "sh -c '" + command + "'"
	}
	return map[string]string{
		"start": fmt.Sprintf("nohup %s >/dev/null 2>&1 & echo $! >%s", command, file),
		"stop":  fmt.Sprintf("kill -9 $(cat %[1]s) && rm %[1]s", file),
		"check": fmt.Sprintf("kill -0 $(cat %s) 2>/dev/null", file),
	}
}

// endServices ends those that run still: they are no children of whom has started them.
func (s *site) endServices(dir string) {
	for at := range s.coldCases {
		data, err := os.ReadFile(filepath.Join(dir, coldName(at)))
		if err != nil {
			continue // none runs
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// nodeVersion is what its package says.
func nodeVersion() string {
	data, err := os.ReadFile(filepath.Join(os.Getenv(nodeSwitch), "package.json"))
	var about struct{ Version string }
	if err := errors.Join(err, json.Unmarshal(data, &about)); err != nil || about.Version == "" {
		return "unknown"
	}
	return about.Version
}

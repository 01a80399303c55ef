package engine

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"strconv"
	"sync"

	"dynapm/actors/keeper"
	"dynapm/actors/probe"
)

// ports gives each service that has no base a port of its own: the same at each start for the same state directory and
// name, unless somebody has it.
type ports struct {
	stateDir     string
	first, count int
	taken        map[int]bool
	listened     func() map[int]bool // ports that others listen on, asked of the kernel once
}

// newPorts takes a range outside the one from which the kernel gives ports to clients (ip(7), ip_local_port_range):
// there a service could find its port in use by a connection of somebody else.
func newPorts(stateDir string) *ports {
	const count = 12_768 // up to where the kernel's own begin by default
	p := &ports{stateDir: stateDir, first: 20_000, count: count, taken: map[int]bool{}, listened: sync.OnceValue(probe.ListenedPorts)}
	var low, high int
	if data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(string(data), &low, &high); err == nil && low < p.first+count && high >= p.first {
			if low > 1024+count {
				p.first = low - count
			} else if high < 1<<16-count {
				p.first = high + 1
			}
		}
	}
	return p
}

func (p *ports) take(port int) { p.taken[port] = true }

// choose gives a port that the config does not name, no other service was given, and nobody listens on. The state
// directory counts, so that two engines on one machine do not give one port to services of the same name.
func (p *ports) choose(service string) (int, error) {
	h := fnv.New32a()
	h.Write([]byte(p.stateDir + "\x00" + service))
	for i := range p.count {
		port := p.first + (int(h.Sum32()%uint32(p.count))+i)%p.count
		if !p.taken[port] && !p.listened()[port] {
			p.take(port)
			return port, nil
		}
	}
	return 0, fmt.Errorf("cannot give %s a port: all of %d-%d are taken; give it a base", service, p.first, p.first+p.count-1)
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// portOf is the port that a running service was given at its start; 0 where that cannot be told.
func portOf(p *keeper.Process) int {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.Pid))
	if err != nil {
		return 0
	}
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if value, found := bytes.CutPrefix(variable, []byte("PORT=")); found {
			port, _ := strconv.Atoi(string(value))
			return port
		}
	}
	return 0
}

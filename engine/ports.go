package engine

import (
	"fmt"
	"hash/fnv"
	"os"
)

// ports gives each service that has no base a port of its own: always the same for the same name, as long as no other
// service of the config has it, so that a service found running after a restart is where it was.
type ports struct {
	first, count int
	taken        map[int]bool
}

// newPorts takes a range outside the one from which the kernel gives ports to clients (ip(7), ip_local_port_range):
// there a service could find its port in use by a connection of somebody else.
func newPorts() *ports {
	p := &ports{first: 20000, count: 10000, taken: map[int]bool{}}
	var low, high int
	if data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(string(data), &low, &high); err == nil && low < p.first+p.count && high >= p.first {
			if low > 11024 {
				p.first = low - 10000
			} else if high < 55000 {
				p.first = high + 1
			}
		}
	}
	return p
}

func (p *ports) take(port int) { p.taken[port] = true }

func (p *ports) choose(service string) (int, error) {
	h := fnv.New32a()
	h.Write([]byte(service))
	for i := range p.count {
		port := p.first + (int(h.Sum32()%uint32(p.count))+i)%p.count
		if !p.taken[port] {
			p.taken[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("cannot give %s a port: all of %d-%d are taken; give it a base", service, p.first, p.first+p.count-1)
}

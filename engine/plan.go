package engine

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"dynapm/actors"
	"dynapm/actors/keeper"
	"dynapm/engine/config"
)

// plan turns the config into services, the table of their routes, the addresses to listen on (the main one first) and
// the targets whose names must be watched.
func (e *Engine) plan() (*table, []string, []*target) {
	p := planner{
		engine:    e,
		table:     &table{ports: []*route{nil}, exact: map[string]paths{}, below: map[string]paths{}},
		addresses: []string{e.cfg.Listen},
		targets:   map[string]*target{},
	}
	for i := range e.cfg.Services {
		p.add(e.cfg.Services[i])
	}
	return p.table, p.addresses, slices.DeleteFunc(slices.Collect(maps.Values(p.targets)), (*target).fixed)
}

type planner struct {
	engine    *Engine
	table     *table
	addresses []string
	targets   map[string]*target // by scheme and address: one for all routes that lead there
}

func (p *planner) add(cfg config.Service) {
	s := &service{Service: cfg}
	switch {
	case cfg.ProxyOnly:
		s.gate, s.since = actors.NewGate(0, ""), time.Now()
		s.gate.Open()
	case cfg.Base != nil:
		s.address = addressOf(cfg.Base)
	}
	p.engine.services = append(p.engine.services, s)
	p.engine.byName[cfg.Name] = s
	for _, way := range cfg.Routes {
		p.route(s, way)
	}
	if cfg.Default {
		p.table.other = p.join(s, nil)
	}
}

func (p *planner) route(s *service, way config.Route) {
	r := p.join(s, way.Target)
	if way.Kind != config.PortRoute {
		p.table.add(way.Host, way.Path, r)
		return
	}
	host, _, _ := net.SplitHostPort(p.engine.cfg.Listen)
	p.table.ports = append(p.table.ports, r)
	p.addresses = append(p.addresses, net.JoinHostPort(host, strconv.Itoa(way.Port)))
}

// join makes a route. What is only proxied always has a target, others only where the config names one.
func (p *planner) join(s *service, base *config.Base) *route {
	r := &route{service: s, engine: p.engine}
	if base == nil && s.ProxyOnly {
		base = s.Base
	}
	if base != nil {
		key := base.Scheme + "://" + addressOf(base)
		if p.targets[key] == nil {
			p.targets[key] = newTarget(base)
		}
		r.target = p.targets[key]
	}
	s.ways = append(s.ways, r)
	if i := &s.Ignore; len(i.UserAgents)+len(i.Paths) > 0 {
		r.unheard = newUnheards(r, i)
	}
	return r
}

// settle gives each service without a base its port: the one that it had, whoever has that now (the start says who), or
// a new one.
func (e *Engine) settle(found map[string]*keeper.Process) error {
	p := e.portsInConfig()
	var unsettled []*service
	for _, s := range e.services {
		if s.ProxyOnly || s.Base != nil {
			continue
		}
		s.port = e.memory.found[s.Name].Port
		if process := found[s.Name]; process != nil {
			s.port = cmp.Or(portOf(process), s.port)
		}
		if s.port == 0 || p.taken[s.port] {
			unsettled = append(unsettled, s)
			continue
		}
		p.take(s.port)
		s.address = local(s.port)
	}
	for _, s := range unsettled {
		port, err := p.choose(s.Name)
		if err != nil {
			return err
		}
		s.port, s.address = port, local(port)
	}
	return nil
}

// portsInConfig keeps every port that the config names from being given to a service without a base.
func (e *Engine) portsInConfig() *ports {
	p := newPorts(e.cfg.StateDir)
	for _, address := range []string{e.cfg.Listen, e.cfg.AdminAPI.Listen} {
		if _, port, err := net.SplitHostPort(address); err == nil {
			n, _ := strconv.Atoi(port)
			p.take(n)
		}
	}
	for i := range e.cfg.Services {
		s := &e.cfg.Services[i]
		if s.Base != nil {
			p.take(s.Base.Port)
		}
		for _, r := range s.Routes {
			p.take(r.Port)
			if r.Target != nil {
				p.take(r.Target.Port)
			}
		}
	}
	return p
}

// describe says a route for a person: blog.example.com/v1, :5001.
func describe(r config.Route) string {
	switch {
	case r.Kind == config.PortRoute:
		return fmt.Sprintf(":%d", r.Port)
	case r.Host == "":
		return "*" + r.Path
	}
	return r.Host + r.Path
}

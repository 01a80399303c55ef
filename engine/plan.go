package engine

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"dynapm/actors"
	"dynapm/engine/config"
)

// plan turns the config into services, the table of their routes, the addresses to listen on (the main one first) and
// the targets whose names must be watched.
func (e *Engine) plan() (*table, []string, []*target, error) {
	p := planner{
		engine:    e,
		table:     &table{ports: []*route{nil}, exact: map[string]paths{}, below: map[string]paths{}},
		addresses: []string{e.cfg.Listen},
		ports:     e.portsInConfig(),
	}
	for i := range e.cfg.Services {
		if err := p.add(e.cfg.Services[i]); err != nil {
			return nil, nil, nil, err
		}
	}
	return p.table, p.addresses, p.targets, nil
}

type planner struct {
	engine    *Engine
	table     *table
	addresses []string
	targets   []*target
	ports     *ports
}

func (p *planner) add(cfg config.Service) error {
	s := &service{Service: cfg}
	switch {
	case cfg.ProxyOnly:
		s.gate, s.since = actors.NewGate(0, ""), time.Now()
		s.gate.Open()
	case cfg.Base != nil:
		s.address = addressOf(cfg.Base)
	default:
		port, err := p.ports.choose(cfg.Name)
		if err != nil {
			return err
		}
		s.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	p.engine.services = append(p.engine.services, s)
	p.engine.byName[cfg.Name] = s
	for _, way := range cfg.Routes {
		p.route(s, way)
	}
	if cfg.Default {
		p.table.other = p.join(s, nil)
	}
	return nil
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
	r := &route{service: s, Engine: p.engine}
	if base == nil && s.ProxyOnly {
		base = s.Base
	}
	if base != nil {
		r.target = newTarget(base)
		if r.target.named() {
			p.targets = append(p.targets, r.target)
		}
	}
	return r
}

// portsInConfig keeps every port that the config names from being given to a service without a base.
func (e *Engine) portsInConfig() *ports {
	p := newPorts()
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

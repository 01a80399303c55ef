package config

import (
	"slices"
	"strings"
)

// dependences checks what the services depend on: each is there, is started by the engine, and does not depend on what
// depends on it.
func (w *walk) dependences(drafts []*draft) {
	byName, names := map[string]*draft{}, []string{}
	for _, d := range drafts {
		byName[d.Name] = d
		names = append(names, d.Name)
	}
	for _, d := range drafts {
		if d.ProxyOnly && d.given.has("dependsOn") {
			w.fault(d.later("dependsOn", "proxyOnly"), "a proxyOnly service is never started: remove dependsOn or proxyOnly")
		}
		for i, name := range d.DependsOn {
			at := value{d.given["dependsOn"].items[i], itemPath(d.given["dependsOn"].path, i)}
			switch on := byName[name]; {
			case name == "": // it has its fault
			case on == nil:
				w.fault(at, "there is no service %s%s", name, didYouMean(name, names))
			case on.ProxyOnly:
				w.fault(at, "%s is proxyOnly: there is nothing to start", name)
			case slices.Index(d.DependsOn, name) < i:
				w.fault(at, "%s stands twice in this list", name)
			}
		}
	}
	w.cycles(drafts, byName)
}

// cycles finds each service that depends on itself in the end, and tells each cycle once.
func (w *walk) cycles(drafts []*draft, byName map[string]*draft) {
	seen := map[string]bool{} // all that it leads to is known
	var path []string
	var follow func(d *draft)
	follow = func(d *draft) {
		path = append(path, d.Name)
		for i, name := range d.DependsOn {
			on := byName[name]
			if from := slices.Index(path, name); from >= 0 {
				at := value{d.given["dependsOn"].items[i], itemPath(d.given["dependsOn"].path, i)}
				w.fault(at, "a cycle, in which none can be started first: %s -> %s", strings.Join(path[from:], " -> "), name)
			} else if on != nil && !seen[name] {
				follow(on)
			}
		}
		path = path[:len(path)-1]
		seen[d.Name] = true
	}
	for _, d := range drafts {
		if !seen[d.Name] {
			follow(d)
		}
	}
}

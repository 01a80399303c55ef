package engine

import (
	"slices"
	"sync"

	"dynapm/actors"
	"dynapm/netio"
)

// traffic knows the backends that were made for each run, so that an actor, which knows only its gate, can have their
// connections closed. It is actors' Traffic.
type traffic struct {
	mu       sync.Mutex
	server   *netio.Server
	backends map[*actors.Gate][]*netio.Backend
}

// opened adds a backend of a run. A lease may have been taken just before the run ended: then it is over at once.
func (t *traffic) opened(gate *actors.Gate, b *netio.Backend) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if gate.Ended() {
		t.server.Retire(b, true)
		return
	}
	t.backends[gate] = append(t.backends[gate], b)
}

// replaced lets a backend go that has given its place to another of the same run.
func (t *traffic) replaced(gate *actors.Gate, b *netio.Backend) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if all, there := t.backends[gate]; there { // else the run has ended meanwhile
		t.backends[gate] = slices.DeleteFunc(all, func(other *netio.Backend) bool { return other == b })
	}
	t.server.Retire(b, false)
}

// Close closes the pooled connections of a run that has ended, once; cut ends those in use as well.
func (t *traffic) Close(gate *actors.Gate, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range t.backends[gate] {
		t.server.Retire(b, cut)
	}
	delete(t.backends, gate)
}

// serve begins to serve; whoever is served waits for it with a backend of his own.
func (t *traffic) serve(o netio.Options) (*netio.Server, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	t.server, err = netio.Serve(o)
	return t.server, err
}

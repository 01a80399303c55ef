package engine

import (
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

func (t *traffic) opened(gate *actors.Gate, b *netio.Backend) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.backends[gate] = append(t.backends[gate], b)
}

// Close closes the pooled connections of a run, once; cut ends those in use as well. The gate is shut by then, so that
// nothing is added any more.
func (t *traffic) Close(gate *actors.Gate, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range t.backends[gate] {
		t.server.Retire(b, cut)
	}
	delete(t.backends, gate)
}

func (t *traffic) serve(s *netio.Server) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.server = s
}

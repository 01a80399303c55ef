package engine

import (
	"dynapm/actors"
	"dynapm/netio"
)

// The two kinds of leases on a run. Neither is more than the pointer to its gate, so none is allocated.
type (
	holding struct{ gate *actors.Gate } // holds the service up
	passive struct{ gate *actors.Gate } // is cut when the service sleeps
)

func (h holding) Release() { h.gate.Release() }

func (h holding) Relax() netio.Lease {
	h.gate.Relax()
	return passive(h)
}

func (p passive) Release()           { p.gate.ReleasePassive() }
func (p passive) Relax() netio.Lease { return p }

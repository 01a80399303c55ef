package netio

import "testing"

// counts waits until so many leases hold the service up and so many do not.
func (r *rig) counts(holding, passive int64) {
	r.Helper()
	eventually(r.T, "the leases are as they should be", func() bool {
		return r.service().out.Load() == holding && r.service().relaxed.Load() == passive && r.Counters().Leases == holding+passive
	})
}

// TestTunnelHoldsNothingUp: the lease of an upgrade is exchanged when the 101 has come, not before, and given back when
// the tunnel ends, also by a cut.
func TestTunnelHoldsNothingUp(t *testing.T) {
	address, accept := scripted(t)
	r := newRig(t, address)
	r.service().backend.Load().RelaxTunnels = true
	c := r.dial()
	c.send(upgrade)
	b := accept()
	b.head()
	r.counts(1, 0)
	b.send(upgraded)
	c.expect(upgraded)
	r.counts(0, 1)
	c.send("ping")
	b.expect("ping")
	<-r.Retire(r.service().backend.Load(), true)
	c.wantBreak()
	r.counts(0, 0)
}

// TestEventsHoldNothingUp: so for a reply of events, and only for that.
func TestEventsHoldNothingUp(t *testing.T) {
	for head, passive := range map[string]int64{
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 2\r\n\r\n":                  1,
		"HTTP/1.1 200 OK\r\ncontent-type:  Text/Event-Stream ; charset=utf-8\r\nContent-Length: 2\r\n\r\n": 1,
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\nContent-Length: 2\r\n\r\n":                 0,
		"HTTP/1.1 200 OK\r\nContent-Type: text/event\r\nContent-Length: 2\r\n\r\n":                         0,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n":                                                     0,
	} {
		address, accept := scripted(t)
		r := newRig(t, address)
		r.service().backend.Load().RelaxEvents = true
		c := r.dial()
		c.send(get("/"))
		b := accept()
		b.head()
		b.send("HTTP/1.1 103 Early Hints\r\n\r\n")
		c.expect("HTTP/1.1 103 Early Hints\r\n\r\n")
		r.counts(1, 0)
		b.send(head)
		c.head()
		r.counts(1-passive, passive)
		b.send("ok")
		c.expect("ok")
		r.counts(0, 0)
		c.send(get("/")) // the connections go on, and the next request begins anew
		b.head()
		r.counts(1, 0)
		b.send(ok2)
		c.head()
		c.expect("ok")
	}
}

// TestNothingIsRelaxedUnasked: a service that did not ask for it is held up by all of them.
func TestNothingIsRelaxedUnasked(t *testing.T) {
	r, c, b := openTunnel(t)
	c.send("ping")
	b.expect("ping")
	r.counts(1, 0)
}

package netio

// handleMail does what other goroutines have asked for.
func (s *splicer) handleMail() {
	for s.opened < len(s.mail) {
		m := &s.mail[s.opened]
		s.opened++
		s.current = nil
		switch m.kind {
		case grantMessage:
			s.current = m.waiter.client
			m.waiter.client.granted(m.waiter)
		case refuseMessage:
			s.current = m.waiter.client
			m.waiter.client.refused(m.waiter, &m.answer)
		case retireMessage:
			if p := s.pools[m.backend]; p != nil {
				p.retire(m.cut)
			}
			if m.cut {
				s.cutBridges(m.backend)
			}
		case drainMessage:
			s.drain()
		case yieldMessage:
			s.yield(m.heir)
		case cutMessage:
			s.cut()
		case hostMessage:
			s.host = m.host
		case bridgeMessage:
			s.current = m.bridge.client
			m.bridge.client.bridged(m.bridge)
		}
		if m.done != nil {
			m.done.report()
		}
	}
}

// drain closes the clients that are between requests, and soon those to whom all is said. The others end with their
// replies.
func (s *splicer) drain() {
	s.draining = true
	for c := s.clients; c != nil; {
		next := c.next
		switch {
		case c.state == stateHead && c.in == nil && !c.readable:
			c.close()
		case c.state == stateLinger:
			c.waits = s.now
			c.lingerOn()
		}
		c = next
	}
}

// cut breaks all connections, those included that have been handed over and not seen. Who still waits for a service is
// told so first.
func (s *splicer) cut() {
	s.draining, s.cutting = true, true
	for c := s.clients; c != nil; {
		next := c.next
		s.severed = s.severed || c.state != stateLinger
		c.dismiss()
		c = next
	}
	for c := s.clients; c != nil; c = s.clients {
		if c.state == stateLinger {
			c.close()
		} else {
			c.abort()
		}
	}
}

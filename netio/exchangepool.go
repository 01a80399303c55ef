package netio

// dropExchange gives an exchange that has ended back to the loop: a client that only waits is a small thing.
func (c *client) dropExchange() {
	c.s.exchanges.put(c.x)
	c.x = nil
}

// An exchangePool is the free list of one loop.
type exchangePool struct{ free []*exchange }

// spareExchanges bounds it.
const spareExchanges = 4096

func (p *exchangePool) get() *exchange {
	n := len(p.free) - 1
	if n < 0 {
		return new(exchange)
	}
	x := p.free[n]
	p.free = p.free[:n]
	return x
}

// put takes x back; nil is allowed.
func (p *exchangePool) put(x *exchange) {
	if invariants && x != nil && x.open {
		panic("an exchange was dropped before its end")
	}
	if x != nil && len(p.free) < spareExchanges {
		p.free = append(p.free, x)
	}
}

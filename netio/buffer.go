package netio

// bufferSize is the size of a pooled buffer: a whole head fits, and it is what one read takes at most.
const bufferSize = maxHead

// A buffer holds bytes that were read and not yet used: data[r:w].
type buffer struct {
	data []byte
	r, w int
}

// bytesOf returns what b holds; b may be nil.
func bytesOf(b *buffer) []byte {
	if b == nil {
		return nil
	}
	return b.data[b.r:b.w]
}

// A bufferPool is the free list of one loop. Most recently used first, so that a quiet loop works in few pages.
type bufferPool struct {
	free []*buffer
	low  int // the fewest that were free since the last trim
}

// spareBuffers stay in the pool however quiet the loop is.
const spareBuffers = 8

func (p *bufferPool) get() *buffer {
	n := len(p.free) - 1
	if n < 0 {
		return &buffer{data: make([]byte, bufferSize)}
	}
	b := p.free[n]
	p.free[n] = nil
	p.free = p.free[:n]
	p.low = min(p.low, n)
	return b
}

// put takes b back; nil is allowed. A buffer of another size was made for one purpose and goes to the collector.
func (p *bufferPool) put(b *buffer) {
	if b == nil || len(b.data) != bufferSize {
		return
	}
	b.r, b.w = 0, 0
	p.free = append(p.free, b)
}

// trim drops half of what nobody needed since the last trim.
func (p *bufferPool) trim() {
	if idle := p.low - spareBuffers; idle > 0 {
		keep := len(p.free) - (idle+1)/2
		clear(p.free[keep:])
		p.free = p.free[:keep]
	}
	p.low = len(p.free)
}

// hold returns a buffer with a copy of p: a pooled one if p fits.
func (p *bufferPool) hold(b []byte) *buffer {
	if len(b) > bufferSize {
		return &buffer{data: append([]byte(nil), b...), w: len(b)}
	}
	h := p.get()
	h.w = copy(h.data, b)
	return h
}

package netio

import "sync/atomic"

// A table finds the conn of a file descriptor. All loops share one. The front publishes a connection here before it adds
// the descriptor to a loop's epoll: that the kernel then reports it is no synchronisation in Go's memory model, the
// atomic pointer is. It grows by chunks that are never moved or freed.
type table struct {
	chunks [1 << (tableBits - chunkBits)]atomic.Pointer[chunk]
}

const (
	tableBits = 20 // descriptors beyond a million are refused
	chunkBits = 10
)

type chunk [1 << chunkBits]atomic.Pointer[conn]

func (t *table) get(fd int) *conn {
	if c := t.chunks[fd>>chunkBits].Load(); c != nil {
		return c[fd&(1<<chunkBits-1)].Load()
	}
	return nil
}

// put publishes c as the owner of fd. It returns false if fd is beyond the table.
func (t *table) put(fd int, c *conn) bool {
	if fd>>tableBits != 0 {
		return false
	}
	slot := &t.chunks[fd>>chunkBits]
	if slot.Load() == nil {
		slot.CompareAndSwap(nil, new(chunk))
	}
	slot.Load()[fd&(1<<chunkBits-1)].Store(c)
	return true
}

// clear forgets fd, which its owner is about to close.
func (t *table) clear(fd int) {
	t.chunks[fd>>chunkBits].Load()[fd&(1<<chunkBits-1)].Store(nil)
}

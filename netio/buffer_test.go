package netio

import "testing"

func TestBufferPoolGivesMemoryBack(t *testing.T) {
	var p bufferPool
	var all []*buffer
	for range 100 {
		all = append(all, p.get())
	}
	for _, b := range all {
		p.put(b)
	}
	for range 64 {
		p.trim() // nobody needs any
	}
	if n := len(p.free); n != spareBuffers {
		t.Errorf("%d buffers are kept, want %d", n, spareBuffers)
	}
	p.put(&buffer{data: make([]byte, 10)})
	if n := len(p.free); n != spareBuffers {
		t.Error("a buffer of another size was pooled")
	}
}

func TestBufferPoolKeepsWhatIsUsed(t *testing.T) {
	var p bufferPool
	var all []*buffer
	for range 10 {
		for range 100 {
			all = append(all, p.get())
		}
		for _, b := range all {
			p.put(b)
		}
		all = all[:0]
		p.trim()
	}
	if n := len(p.free); n != 100 {
		t.Errorf("%d of 100 buffers in use were kept", n)
	}
}

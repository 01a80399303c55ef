package engine

import (
	"testing"

	"dynapm/actors"
	"dynapm/netio"
)

// TestReplacedAfterTheEnd: of two splicers that meet a run as it ends, one may say so late that its backend is not needed.
func TestReplacedAfterTheEnd(t *testing.T) {
	l, err := netio.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &traffic{backends: map[*actors.Gate][]*netio.Backend{}}
	server, err := tr.serve(netio.Options{Listeners: []*netio.Listener{l}, Admission: &table{}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	gate := actors.NewGate(1, "127.0.0.1:1")
	b, err := netio.NewBackend("127.0.0.1:1", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	tr.opened(gate, b)
	tr.Close(gate, true)
	tr.replaced(gate, b)
	if len(tr.backends) > 0 {
		t.Error("a run that has ended is kept")
	}
}

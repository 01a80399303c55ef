package engine

import (
	"testing"

	"dynapm/netio"
)

// TestAnyPortIsInherited: a config that leaves the port open gets that of the engine before, and none that it names
// elsewhere.
func TestAnyPortIsInherited(t *testing.T) {
	before := &sockets{}
	defer before.close()
	if err := before.open([]string{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.2:0"}, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	next := &sockets{}
	defer next.close()
	for index, l := range before.public {
		if err := next.add(dupOf(t, l), "the engine before this one", index); err != nil {
			t.Fatal(err)
		}
	}
	addresses := []string{"127.0.0.1:0", before.public[0].Addr().String()}
	if err := next.open(addresses, ""); err != nil {
		t.Fatal(err)
	}
	for n, want := range []int{1, 0} {
		if got := next.public[n].Addr(); got != before.public[want].Addr() {
			t.Errorf("for %s it listens on %v; want %v", addresses[n], got, before.public[want].Addr())
		}
	}
	unwanted := 0
	next.settle(func(i *inherited) {
		unwanted++
		if i.address != before.public[2].Addr() {
			t.Errorf("%v is not used", i.address)
		}
	})
	if unwanted != 1 {
		t.Errorf("%d sockets are not used; want 1", unwanted)
	}
}

func dupOf(t *testing.T, l *netio.Listener) int {
	t.Helper()
	fd, err := l.Dup()
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

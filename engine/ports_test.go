package engine

import (
	"fmt"
	"testing"
)

func TestPortsAreTheSameAgain(t *testing.T) {
	for _, name := range []string{"a", "blog", "a-service-with-a-long-name"} {
		first, err := newPorts().choose(name)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := newPorts().choose(name); again != first {
			t.Errorf("%s got port %d, then %d", name, first, again)
		}
	}
}

func TestPortsAreDistinctUntilNoneIsLeft(t *testing.T) {
	p := newPorts()
	taken := p.first + 17
	p.take(taken)
	seen := map[int]bool{taken: true}
	for i := range p.count - 1 {
		port, err := p.choose(fmt.Sprint("service-", i))
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] || port < p.first || port >= p.first+p.count {
			t.Fatalf("service-%d got port %d, which is taken or outside the range", i, port)
		}
		seen[port] = true
	}
	if port, err := p.choose("one-too-many"); err == nil {
		t.Errorf("got port %d where none is left, want an error", port)
	}
}

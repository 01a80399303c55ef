package actors

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// guest is somebody who waits: a request, which is its own Waiter, or somebody with an order.
type guest struct {
	t       *tenant
	v       *Service // that is waited for
	number  int
	order   *caller // nil: a request
	down    bool    // wants the service to be down
	settled bool    // answered
	left    bool    // an answer may be on its way all the same
}

func (g *guest) String() string { return fmt.Sprintf("guest %d", g.number) }

func (r *room) newcomer(t *tenant) *guest {
	r.guests++
	g := &guest{t: t, v: t.v, number: r.guests}
	t.waiting = append(t.waiting, g)
	return g
}

// orderer is a newcomer with an order.
func (r *room) orderer(t *tenant, down bool) *guest {
	g := r.newcomer(t)
	g.order, g.down = newCaller(), down
	r.orders = append(r.orders, g)
	return g
}

// waiter is g as its service knows it.
func (g *guest) waiter() Waiter {
	if g.order != nil {
		return g.order
	}
	return g
}

// gives is Service.call, but for the waiting.
func (g *guest) gives(order Event) {
	if !g.v.tell(order) {
		g.Refuse(*ErrClosing)
	}
}

// hear takes the answers to orders.
func (r *room) hear() {
	for _, g := range r.orders {
		select {
		case err := <-g.order.answer:
			if refusal, refused := errors.AsType[*Refusal](err); refused {
				g.Refuse(*refusal)
			} else {
				g.Grant()
			}
		default:
		}
	}
}

// whoIs is a waiter as the transcript tells it.
func (r *room) whoIs(w Waiter) Waiter {
	switch w := w.(type) {
	case *caller:
		for _, g := range r.orders {
			if g.order == w {
				return g
			}
		}
	case *need:
		return named(w.by.Name())
	}
	return w
}

// named is a waiter of which there is nothing but the name.
type named string

func (named) Grant()         {}
func (named) Refuse(Refusal) {}

func (g *guest) answered() {
	if g.settled {
		g.t.room.fail("%v was answered twice", g)
	}
	g.settled = true
	g.depart()
}

func (g *guest) depart() {
	g.left = true
	g.t.waiting = slices.DeleteFunc(g.t.waiting, func(o *guest) bool { return o == g })
}

func (g *guest) Refuse(x Refusal) {
	g.t.room.note("%v of %s is refused: %v", g, g.t.name, x.Reason)
	g.answered()
}

func (g *guest) Grant() {
	r := g.t.room
	r.note("%v of %s is granted", g, g.t.name)
	gone := g.left
	g.answered()
	if gone {
		return
	}
	if left := g.t.alive(); g.down && left != "" {
		r.fail("%v was told that %s is down, and there is %s", g, g.t.name, left)
	}
	if engine := r.engine; g.order == nil {
		g.t.coming++
		r.in(r.upTo(1500*time.Millisecond), func() {
			if g.t.coming--; r.engine == engine {
				g.come()
			}
		})
	}
}

// come is what a request does that was granted its wait.
func (g *guest) come() {
	r := g.t.room
	if r.chance(10) {
		r.note("%v does not come", g)
		g.v.Cancel(g)
		return
	}
	switch gate := g.v.Claim(g); {
	case gate == nil:
		g.t.wait()
	case gate.Ended(): // it was cut before
		gate.Release()
	default:
		g.t.hold(gate, false)
	}
}

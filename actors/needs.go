package actors

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// needs are what a run has of the services that its own depends on: they are kept
// up from before its launch until nothing of it is left. It is there exactly if
// there is a run, which may be one that was adopted.
type needs struct {
	run     Run     // 0: none are kept up
	missing []*need // whose answer the start of the run waits for
}

// need waits for one service to be up, for the start of another.
type need struct {
	of, by *Service
}

// Messages to an instance, of its needs.
type (
	provided struct{ need *need }
	denied   struct {
		need    *need
		refusal Refusal
	}
)

func (n *need) Grant()           { n.by.tell(provided{n}) }
func (n *need) Refuse(r Refusal) { n.by.tell(denied{n, r}) }

// needOf is the ground for keeping a service up that another depends on.
func needOf(name string) Ground { return Ground{By: name, Why: name + " depends on it"} }

// ask has all at once come up that the service depends on, and then asks for the
// turn of the start: nobody waits for another in a turn of his own.
func (i *instance) ask(r Run) {
	if len(i.dependsOn) == 0 {
		i.askTurn(r, "")
		return
	}
	now := time.Now()
	n := &i.legacy.needs
	i.forgetMissing(now)
	n.run = r
	for _, of := range i.dependsOn {
		one := &need{of, i.Service}
		n.missing = append(n.missing, one)
		if !of.tell(KeepUp{needOf(i.Name()), one, now}) {
			one.Refuse(Refusal{Reason: Closing})
		}
	}
	i.answer(Queued{Fact{r, now}, n.names()})
}

// names are those of the missing.
func (n *needs) names() string {
	names := make([]string, len(n.missing))
	for at, one := range n.missing {
		names[at] = one.of.Name()
	}
	return strings.Join(names, ", ")
}

// provided goes on with a start when nothing is missing any more.
func (i *instance) provided(one *need) {
	n := &i.legacy.needs
	at := slices.Index(n.missing, one)
	if at < 0 {
		return // of a start that was given up
	}
	n.missing = slices.Delete(n.missing, at, at+1)
	switch {
	case len(n.missing) > 0:
		i.turn(Queued{Fact{n.run, time.Now()}, n.names()})
		return
	case i.lacks():
		i.ask(n.run)
	default:
		i.askTurn(n.run, one.of.Name()+" is up")
	}
	i.goOn()
}

// turnCame begins a start that has waited for its turn. Something that it depends on may have gone down meanwhile, and
// have a start of its own to wait for: then the turn is left to that.
func (i *instance) turnCame(e TurnCame) {
	if i.machine.stale(e) || !i.lacks() {
		i.turn(e)
		return
	}
	i.endTurn()
	i.ask(e.Run)
	i.goOn()
}

// lacks tells whether something that the service depends on was up, and may be no longer. Its owner is asked then.
func (i *instance) lacks() bool {
	return slices.ContainsFunc(i.dependsOn, func(of *Service) bool {
		g := of.gate.Load()
		return g == nil || !g.isOpen()
	})
}

// denied gives up a start. What was asked for the others comes up and sleeps again.
func (i *instance) denied(one *need, r Refusal) {
	if !slices.Contains(i.legacy.needs.missing, one) {
		return
	}
	r.Detail = one.of.Name() + ", which it depends on, is not up: " + cmp.Or(r.Detail, r.Reason.String())
	i.turn(Lacking{Fact{i.legacy.needs.run, time.Now()}, r})
}

// keep has what a run depends on kept up that was not launched here, but adopted.
func (i *instance) keep() {
	n := &i.legacy.needs
	if n.run == i.machine.run {
		return
	}
	n.run = i.machine.run
	for _, of := range i.dependsOn {
		of.tell(KeepUp{needOf(i.Name()), nil, time.Now()})
	}
}

// letGo ends the needs of a run of which nothing is left.
func (i *instance) letGo() {
	n := &i.legacy.needs
	if n.run == 0 {
		return
	}
	now := time.Now()
	i.forgetMissing(now)
	n.run = 0
	for _, of := range i.dependsOn {
		of.tell(LetGo{i.Name(), i.Name() + ", which depends on it, is down", now})
	}
}

func (i *instance) forgetMissing(now time.Time) {
	n := &i.legacy.needs
	for _, one := range n.missing {
		one.of.tell(Cancel{one, now})
	}
	n.missing = nil
}

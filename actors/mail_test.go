package actors

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// mail has the messages of all actors of one system, and delivers them one at a time, in an order of chance: no actor
// runs but in deliver. What is told to one actor stays in its order, as in protoactor's own mailbox.
type mail struct {
	news chan struct{} // holds one when something was posted
	// stale tells of a timer that was replaced in the turn that set it: whether it
	// has fired by then is not ours to say, so it has not.
	stale func(*box, TimerFired) bool

	mu    sync.Mutex
	boxes []*box
}

// box is the mailbox of one actor.
type box struct {
	mail      *mail
	number    int
	invoker   actor.MessageInvoker
	suspended bool
	system    []any
	user      []any
	fresh     []any // posted since the last delivery, by whoever was faster
}

func newMail() *mail { return &mail{news: make(chan struct{}, 1)} }

func (m *mail) box() actor.Mailbox {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &box{mail: m, number: len(m.boxes)}
	m.boxes = append(m.boxes, b)
	return b
}

func (b *box) RegisterHandlers(i actor.MessageInvoker, _ actor.Dispatcher) { b.invoker = i }
func (b *box) Start()                                                      {}
func (b *box) UserMessageCount() int                                       { return len(b.user) + len(b.fresh) }
func (b *box) PostUserMessage(message any)                                 { b.post(&b.fresh, message) }
func (b *box) PostSystemMessage(message any)                               { b.post(&b.system, message) }

func (b *box) post(to *[]any, message any) {
	b.mail.mu.Lock()
	defer b.mail.mu.Unlock()
	*to = append(*to, message)
	select {
	case b.mail.news <- struct{}{}:
	default:
	}
}

// next takes the message to be delivered next, nil if there is none.
func (m *mail) next(chance *rand.Rand) (b *box, message any, system bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ready []*box
	for _, b := range m.boxes {
		b.fresh = slices.DeleteFunc(b.fresh, func(message any) bool {
			timer, ok := message.(TimerFired)
			return ok && m.stale(b, timer)
		})
		slices.SortStableFunc(b.fresh, func(a, b any) int { return cmp.Compare(rank(a), rank(b)) })
		b.user, b.fresh = append(b.user, b.fresh...), nil
		slices.SortStableFunc(b.system, func(a, b any) int { return cmp.Compare(rank(a), rank(b)) })
		if len(b.system) > 0 || len(b.user) > 0 && !b.suspended {
			ready = append(ready, b)
		}
	}
	if len(ready) == 0 {
		return nil, nil, false
	}
	b = ready[chance.IntN(len(ready))]
	from := &b.user
	if system = len(b.system) > 0; system {
		from = &b.system
	}
	message = (*from)[0]
	*from = slices.Delete(*from, 0, 1)
	return b, message, system
}

// rank orders what several goroutines have posted at one instant, for a schedule to be the same each time: as one of
// them alone would post it.
func rank(message any) int {
	switch message.(type) {
	case *actor.Terminated: // while System.Close hears of the end
		return -1
	case Launched:
		return 1
	case Returned:
		return 2
	case ProbePassed, ProbeFailed:
		return 3
	case StillUp:
		return 4
	case Exited:
		return 5
	case TimerFired:
		return 6
	}
	return 0
}

// deliver has an actor handle one message. It is false if there is none.
func (m *mail) deliver(chance *rand.Rand, tell func(*box, any)) bool {
	b, message, system := m.next(chance)
	if b == nil {
		return false
	}
	tell(b, message)
	b.handle(message, system)
	return true
}

func (b *box) handle(message any, system bool) {
	defer func() {
		if r := recover(); r != nil {
			b.invoker.EscalateFailure(r, message)
		}
	}()
	switch message.(type) {
	case *actor.SuspendMailbox:
		b.suspended = true
	case *actor.ResumeMailbox:
		b.suspended = false
	default:
		if system {
			b.invoker.InvokeSystemMessage(message)
		} else {
			b.invoker.InvokeUserMessage(message)
		}
	}
}

func (b *box) String() string { return fmt.Sprint("actor ", b.number) }

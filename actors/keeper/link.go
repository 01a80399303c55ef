package keeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dynapm/actors/keeper/failpoint"
)

var (
	errLost   = errors.New("the connection to the keeper was lost")
	errUnsent = fmt.Errorf("nothing was sent: %w", errLost)
)

// sendTimeout is how long the keeper may leave its socket unread.
const sendTimeout = 10 * time.Second

// link is one connection of a client with a keeper.
type link struct {
	wire
	pid     int    // of the keeper
	version int    // that both speak
	child   *child // the keeper if this process started it, or nil
	numbers *numbers
	running []Process // what the keeper kept when it was connected

	sending sync.Mutex // held while a frame is written
	mu      sync.Mutex
	id      uint64
	waiting map[uint64]chan frame
	done    chan struct{} // closed when the connection is over
	cause   error         // why it is; set before done is closed
}

// newLink makes a link of a connection on which the keeper said hello.
func (c *Client) newLink(w wire, pid, version int, greeting frame) *link {
	l := &link{
		wire: w, pid: pid, version: version, running: greeting.Processes,
		numbers: c.numbersOf(greeting.Hello.Instance),
		waiting: make(map[uint64]chan frame),
		done:    make(chan struct{}),
	}
	for _, p := range l.running {
		if p.Ready {
			c.noteReady(p)
		}
	}
	c.remember(l.running...)
	return l
}

// receive takes in frames until the connection is over.
func (c *Client) receive(l *link) {
	for {
		f, err := l.read()
		if err != nil {
			l.conn.Close()
			l.cause = err
			close(l.done)
			return
		}
		switch f.Do {
		case doEnded:
			if f.Exit != nil {
				c.noteEnd(l.numbers, f.Seq, *f.Exit)
			}
		case doReady:
			if f.Process != nil {
				c.noteReady(*f.Process)
			}
		case doReply:
			if f.Process != nil && f.Exit == nil {
				// Here rather than where the reply is awaited: the notice of
				// its end may be the very next frame.
				c.remember(*f.Process)
			}
			l.answer(f)
		}
	}
}

// answer gives a reply to whoever waits for it.
func (l *link) answer(f frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if waiter := l.waiting[f.ID]; waiter != nil {
		waiter <- f
		delete(l.waiting, f.ID)
	}
}

// ask sends a request and waits for the reply. It returns errUnsent if the
// keeper has certainly not got it, and errLost if it may have.
func (l *link) ask(ctx context.Context, f frame) (frame, error) {
	waiter := make(chan frame, 1)
	l.mu.Lock()
	l.id++
	f.ID = l.id
	l.waiting[f.ID] = waiter
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.waiting, f.ID)
		l.mu.Unlock()
	}()
	if err := l.send(f); err != nil {
		return frame{}, err
	}
	failpoint.Reached("client.asked")
	select {
	case answer := <-waiter:
		return result(answer)
	case <-l.done:
		// The reply may have been the last thing to arrive.
		select {
		case answer := <-waiter:
			return result(answer)
		default:
			return frame{}, errLost
		}
	case <-ctx.Done():
		return frame{}, fmt.Errorf("the keeper (pid %d) did not answer in time: %w", l.pid, ctx.Err())
	}
}

func result(answer frame) (frame, error) {
	if answer.Failure != nil {
		return frame{}, answer.Failure.error()
	}
	return answer, nil
}

// send writes a frame. A frame that was not written whole is not acted upon.
func (l *link) send(f frame) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	l.conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	err := l.write(f)
	if errors.Is(err, errTooLarge) {
		return err
	}
	if err != nil {
		l.conn.Close() // half a frame may be out
		<-l.done       // so that nobody takes this link for the current one again
		return errUnsent
	}
	return nil
}

// untilGone waits for the end of a keeper that is leaving.
func (l *link) untilGone(ctx context.Context) error {
	ended := l.done
	if l.child != nil {
		ended = l.child.ended
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the keeper (pid %d) does not leave: %w", l.pid, ctx.Err())
	}
}

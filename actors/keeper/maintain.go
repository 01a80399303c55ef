package keeper

import (
	"context"
	"time"

	"dynapm/actors/keeper/failpoint"
)

const (
	reconnectPause    = 50 * time.Millisecond
	reconnectPauseMax = 5 * time.Second
)

// maintain keeps the client linked with a keeper until it is closed.
func (c *Client) maintain(l *link) {
	defer close(c.parted)
	defer c.dir.Close()
	for l != nil {
		go c.receive(l)
		if err := c.attach(l); err != nil {
			c.options.Log.Error("the keeper cannot take over", "pid", l.pid, "cause", err)
			l.conn.Close()
		}
		select {
		case <-l.done:
		case <-c.closing:
			// A close alone is not seen by the other end while a process that
			// is just being forked has a copy of the descriptor.
			_ = l.conn.CloseWrite()
			l.conn.Close()
			return
		}
		c.detach(l.cause)
		c.steady.Lock() // if it was sent away, until that is settled
		closed := c.isClosed()
		c.steady.Unlock()
		if closed {
			return
		}
		c.options.Log.Warn("lost the keeper", "pid", l.pid, "cause", l.cause)
		l = c.reconnect()
	}
}

// attach makes l the link in use. A keeper that is not the one from before is
// first told what that one kept.
func (c *Client) attach(l *link) error {
	if c.told != nil && c.told != l.numbers {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		if _, err := l.ask(ctx, frame{Do: doAdopt, Processes: c.remembered()}); err != nil {
			return err
		}
		failpoint.Reached("client.adopted")
	}
	c.told = l.numbers
	c.mu.Lock()
	c.link = l
	close(c.linked)
	handled := l.numbers.handled
	c.mu.Unlock()
	if handled > 0 {
		// The acknowledgement may have been lost with the last connection.
		return l.send(frame{Do: doAck, Seq: handled})
	}
	return nil
}

func (c *Client) detach(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != nil {
		c.link = nil
		c.linked = make(chan struct{})
	}
	c.reason = reason
}

// reconnect finds or starts a keeper, as often as it takes. It returns nil
// once the client is closed.
func (c *Client) reconnect() *link {
	for pause := reconnectPause; ; pause = min(2*pause, reconnectPauseMax) {
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		l, err := c.connect(ctx)
		cancel()
		if err == nil {
			return l
		}
		if c.isClosed() {
			return nil
		}
		c.options.Log.Error("cannot find the keeper again", "cause", err)
		c.detach(err)
		if !c.pause(context.Background(), pause) {
			return nil
		}
	}
}

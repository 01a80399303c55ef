package keeper

import (
	"sync"

	"dynapm/actors/keeper/failpoint"
)

// numbers counts the notices of one keeper. Each keeper begins anew.
type numbers struct {
	instance string
	seen     uint64 // queued for delivery
	handled  uint64 // delivered
}

// numbersOf returns the numbers of a keeper, which go on over several
// connections with it.
func (c *Client) numbersOf(instance string) *numbers {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.numbers == nil || c.numbers.instance != instance {
		c.numbers = &numbers{instance: instance}
	}
	return c.numbers
}

// delivery is an exit on its way to OnExit, or ready, if that is not nil, on its
// way to OnReady.
type delivery struct {
	numbers *numbers
	seq     uint64
	exit    Exit
	ready   *Process
}

// deliveries is the queue between the connection, which must not wait, and
// OnExit, which may take its time.
type deliveries struct {
	mu     sync.Mutex
	queue  []delivery
	filled chan struct{}
}

func newDeliveries() *deliveries { return &deliveries{filled: make(chan struct{}, 1)} }

func (d *deliveries) put(one delivery) {
	d.mu.Lock()
	d.queue = append(d.queue, one)
	d.mu.Unlock()
	select {
	case d.filled <- struct{}{}:
	default:
	}
}

func (d *deliveries) take() []delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	queue := d.queue
	d.queue = nil
	return queue
}

// remember keeps in mind what runs, for the day the keeper is killed.
func (c *Client) remember(list ...Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range list {
		known, there := c.kept[p.identity()]
		if !there { // else the next keeper knows less of it
			known = p
		} else if known.Logs == (Logs{}) {
			known.Output, known.Logs = p.Output, p.Logs
		}
		c.kept[p.identity()] = known
	}
}

// noteAsked keeps in mind that p was told to end, or a keeper that takes over would grant no time to what it leaves.
func (c *Client) noteAsked(p Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, there := c.kept[p.identity()]; there {
		known.Asked = true
		c.kept[p.identity()] = known
	}
}

// noteReady queues the news that p is ready, unless it is known.
func (c *Client) noteReady(p Process) {
	c.mu.Lock()
	known, there := c.kept[p.identity()]
	if !there {
		known = p
	}
	told := there && known.Ready
	known.Ready = true
	c.kept[p.identity()] = known
	c.mu.Unlock()
	if !told {
		c.exits.put(delivery{ready: &p})
	}
}

// noteEnd queues an exit, unless it is one the keeper only repeats because it
// has not yet seen the acknowledgement.
func (c *Client) noteEnd(n *numbers, seq uint64, exit Exit) {
	c.mu.Lock()
	repeated := seq <= n.seen
	if !repeated {
		n.seen = seq
		delete(c.kept, exit.identity())
	}
	c.mu.Unlock()
	if !repeated {
		c.exits.put(delivery{numbers: n, seq: seq, exit: exit})
	}
}

// deliver calls OnExit and OnReady, in order, until the client is closed. An exit is
// acknowledged afterwards: should this process die in between, the next engine
// gets it.
func (c *Client) deliver() {
	for {
		select {
		case <-c.exits.filled:
		case <-c.closing:
			return
		}
		for _, one := range c.exits.take() {
			if c.isClosed() {
				return
			}
			if one.ready != nil {
				if c.options.OnReady != nil {
					c.options.OnReady(*one.ready)
				}
				continue
			}
			failpoint.Reached("client.told")
			if c.options.OnExit != nil {
				c.options.OnExit(one.exit)
			}
			failpoint.Reached("client.delivered")
			c.mu.Lock()
			one.numbers.handled = one.seq
			to := c.link
			c.mu.Unlock()
			if to != nil && to.numbers == one.numbers {
				// If it is lost, attach sends it again.
				to.send(frame{Do: doAck, Seq: one.seq})
			}
		}
	}
}

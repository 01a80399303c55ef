package takeover

import (
	"errors"
	"fmt"
	"io"
	"time"

	"dynapm/actors/keeper/statedir"

	"golang.org/x/sys/unix"
)

// A Listener is a listening socket that passes to the younger engine.
type Listener struct {
	Address string // that it is bound to, ip:port
	Admin   bool   // it is the admin API's
	FD      int
}

// A Client is a client connection that passes to the younger engine.
type Client struct {
	Listener int    // the index among the listeners that are not the admin API's
	Bytes    []byte // read, and not answered
	FD       int
}

// A Supervisor is who has started an engine and wants to be told of it (sd_notify(3)).
type Supervisor struct {
	Socket   string        `json:"socket"`   // NOTIFY_SOCKET; "": there is none
	Watchdog time.Duration `json:"watchdog"` // how long it waits for a sign of life; 0: for ever
}

// A Use is the leases on a service for requests that the older engine serves.
type Use struct {
	Service string
	Holding int // hold the service up
	Passive int // do not
}

// Predecessor is the engine that is replaced, as the younger one sees it. One goroutine may use it.
type Predecessor struct {
	Pid        int
	Supervisor Supervisor
	Listeners  []Listener // the receiver closes the descriptors

	wire    *wire
	clients []Client // that came before the place was free
}

// ErrAbsent says that no engine runs with the state directory.
var ErrAbsent = errors.New("no engine runs with this state directory")

// Meet finds the engine that runs with the state directory and gets its listening sockets. ErrAbsent: there is none.
func Meet(dir string) (*Predecessor, error) {
	d, err := statedir.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	conn, err := d.Dial("unixpacket", socketName)
	if errors.Is(err, statedir.ErrAbsent) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("cannot reach the engine that runs: %w", err)
	}
	w, err := newWire(conn)
	if err != nil {
		return nil, fmt.Errorf("cannot trust the engine that runs: %w", err)
	}
	p := &Predecessor{Pid: w.pid, wire: w}
	if err := p.meet(); err != nil {
		p.Close()
		return nil, fmt.Errorf("cannot take over from the engine that runs (pid %d): %w", w.pid, err)
	}
	return p, nil
}

func (p *Predecessor) meet() error {
	if err := p.wire.say(packet{Do: doHello, Version: version}); err != nil {
		return err
	}
	for {
		m, err := p.wire.receive(answerTimeout)
		if err != nil {
			return err
		}
		switch {
		case m.Do == doHello:
		case m.Do == doListener && m.FD >= 0:
			p.Listeners = append(p.Listeners, Listener{m.Address, m.Admin, m.FD})
		case m.Do == doReady:
			p.Supervisor = m.Supervisor
			return nil
		default:
			return refusal(m)
		}
	}
}

func refusal(m packet) error {
	m.drop()
	if m.Do == doRefused {
		return errors.New(m.Reason)
	}
	return fmt.Errorf("it says %q, which is not expected here", m.Do)
}

// Take asks for the place and returns when it is free: with the services whose runs the older engine still uses.
func (p *Predecessor) Take() (shared []Use, err error) {
	if err := p.wire.say(packet{Do: doTake}); err != nil {
		return nil, fmt.Errorf("cannot take over: %w", err)
	}
	for {
		m, err := p.wire.receive(takeTimeout)
		if err != nil {
			return nil, fmt.Errorf("cannot take over: the engine that runs (pid %d) does not yield: %w", p.Pid, err)
		}
		switch {
		case m.Do == doClient && m.FD >= 0:
			p.clients = append(p.clients, Client{m.Listener, m.Bytes, m.FD})
		case m.Do == doShared:
			shared = append(shared, m.use())
		case m.Do == doYours:
			return shared, nil
		default:
			return nil, fmt.Errorf("cannot take over from the engine that runs (pid %d): %w", p.Pid, refusal(m))
		}
	}
}

// Follow gives out the clients that come over, whose descriptors are the receiver's, and what is left of the older engine's
// use of services, until it has ended. The error says that it ended in another way than by leaving.
func (p *Predecessor) Follow(adopt func(Client), free func(left Use)) error {
	for _, c := range p.clients {
		adopt(c)
	}
	p.clients = nil
	for {
		m, err := p.wire.receive(0)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case m.Do == doClient && m.FD >= 0:
			adopt(Client{m.Listener, m.Bytes, m.FD})
		case m.Do == doFree:
			free(m.use())
		default:
			return refusal(m)
		}
	}
}

// Close ends the connection, and what has come by it and was not taken. Before Take it tells the older engine to go on.
func (p *Predecessor) Close() {
	p.wire.conn.Close()
	for _, l := range p.Listeners {
		unix.Close(l.FD)
	}
	for _, c := range p.clients {
		unix.Close(c.FD)
	}
	p.Listeners, p.clients = nil, nil
}

package takeover

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"dynapm/actors/keeper/statedir"
)

// Older is the engine that can be replaced.
type Older interface {
	// Listeners are duplicates of all it listens on; they are the caller's.
	Listeners() ([]Listener, error)
	// Supervisor is whom the younger engine is to speak to from then on.
	Supervisor() Supervisor
	// Yield is called when a younger engine asks for the place, from a goroutine of its own. The error says why it cannot
	// have it. Without one the engine ends its say over services, calls Yours, and has clients follow until it ends, by
	// Close of the Successor; or, if the younger one is Gone before anything was ended, it stays.
	Yield(*Successor) error
}

// Offer has the engine be replaced by one that comes. It lasts until Withdraw.
type Offer struct {
	older    Older
	log      *slog.Logger
	dir      *statedir.Dir
	listener *net.UnixListener
	withdraw sync.Once
	meeting  sync.Mutex // one younger engine at a time
}

// Publish begins to offer an engine. It must be the one that has the keeper of the state directory.
func Publish(dir string, older Older, log *slog.Logger) (*Offer, error) {
	d, err := statedir.Open(dir)
	if err != nil {
		return nil, err
	}
	l, err := d.Listen("unixpacket", socketName)
	if err != nil {
		d.Close()
		return nil, err
	}
	o := &Offer{older: older, log: log, dir: d, listener: l}
	go o.accept()
	return o, nil
}

// Withdraw ends the offer, but for an engine that has taken it.
func (o *Offer) Withdraw() {
	o.withdraw.Do(func() {
		o.listener.Close()
		o.dir.Close()
	})
}

// acceptPause is between two tries while there is no descriptor for a connection (accept(2): EMFILE).
const acceptPause = 100 * time.Millisecond

func (o *Offer) accept() {
	for {
		conn, err := o.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			o.log.Warn("an engine that may want to take over was not heard", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		go o.meet(conn)
	}
}

// meet is one younger engine, from its hello to the hand-over.
func (o *Offer) meet(conn *net.UnixConn) {
	w, err := newWire(conn)
	if err != nil {
		o.log.Warn("a connection to take over was refused", "error", err)
		return
	}
	if err = o.negotiate(w); err == nil {
		return
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it left before it took over")
	}
	o.log.Warn("no other engine took over", "pid", w.pid, "error", err)
	conn.Close()
}

// negotiate comes to the hand-over, or to an error.
func (o *Offer) negotiate(w *wire) error {
	if err := o.greet(w); err != nil {
		return err
	}
	if !o.meeting.TryLock() {
		return refuse(w, "another engine is taking over")
	}
	defer o.meeting.Unlock()
	if err := o.present(w); err != nil {
		return err
	}
	s := newSuccessor(w)
	if err := o.older.Yield(s); err != nil {
		defer s.Close()
		return refuse(w, err.Error())
	}
	return nil
}

// refuse tells the younger engine why it cannot take over. What that has said must have been read, or the end of the
// connection would take the answer away.
func refuse(w *wire, reason string) error {
	return errors.Join(errors.New(reason), w.say(packet{Do: doRefused, Reason: reason}))
}

// greet exchanges hellos.
func (o *Offer) greet(w *wire) error {
	m, err := w.receive(answerTimeout)
	if err != nil {
		return err
	}
	m.drop()
	if m.Do != doHello || m.Version != version {
		return refuse(w, fmt.Sprintf("it speaks version %d and this engine version %d; stop this one and start the other", m.Version, version))
	}
	return w.say(packet{Do: doHello, Version: version})
}

// present gives the listeners and waits for the younger engine to be content.
func (o *Offer) present(w *wire) error {
	listeners, err := o.older.Listeners()
	for _, l := range listeners {
		p := packet{Do: doListener, Address: l.Address, Admin: l.Admin, FD: l.FD}
		if err == nil {
			err = w.send(p)
		}
		p.drop()
	}
	if err != nil {
		return err
	}
	if err := w.say(packet{Do: doReady, Supervisor: o.older.Supervisor()}); err != nil {
		return err
	}
	m, err := w.receive(takeTimeout)
	if err == nil && m.Do != doTake {
		err = refusal(m)
	}
	return err
}

package takeover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"dynapm/actors/keeper/statedir"

	"golang.org/x/sys/unix"
)

const (
	socketName = "engine.sock"
	version    = 1

	// maxPacket bounds a packet: 16 KiB of a client's bytes become 22 in base64.
	maxPacket = 64 << 10

	// maxLeases of a service at one time: each has a client, and so a descriptor.
	maxLeases = 1 << 20

	// answerTimeout is what either side has to answer what takes no time; takeTimeout what the older engine has to end its
	// actors and close its store, or the younger one to listen where the older one did not.
	answerTimeout = 5 * time.Second
	takeTimeout   = 30 * time.Second

	// sendTimeout is for how long the other side may take nothing in: as long as a younger engine may need to begin.
	sendTimeout = takeTimeout
)

type verb string

const (
	doHello    verb = "hello"
	doRefused  verb = "refused"
	doListener verb = "listener"
	doReady    verb = "ready"
	doTake     verb = "take"
	doClient   verb = "client"
	doShared   verb = "shared"
	doYours    verb = "yours"
	doFree     verb = "free"
)

// packet is any message; the verb says which fields count.
type packet struct {
	Do       verb   `json:"do"`
	Version  int    `json:"version,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Address  string `json:"address,omitempty"`
	Admin    bool   `json:"admin,omitempty"`
	Listener int    `json:"listener,omitempty"`
	Bytes    []byte `json:"bytes,omitempty"`
	Service  string `json:"service,omitempty"`
	Holding  int    `json:"holding,omitempty"`
	Passive  int    `json:"passive,omitempty"`

	Supervisor Supervisor `json:"supervisor,omitzero"`

	// FD is the descriptor that came along, or is to go; -1: none.
	FD int `json:"-"`
}

// drop closes the descriptor of a packet that has no use for it.
func (p packet) drop() {
	if p.FD >= 0 {
		unix.Close(p.FD)
	}
}

// use bounds what is counted: no engine has that many, and what is computed from it stays in its range.
func (p packet) use() Use {
	return Use{p.Service, min(max(p.Holding, 0), maxLeases), min(max(p.Passive, 0), maxLeases)}
}

// wire is the connection of two engines. Sends are for one goroutine, and so are receives.
type wire struct {
	conn *net.UnixConn
	pid  int // of the other engine
	in   []byte
	oob  []byte

	patience time.Duration // of a send
}

func newWire(conn *net.UnixConn) (*wire, error) {
	who, err := statedir.Peer(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &wire{conn: conn, pid: int(who.Pid), in: make([]byte, maxPacket), oob: make([]byte, unix.CmsgSpace(4)),
		patience: sendTimeout}, nil
}

// say sends a packet without a descriptor.
func (w *wire) say(p packet) error {
	p.FD = -1
	return w.send(p)
}

// send sends p, and waits while the other side does not read, for as long as that may stand still.
func (w *wire) send(p packet) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	var rights []byte
	if p.FD >= 0 {
		rights = unix.UnixRights(p.FD)
	}
	deadline := time.Now().Add(w.patience)
	w.conn.SetWriteDeadline(deadline)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		_, _, err = w.conn.WriteMsgUnix(b, rights, nil)
		// Too many descriptors are on their way (unix(7)): the other side takes some in.
		if !errors.Is(err, unix.ETOOMANYREFS) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
	}
}

// receive waits for a packet for as long as given; 0: for ever. io.EOF is the end of the connection.
func (w *wire) receive(within time.Duration) (packet, error) {
	var deadline time.Time
	if within > 0 {
		deadline = time.Now().Add(within)
	}
	w.conn.SetReadDeadline(deadline)
	n, rights, flags, _, err := w.conn.ReadMsgUnix(w.in, w.oob)
	if err != nil {
		if errors.Is(err, syscall.ECONNRESET) {
			err = io.EOF
		}
		return packet{}, err
	}
	fd, err := descriptor(w.oob[:rights])
	if err != nil {
		return packet{}, err
	}
	if n == 0 {
		return packet{}, io.EOF
	}
	p := packet{FD: fd}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("it was cut off")
	} else {
		err = json.Unmarshal(w.in[:n], &p)
	}
	if err != nil {
		p.drop()
		return packet{}, fmt.Errorf("malformed packet: %w", err)
	}
	return p, nil
}

// gone tells whether the other side has closed the connection. Nothing is read.
func (w *wire) gone() bool {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		gone = n <= 0 && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	return gone || err != nil
}

// descriptor is the one in the control message, which has come with close-on-exec set (package net asks for it); -1 if
// there is none.
func descriptor(oob []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(messages) == 0 {
		return -1, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return -1, err
	}
	return fds[0], nil
}

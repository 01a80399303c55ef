package keeper

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// The protocol: frames of one JSON object and a newline, over the socket of
// the state directory. Each side opens with a hello that says which versions
// it speaks; the connection speaks the newest that both know. Then the engine
// sends requests with ids, each answered by one frame with the same id in any
// order, and the keeper sends notices of ended processes, each numbered and
// repeated on the next connection until it is acknowledged.
const (
	oldestProtocol = 1
	newestProtocol = 3

	// accountProtocol is the first in which a launch can name an account, a umask
	// and limits. Asked by an older one, a keeper would run it as itself.
	accountProtocol = 2

	// notifyProtocol is the first in which a launch can ask for a socket on which
	// the service says that it is ready. An older keeper would not know of it.
	notifyProtocol = 3

	// maxFrame bounds a frame. The kernel takes at most 6 MiB of arguments and
	// environment (execve(2)), of which base64 makes 8.
	maxFrame = 8<<20 + 64<<10
)

type verb string

const (
	doHello    verb = "hello"
	doReply    verb = "reply"
	doLaunch   verb = "launch"
	doSignal   verb = "signal"
	doList     verb = "list"
	doAdopt    verb = "adopt"
	doShutdown verb = "shutdown"
	doEnded    verb = "ended" // notice, with Seq and Exit
	doReady    verb = "ready" // notice, with Process; the list of all that are kept repeats it
	doAck      verb = "ack"   // of all notices up to Seq; has no reply
)

// frame is any message; the verb says which fields count.
type frame struct {
	Do      verb     `json:"do"`
	ID      uint64   `json:"id,omitempty"`
	Failure *failure `json:"failure,omitempty"`
	Hello   *hello   `json:"hello,omitempty"`
	Launch  *launch  `json:"launch,omitempty"`
	// Process is what was launched or is to be signalled. In the reply to a
	// repeated launch, Exit beside it says that it has ended since.
	Process   *Process       `json:"process,omitempty"`
	Processes []Process      `json:"processes,omitempty"`
	Signal    syscall.Signal `json:"signal,omitempty"`
	Seq       uint64         `json:"seq,omitempty"`
	Exit      *Exit          `json:"exit,omitempty"`
}

type hello struct {
	Oldest int `json:"oldest"`
	Newest int `json:"newest"`
	// Instance tells one keeper from the next, whose notices are numbered anew.
	Instance string `json:"instance,omitempty"`
}

// launch is a Command on the wire. What comes from a user's environment or
// file names need not be UTF-8, which a JSON string must be: hence the bytes.
type launch struct {
	Service string   `json:"service"`
	Run     uint64   `json:"run"`
	Role    Role     `json:"role"`
	Argv    [][]byte `json:"argv"`
	Env     [][]byte `json:"env"`
	Dir     []byte   `json:"dir"`
	Output  []byte   `json:"output"`
	Rotate  bool     `json:"rotate,omitempty"`
	As      *Account `json:"as,omitempty"`
	Umask   *int     `json:"umask,omitempty"`
	Limits  Limits   `json:"limits,omitzero"`
	Logs    Logs     `json:"logs,omitzero"`
	Notify  bool     `json:"notify,omitempty"`
	// Token names this launch, so that it can be asked for again when the
	// connection broke before the reply.
	Token string `json:"token"`
	// Repeat says how it is asked for.
	Repeat repeat `json:"repeat,omitempty"`
}

type repeat string

const (
	first     repeat = ""          // run it
	find      repeat = "find"      // only say what became of it
	findOrRun repeat = "findOrRun" // run it if it was not
)

func (c Command) wire() *launch {
	return &launch{
		Service: c.Service, Run: c.Run, Role: c.Role,
		Argv: toBytes(c.Argv), Env: toBytes(c.Env),
		Dir: []byte(c.Dir), Output: []byte(c.Output), Rotate: c.Rotate, Notify: c.Notify,
		As: c.As, Umask: c.Umask, Limits: c.Limits, Logs: c.Logs,
	}
}

func (l *launch) command() Command {
	return Command{
		Service: l.Service, Run: l.Run, Role: l.Role,
		Argv: toStrings(l.Argv), Env: toStrings(l.Env),
		Dir: string(l.Dir), Output: string(l.Output), Rotate: l.Rotate, Notify: l.Notify,
		As: l.As, Umask: l.Umask, Limits: l.Limits, Logs: l.Logs,
	}
}

func toBytes(list []string) [][]byte {
	out := make([][]byte, len(list))
	for i, s := range list {
		out[i] = []byte(s)
	}
	return out
}

func toStrings(list [][]byte) []string {
	out := make([]string, len(list))
	for i, b := range list {
		out[i] = string(b)
	}
	return out
}

// failure is an error on the wire. Kind is for the program, Message for people.
type failure struct {
	Kind    failureKind `json:"kind,omitempty"`
	Message string      `json:"message"`
	Pid     int         `json:"pid,omitempty"` // of the other engine, for failedBusy
}

type failureKind string

const (
	failed        failureKind = ""
	failedBusy    failureKind = "busy"
	failedVersion failureKind = "version"
	failedEnded   failureKind = "ended"
	failedLost    failureKind = "lost"
)

func (f *failure) error() error {
	switch f.Kind {
	case failedBusy:
		return &BusyError{Pid: f.Pid}
	case failedEnded:
		return ErrEnded
	case failedLost:
		return fmt.Errorf("%s: %w", f.Message, ErrLost)
	default:
		return errors.New(f.Message)
	}
}

// asFailure is the way back of failure.error; nil stays nil.
func asFailure(err error) *failure {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrEnded):
		return &failure{Kind: failedEnded, Message: err.Error()}
	default:
		return &failure{Message: err.Error()}
	}
}

// speak returns the version both sides know.
func (h *hello) speak() (int, error) {
	version := min(h.Newest, newestProtocol)
	if version < max(h.Oldest, oldestProtocol) {
		return 0, fmt.Errorf("the other side speaks protocol %d to %d and this one %d to %d", h.Oldest, h.Newest, oldestProtocol, newestProtocol)
	}
	return version, nil
}

// wire reads and writes frames. Reads are for one goroutine, and so are writes.
type wire struct {
	conn *net.UnixConn
	in   *bufio.Scanner
}

func newWire(conn *net.UnixConn) wire {
	in := bufio.NewScanner(conn)
	in.Buffer(make([]byte, 0, 4<<10), maxFrame)
	in.Split(splitFrame)
	return wire{conn: conn, in: in}
}

// splitFrame is bufio.ScanLines, but for a last line without its newline: a
// frame that was cut off is none, even if what is there happens to parse.
func splitFrame(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

func (w wire) read() (frame, error) {
	if !w.in.Scan() {
		if err := w.in.Err(); err != nil {
			return frame{}, err
		}
		return frame{}, errClosed
	}
	var f frame
	if err := json.Unmarshal(w.in.Bytes(), &f); err != nil {
		return frame{}, fmt.Errorf("malformed frame: %w", err)
	}
	return f, nil
}

func (w wire) write(f frame) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if len(b) >= maxFrame {
		return errTooLarge
	}
	_, err = w.conn.Write(append(b, '\n'))
	return err
}

var (
	errClosed   = errors.New("the connection was closed")
	errTooLarge = errors.New("arguments and environment are too large together")
)

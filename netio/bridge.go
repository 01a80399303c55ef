package netio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A bridge leads from a loop to a backend that speaks TLS. crypto/tls blocks, which a loop must not, so it runs on
// goroutines beside it: the loop has one end of a pair of unix sockets, which is an upstream like any other and is
// pooled with all that is behind it; the bridge has the other end, and carries bytes between that and the backend. It
// holds one buffer in each direction and reads no more until that is taken, so a slow reader stops its writer here, too.
//
// It is made by connect, of which the loop hears once (see secure.go), and lasts as long as its upstream: the loop's end
// is closed by upstream.close, which calls end, and everything else by run after that.
type bridge struct {
	loop    *splicer
	client  *client // whose request it is made for
	backend *Backend
	cancel  context.CancelFunc // gives the making up

	// What became of it: set before the loop is told.
	fd  int // the loop's end of the pair
	err *bridgeError

	raw  *rawConn
	tls  *tls.Conn     // on raw
	pair *net.UnixConn // our end
	torn atomic.Bool   // the backend's end came without its close_notify: anybody could have cut the connection there
	over chan struct{} // closed by end
}

// bridgeFiles are the descriptors of a bridge: both ends of the pair, and the connection.
const bridgeFiles = 3

// lingerBridge is how long the backend may take for what is still on its way to it when the loop has closed its end.
const lingerBridge = 5 * time.Second

// A bridgeError is why a bridge could not be made.
type bridgeError struct {
	cause   error
	timeout bool
	final   bool // trying again will not help: what answers is not the server that was meant, or not yet set up as it should be
}

func (e *bridgeError) Error() string { return e.cause.Error() }

func (e *bridgeError) Unwrap() error { return e.cause }

// run makes the bridge, tells the loop, and carries bytes until the loop has closed its end.
func (b *bridge) run(ctx context.Context) {
	sockets := &b.loop.server.sockets
	b.err = b.connect(ctx)
	b.cancel()
	if b.err != nil {
		sockets.Add(-bridgeFiles)
		b.loop.inbox.post(message{kind: bridgeMessage, bridge: b})
		return
	}
	if !b.loop.inbox.post(message{kind: bridgeMessage, bridge: b}) {
		b.discard()
	}
	defer context.AfterFunc(b.loop.server.life, func() { b.raw.Close() })()
	var down sync.WaitGroup
	down.Go(b.down)
	b.up()
	down.Wait()
	<-b.over // closing the pair earlier would break what the loop has yet to read
	b.pair.Close()
	b.raw.Close()
	sockets.Add(1 - bridgeFiles)
}

// connect connects to the backend and makes sure of who it is.
func (b *bridge) connect(ctx context.Context) *bridgeError {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", b.backend.Address)
	if err != nil {
		return b.explain(ctx, "the connection", err)
	}
	if b.raw, err = newRawConn(conn.(*net.TCPConn)); err != nil {
		return b.explain(ctx, "the connection", err)
	}
	config := b.backend.TLS.Clone()
	config.NextProtos = []string{"http/1.1"}
	config.DynamicRecordSizingDisabled = true // small records first are for browsers far away
	b.tls = tls.Client(b.raw, config)
	if err := b.tls.HandshakeContext(ctx); err != nil {
		b.raw.Close()
		return b.explain(ctx, "the TLS handshake", err)
	}
	if err := b.makePair(); err != nil {
		b.raw.Close()
		return b.explain(ctx, "a pair of sockets", err)
	}
	return nil
}

func (b *bridge) makePair() error {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(ends[1]), "bridge")
	defer f.Close() // FileConn has a copy
	pair, err := net.FileConn(f)
	if err != nil {
		unix.Close(ends[0])
		return err
	}
	b.fd, b.pair = ends[0], pair.(*net.UnixConn)
	if b.fd >= b.loop.server.limits.lastFile {
		b.pair.Close()
		unix.Close(b.fd)
		return unix.EMFILE
	}
	return nil
}

// explain says what went wrong, without what differs from one try to the next, and whether another may succeed: a
// service that is coming up refuses a connection, or closes it without a word; one with a bad certificate is up.
func (b *bridge) explain(ctx context.Context, what string, err error) *bridgeError {
	if ctx.Err() == context.DeadlineExceeded {
		return &bridgeError{cause: fmt.Errorf("%s took longer than %v", what, b.loop.server.options.Timeouts.Connect), timeout: true}
	}
	_, notYet := errors.AsType[syscall.Errno](err)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		err = op.Err // the rest names our port
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		err = errors.New("the other side does not speak TLS")
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		const minute = "2006-01-02 15:04 MST" // its own words have the time of now
		err = fmt.Errorf("x509: certificate has expired or is not yet valid: it is for %s to %s",
			invalid.Cert.NotBefore.Format(minute), invalid.Cert.NotAfter.Format(minute))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		err, notYet = errors.New("the other side closed the connection"), true
	}
	return &bridgeError{cause: fmt.Errorf("%s failed: %w", what, err), final: !notYet}
}

// up carries what the loop sends. The end of that is passed on as close_notify; so a tunnel may be closed on one side.
func (b *bridge) up() {
	read, write := carry(b.tls, b.pair)
	if read == io.EOF && write == nil {
		b.tls.CloseWrite()
		return
	}
	b.pair.CloseRead() // the loop sees EPIPE
}

// down carries what the backend sends.
func (b *bridge) down() {
	read, _ := carry(b.pair, b.tls)
	if read != io.EOF || b.raw.ended {
		b.torn.Store(true)
	}
	b.pair.CloseWrite()
}

// carry moves bytes from src to dst until one of them fails; the end of src is io.EOF.
func carry(dst io.Writer, src io.Reader) (read, write error) {
	buffer := make([]byte, bufferSize)
	for {
		n, read := src.Read(buffer)
		if n > 0 {
			if _, err := dst.Write(buffer[:n]); err != nil {
				return nil, err
			}
		}
		if read != nil {
			return read, nil
		}
	}
}

// end lets everything end that is behind the loop's end of the pair, which has been closed. What the loop had sent goes
// out first, unless the run of the backend has ended.
func (b *bridge) end() {
	if b.backend.cut.Load() {
		b.raw.Close()
	} else {
		now := time.Now()
		b.raw.SetReadDeadline(now)
		b.raw.SetWriteDeadline(now.Add(lingerBridge))
	}
	close(b.over)
}

// discard ends a bridge that nobody waits for any more.
func (b *bridge) discard() {
	unix.Close(b.fd)
	b.loop.server.sockets.Add(-1)
	b.end()
}

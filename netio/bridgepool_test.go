package netio

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
)

// TestIdleBridges: a pooled connection is closed with its run, with its age, and when the backend says anything.
func TestIdleBridges(t *testing.T) {
	a := newAuthority(t)
	for name, end := range map[string]func(r *rig, p *securePeer){
		"retired":          func(r *rig, _ *securePeer) { <-r.Retire(r.service().backend.Load(), false) },
		"drained":          func(r *rig, _ *securePeer) { r.Drain(context.Background()) },
		"old":              func(*rig, *securePeer) {},
		"the backend ends": func(_ *rig, p *securePeer) { p.secure.CloseWrite() },
		"it is cut off":    func(_ *rig, p *securePeer) { p.TCPConn.CloseWrite() },
		"unexpected bytes": func(_ *rig, p *securePeer) { p.send(ok2) },
	} {
		t.Run(name, func(t *testing.T) {
			address, accept := secureScripted(t, a.good())
			r, _ := secureRig(t, address, a.trusted("127.0.0.1"))
			c := r.dial()
			c.send(get("/"))
			p := accept()
			p.head()
			p.send(ok2)
			c.wantReply("GET", 200, "ok")
			eventually(t, "it is pooled", func() bool { return r.Counters().BackendIdle == 1 })
			end(r, p)
			p.wantOver()
			nothingLeft(t, r)
		})
	}
}

// TestTLSRetry: a pooled connection that the backend closes under a request is not the end of that request. One that
// may not be repeated is not sent on a connection that is known to be dead.
func TestTLSRetry(t *testing.T) {
	a := newAuthority(t)
	address, accept := secureScripted(t, a.good())
	r, _ := secureRig(t, address, a.trusted("127.0.0.1"), func(o *Options) { o.Splicers = 1 })
	c := r.dial()
	c.send(get("/"))
	p := accept()
	p.head()
	p.send(ok2)
	c.wantReply("GET", 200, "ok")
	bridgesAtRest(t, 1)
	c.send(get("/"))
	p.head()
	p.Close()
	p = accept()
	p.head()
	p.send(ok2)
	c.wantReply("GET", 200, "ok")

	for range 20 {
		p.Close()
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
		p = accept()
		p.head()
		p.expect("x")
		p.send(ok2)
		c.wantReply("POST", 200, "ok")
	}
}

// TestTLSExcess: what a backend says behind the end of a reply is nobody's reply, also when it is still in the bridge,
// in a record of its own, as the next request comes.
func TestTLSExcess(t *testing.T) {
	const excess = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nexcess"
	a := newAuthority(t)
	config := a.good()
	address := backend(t, func(p *peer) {
		held := &heldConn{Conn: p.TCPConn}
		secure := tls.Server(held, config)
		q, err := http.ReadRequest(bufio.NewReader(secure))
		switch {
		case err != nil: // retired, or the test is over
		case q.Method == "HEAD":
			held.hold = true
			io.WriteString(secure, ok2[:len(ok2)-len("ok")])
			io.WriteString(secure, excess)
			p.Write(held.held)
			io.Copy(io.Discard, secure)
		default:
			io.WriteString(secure, ok2)
		}
	})
	r, _ := secureRig(t, address, a.trusted("127.0.0.1"), func(o *Options) { o.Splicers = 1 })
	for range 50 {
		c := r.dial()
		c.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/"))
		c.wantReply("HEAD", 200, "")
		c.wantReply("GET", 200, "ok")
	}
}

// A heldConn keeps back what is written, if told to.
type heldConn struct {
	net.Conn
	hold bool
	held []byte
}

func (c *heldConn) Write(p []byte) (int, error) {
	if c.hold {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

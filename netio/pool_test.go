package netio

import (
	"io"
	"sync/atomic"
	"testing"
)

// TestExcessWithinATurn has a backend send the body of its reply to a HEAD when the next request is already on its way,
// in the same turn of the loop: nobody has told the loop of it, and still it must not be read as that request's reply.
func TestExcessWithinATurn(t *testing.T) {
	speak, spoken := make(chan struct{}), make(chan struct{})
	var asked atomic.Bool
	r := newRig(t, backend(t, func(p *peer) {
		p.head()
		if asked.Swap(true) {
			io.WriteString(p, ok2)
			return
		}
		io.WriteString(p, "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n")
		<-speak
		io.WriteString(p, evil)
		close(spoken)
		p.wantOver()
	}), func(o *Options) {
		o.Splicers = 1
		o.Admission.(*gates).routed = func(_ int, _, path string) {
			if path == "/second" {
				close(speak)
				<-spoken
			}
		}
	})
	c := r.dial()
	c.send("HEAD /first HTTP/1.1\r\nHost: a\r\n\r\n" + get("/second"))
	c.wantReply("HEAD", 200, "")
	c.wantReply("GET", 200, "ok")
}

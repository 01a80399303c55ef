package netio

import (
	"io"
	"net/http"
	"testing"
)

func TestGet(t *testing.T) {
	r := newRig(t, handler(t, func(w http.ResponseWriter, q *http.Request) {
		io.WriteString(w, q.Method+" "+q.Host+" "+q.RequestURI+" "+q.Header.Get("X-Forwarded-For"))
	}))
	c := r.dial()
	for range 3 {
		c.send(get("/a?"))
		c.wantReply("GET", 200, "GET a.example /a? 127.0.0.1")
	}
	if n := r.Counters(); n.Requests != 3 || n.BackendConnects != 1 || n.BackendReuses != 2 {
		t.Errorf("got %+v", n)
	}
}

package netio

import (
	"runtime"
	"strings"
	"testing"
)

// asleep tells whether an evio loop sleeps in its callback.
func asleep() bool {
	all := make([]byte, 1<<20)
	all = all[:runtime.Stack(all, true)]
	return strings.Contains(string(all), "netio.(*lodging).host(")
}

// TestQuietFront checks that a front that nobody calls goes to sleep, and that it wakes for everything that may come: a new
// client, the end of a head, the deadline of one, the end of the server.
func TestQuietFront(t *testing.T) {
	r := newRig(t, echo(t), func(o *Options) { o.Timeouts.Head = 8 * short })
	eventually(t, "the front sleeps", asleep)
	c, silent := r.dial(), r.dial()
	c.send("GET / HTTP/1.1\r\n")
	eventually(t, "both were accepted", func() bool { return r.Counters().Accepted == 2 })
	eventually(t, "the front sleeps again", asleep)
	c.send("Host: a\r\n\r\n")
	if resp, _ := c.reply("GET"); resp.StatusCode != 200 {
		t.Errorf("got %s", resp.Status)
	}
	silent.wantEnd()
	if n := r.Counters().Errors.HeadTimeout; n != 1 {
		t.Errorf("%d heads came too late, want 1", n)
	}
	eventually(t, "the front sleeps at the end", asleep)
	r.Close()
	if asleep() {
		t.Error("the front still sleeps after the end")
	}
}

package netio

import (
	"testing"

	"golang.org/x/sys/unix"
)

// groupRig is a rig with a recorder behind it, and what that records of several requests that are sent in one go.
func groupRig(t *testing.T) (r *rig, rec *recorder, canonical string) {
	rec, address := record(t)
	r = newRig(t, address, func(o *Options) { o.Splicers = 1 })
	c := r.dial()
	c.send(allOfSeveral())
	wantSeveral(c)
	return r, rec, rec.take()
}

// wantRecorded compares what the backend has got.
func (rec *recorder) wantRecorded(t *testing.T, how string, i int, want string) {
	t.Helper()
	if got := rec.take(); got != want {
		t.Fatalf("%s %d: the backend got\n%q, want\n%q", how, i, got, want)
	}
}

// TestEveryGrouping sends several requests in every grouping: some in one go, then, when those are answered, the next
// ones. The first group is read by evio, the others are by the loop.
func TestEveryGrouping(t *testing.T) {
	r, rec, canonical := groupRig(t)
	for cuts := range 1 << (len(several) - 1) {
		c := r.dial()
		group, first := "", 0
		for i, s := range several {
			group += s.request
			if i < len(several)-1 && cuts>>i&1 == 0 {
				continue
			}
			c.send(group)
			for _, done := range several[first : i+1] {
				c.wantReply(done.method, 200, done.reply)
			}
			group, first = "", i+1
		}
		c.Close()
		rec.wantRecorded(t, "grouping", cuts, canonical)
	}
}

// TestEverySplitOfANewConnection cuts several pipelined requests in two at every byte, as the first bytes of a
// connection: the first head can be cut while it is evio's, or the hand-over can come in the middle of a later request.
func TestEverySplitOfANewConnection(t *testing.T) {
	r, rec, canonical := groupRig(t)
	all := allOfSeveral()
	for i := 1; i < len(all); i++ {
		c := r.dial()
		c.send(all[:i])
		eventually(t, "the first part was read", func() bool { return r.hasRead(c) })
		c.send(all[i:])
		wantSeveral(c)
		c.Close()
		rec.wantRecorded(t, "cut at", i, canonical)
	}
}

// hasRead tells whether the server has accepted c and taken all that it has sent so far from the kernel.
func (r *rig) hasRead(c *peer) bool {
	for fd := range 1 << 10 {
		if sa, err := unix.Getpeername(fd); err == nil && addrPortOf(sa).String() == c.LocalAddr().String() {
			n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
			return err == nil && n == 0
		}
	}
	return false
}

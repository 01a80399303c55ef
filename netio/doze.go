package netio

import (
	"time"

	"github.com/tidwall/evio"
	"golang.org/x/sys/unix"
)

// evio's loop wakes ten times a second to see that there is nothing to do, and each time the runtime's monitor wakes some
// sixty times more to see whether the thread has come to a rest. So when nobody has connected for a while, the loop is
// sent to sleep in one of its callbacks, on its own epoll descriptor and without a time limit: whatever evio watches for
// ends that sleep, and is still to be seen when evio looks, because evio's epoll is level-triggered.

// dozeAfter is how long nobody has connected then.
const dozeAfter = time.Second

// A doze sends one evio loop to sleep.
type doze struct {
	bell  *bell
	timer *time.Timer
	busy  bool // somebody has connected since the timer was set; of the loop
	epoll int
}

func newDoze(b *bell) *doze {
	d := &doze{bell: b}
	d.timer = time.AfterFunc(time.Hour, b.hush)
	d.timer.Stop()
	return d
}

// begin is called with the first connection of the loop.
func (d *doze) begin(c evio.Conn) {
	d.epoll = epollOf(c)
	d.timer.Reset(dozeAfter)
}

// sleep is called on the loop when the bell says hush. If there was something to do meanwhile, it is too early.
func (d *doze) sleep() {
	if !d.busy {
		fds := []unix.PollFd{{Fd: int32(d.epoll), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); err != unix.EINTR {
				break
			}
		}
	}
	d.busy = false
	d.timer.Reset(dozeAfter)
}

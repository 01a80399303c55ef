package loadtest

import (
	"time"

	"golang.org/x/sys/unix"
)

// voidShare is the share of one core above which a run says more of the generator than of the server. The generator
// is one thread, so it has no second core to turn to.
const voidShare = 0.9

// cpuUsed is the CPU time of this process, all of its threads, in user space and in the kernel.
func cpuUsed() time.Duration {
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) != nil {
		return 0 // it cannot fail on Linux with these arguments
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// meter adds up what the generator itself took while something was measured.
type meter struct {
	elapsed, cpu time.Duration
}

// while runs what is measured.
func (m *meter) while(measured func()) {
	began, used := time.Now(), cpuUsed()
	measured()
	m.elapsed += time.Since(began)
	m.cpu += cpuUsed() - used
}

func (m *meter) generator() Generator {
	g := Generator{CPU: m.cpu.Seconds()}
	if m.elapsed > 0 {
		g.Share = m.cpu.Seconds() / m.elapsed.Seconds()
	}
	g.Void = g.Share > voidShare
	return g
}

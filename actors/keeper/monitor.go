package keeper

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Go's runtime has a thread, its monitor, that looks every 20 us, as long as
// anything runs, whether a goroutine has been in a system call for too long. In a
// process that wakes for one request and sleeps again that is a fourth of its CPU.

// monitorSlack is how late the kernel may wake the monitor (PR_SET_TIMERSLACK of
// prctl(2)), so that it looks once in four milliseconds. Each process has
// that of its parent otherwise, 50 us by default.
const monitorSlack = "4000000" // ns

// monitorTries is how often it is looked whether the monitor sleeps. Most of the
// time it does, but on a busy machine it may have to wait for a CPU.
const monitorTries = 1000

// RelaxMonitor lets the monitor of this process be a little late, and says
// whether that could be done. It is called early, before the monitor has started
// other threads, which have its slack.
func RelaxMonitor() bool {
	// It is the first thread that the runtime makes, and of all that are there now
	// the only one that sleeps by nanosleep(2).
	dir, err := os.Open("/proc/self/task")
	if err != nil {
		return false
	}
	defer dir.Close()
	threads, err := dir.Readdirnames(-1) // in the order in which they were made
	if err != nil || len(threads) < 2 {
		return false
	}
	monitor := threads[1]
	sleeping := strconv.AppendInt(nil, unix.SYS_NANOSLEEP, 10)
	for range monitorTries {
		call, err := os.ReadFile("/proc/self/task/" + monitor + "/syscall")
		if err != nil {
			return false
		}
		if bytes.HasPrefix(call, append(sleeping, ' ')) {
			return os.WriteFile("/proc/"+monitor+"/timerslack_ns", []byte(monitorSlack), 0) == nil
		}
		syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // as long as this goroutine runs, the monitor sleeps for microseconds only
	}
	return false
}

// givenSlack is that of the thread that began this process.
var givenSlack, _ = unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)

// handSlackOn has what the calling thread forks next be given the slack that this
// process was given. The caller has locked the thread.
func handSlackOn() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(givenSlack), 0, 0, 0) }

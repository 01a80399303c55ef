package keeper

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is USER_HZ, the unit of /proc/PID/stat: 100 on amd64 and
// arm64 whatever the kernel's own HZ is.
const ticksPerSecond = 100

// kernelThread is PF_KTHREAD of the kernel's sched.h, in the flags of stat.
const kernelThread = 0x00200000

// procStat is what /proc/PID/stat says of a process (proc_pid_stat(5)).
type procStat struct {
	pid, parent, group, session int
	state                       byte
	start                       uint64 // ticks since boot
	// bare: its environment is empty, or it is a kernel thread and has none.
	bare bool
}

// alive is false for a zombie: it holds nothing and takes no signal.
func (p procStat) alive() bool { return p.state != 'Z' && p.state != 'X' }

// maxStat is more than the kernel writes: a name of 64 bytes and 51 numbers.
const maxStat = 1500

// readStat reads the state of a process; false if there is none. It is read for
// every process of the machine when a service ends, hence plain system calls and
// no garbage.
func readStat(pid int) (procStat, bool) {
	var buf [maxStat]byte
	path := append(strconv.AppendInt(append(buf[:0], "/proc/"...), int64(pid), 10), "/stat"...)
	fd, err := unix.Open(string(path), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return procStat{}, false
	}
	n, err := unix.Read(fd, buf[:])
	unix.Close(fd)
	if err != nil {
		return procStat{}, false
	}
	return parseStat(pid, buf[:n])
}

func parseStat(pid int, b []byte) (procStat, bool) {
	// Field 2 is the name in parentheses, in which anything may stand.
	_, rest, found := bytes.Cut(b[bytes.LastIndexByte(b, ')')+1:], []byte(" "))
	var fields [49][]byte // from field 3 on
	n := 0
	for text := range bytes.FieldsSeq(rest) {
		if n == len(fields) {
			break
		}
		fields[n] = text
		n++
	}
	if !found || n < len(fields) {
		return procStat{}, false
	}
	p := procStat{pid: pid, state: fields[0][0]}
	for i, to := range [...]*int{&p.parent, &p.group, &p.session} {
		n, err := strconv.Atoi(string(fields[1+i]))
		if err != nil {
			return procStat{}, false
		}
		*to = n
	}
	var flags, envStart, envEnd uint64
	for _, one := range [...]struct {
		field int
		to    *uint64
	}{{9, &flags}, {22, &p.start}, {50, &envStart}, {51, &envEnd}} {
		n, err := strconv.ParseUint(string(fields[one.field-3]), 10, 64)
		if err != nil {
			return procStat{}, false
		}
		*one.to = n
	}
	p.bare = flags&kernelThread != 0 || envStart != 0 && envStart == envEnd
	return p, true
}

// processes lists every process of the machine that can be seen.
func processes() ([]procStat, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []procStat
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readStat(pid); ok {
			all = append(all, p)
		}
	}
	return all, nil
}

// ticksNow is the present on the clock of procStat.start.
func ticksNow() uint64 {
	return uint64(sinceBoot() * ticksPerSecond / time.Second)
}

// timeOf turns a start time into wall clock time.
func timeOf(start uint64) time.Time {
	age := sinceBoot() - time.Duration(start)*time.Second/ticksPerSecond
	return time.Now().Add(-age)
}

func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err) // Linux has had this clock since 2.6.39
	}
	return time.Duration(ts.Nano())
}

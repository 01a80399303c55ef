package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// family gives a process and all that descend from it: nginx's workers, the engine's keeper.
func family(root int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		if pid, parent, ok := parseStat(data); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	pids := []int{root}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids, nil
}

// parseStat reads a process's id and its parent's from /proc/PID/stat. The name between them may hold anything, spaces
// and brackets too, so the last bracket ends it.
func parseStat(data []byte) (pid, parent int, ok bool) {
	before, _, found := bytes.Cut(data, []byte(" ("))
	end := bytes.LastIndexByte(data, ')')
	if !found || end < 0 {
		return 0, 0, false
	}
	fields := bytes.Fields(data[end+1:]) // the state, the parent
	if len(fields) < 2 {
		return 0, 0, false
	}
	pid, err := strconv.Atoi(string(before))
	parent, err2 := strconv.Atoi(string(fields[1]))
	return pid, parent, err == nil && err2 == nil
}

// cpuTime is what processes have used of the CPU since they began, in user space and in the kernel, with all their
// threads, those that ended too. It is the sum that /proc/PID/stat shows rounded to ticks of 10 ms, from the process's
// CPU clock, which has nanoseconds.
func cpuTime(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		var used unix.Timespec
		if err := unix.ClockGettime(cpuClock(pid), &used); err != nil {
			return 0, fmt.Errorf("cannot read the CPU clock of process %d: %w", pid, err)
		}
		sum += time.Duration(used.Nano())
	}
	return sum, nil
}

// cpuClock is clock_getcpuclockid(3): the inverted id, shifted, beside CPUCLOCK_SCHED.
func cpuClock(pid int) int32 { return int32(^pid<<3 | 2) }

// memory is what processes have in memory, in bytes.
type memory struct {
	resident float64 // each counted for itself, as ps shows it
	own      float64 // without the pages of files, such as programs, and with what several share divided among them
}

func memoryOf(pids []int) (sum memory, err error) {
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return sum, fmt.Errorf("cannot read the memory of process %d: %w", pid, err)
		}
		resident, ok := parseRollup(data, "Rss:")
		anonymous, ok2 := parseRollup(data, "Pss_Anon:")
		shared, ok3 := parseRollup(data, "Pss_Shmem:")
		if !ok || !ok2 || !ok3 {
			return sum, fmt.Errorf("cannot find Rss, Pss_Anon and Pss_Shmem in /proc/%d/smaps_rollup", pid)
		}
		sum.resident += float64(resident)
		sum.own += float64(anonymous + shared)
	}
	return sum, nil
}

// parseRollup reads a line such as "Rss:  1234 kB".
func parseRollup(data []byte, name string) (int64, bool) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		if fields := bytes.Fields(lines.Bytes()); len(fields) == 3 && string(fields[0]) == name {
			kb, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}

// gatewayOnly leaves of a family those that run the program of the first one: what a gateway has started for others is
// not its own.
func gatewayOnly(pids []int) ([]int, error) {
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pids[0]))
	if err != nil {
		return nil, err
	}
	var own []int
	for _, pid := range pids {
		if at, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && at == program {
			own = append(own, pid)
		}
	}
	return own, nil
}

package keeper

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestMonitorIsLate: in a keeper one thread may be woken late, and it is not the one that began.
func TestMonitorIsLate(t *testing.T) {
	b := newBench(t)
	keeper := b.keeperPid()
	if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", keeper, keeper)); err != nil {
		t.Skip("this kernel does not show what a thread is at:", err)
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", keeper))
	if err != nil {
		t.Fatal(err)
	}
	late := 0
	for _, thread := range threads {
		slack, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns")
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(string(slack)) == monitorSlack {
			late++
			if thread.Name() == strconv.Itoa(keeper) {
				t.Error("the first thread is late")
			}
		}
	}
	if late == 0 {
		t.Error("no thread is late")
	}
}

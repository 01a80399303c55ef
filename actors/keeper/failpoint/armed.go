//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// folder is where a test says at which step this process is to be ended, by the
// file armed, which holds POINT:N=ACTION: the Nth time that a process comes to
// POINT while the file is there, it does ACTION:
//
//	kill  it is ended by SIGKILL
//	stop  it is halted by SIGSTOP, for the test to end it or another
//
// The file is then fired, and holds the pid: one armed point fires once, in
// whatever process. The file reached gets the points that were come to, a line
// each.
var folder = os.Getenv("DYNAPM_FAILPOINT")

var (
	mu      sync.Mutex
	noted   = map[string]bool{}
	present string // what the file said when hits was counted
	hits    int
)

// Reached tells that a step was done.
func Reached(point string) {
	if !slices.Contains(Points, point) {
		panic("failpoint: " + point + " is not among the points")
	}
	if folder == "" {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	if !noted[point] {
		noted[point] = true
		note(point)
	}
	if n, action := armedAt(point); n > 0 {
		if hits++; hits >= n {
			fire(action)
		}
	}
}

// Did tells that an effect was carried out; one that is not among the points is no step.
func Did(effect any) {
	_, name, _ := strings.Cut(fmt.Sprintf("%T", effect), ".")
	if point := "actors." + strings.ToLower(name); slices.Contains(Points, point) {
		Reached(point)
	}
}

func note(point string) {
	f, err := os.OpenFile(filepath.Join(folder, "reached"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.WriteString(point + "\n"); err != nil {
		panic(err)
	}
}

// armedAt returns what is to be done at this point and at which time; 0: nothing.
func armedAt(point string) (n int, action string) {
	text, err := os.ReadFile(filepath.Join(folder, "armed"))
	if err != nil {
		return 0, ""
	}
	if string(text) != present {
		present, hits = string(text), 0
	}
	where, action, _ := strings.Cut(string(text), "=")
	name, count, _ := strings.Cut(where, ":")
	if name != point {
		return 0, ""
	}
	n, err = strconv.Atoi(count)
	if err != nil {
		panic(fmt.Sprintf("failpoint: %q is not POINT:N=ACTION", text))
	}
	return n, action
}

// fire does the action, unless another process was faster.
func fire(action string) {
	firing := filepath.Join(folder, "firing")
	if os.Rename(filepath.Join(folder, "armed"), firing) != nil {
		return
	}
	if err := os.WriteFile(firing, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(firing, filepath.Join(folder, "fired")); err != nil {
		panic(err)
	}
	signal := map[string]syscall.Signal{"kill": syscall.SIGKILL, "stop": syscall.SIGSTOP}[action]
	if signal == 0 {
		panic("failpoint: there is no action " + action)
	}
	// To this thread, so that it comes no further: another one would have to wake up first.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unix.Tgkill(os.Getpid(), unix.Gettid(), signal)
}

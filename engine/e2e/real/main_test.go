package real

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	realSwitch    = "DYNAPM_REAL"         // these tests are wanted
	sweeperSwitch = "DYNAPM_REAL_SWEEPER" // be the sweeper of the test run with this folder
	guestSwitch   = "guest-service"       // the argument before an address: be the service of the tests in the machine
)

// patience is how long anything may take before a test calls it missing. It is no promise of speed: only a test that
// fails ever waits this long.
const patience = 90 * time.Second

// root is the folder of this test run; every process of the tests works in it or has it in its environment.
var root string

func TestMain(m *testing.M) {
	if folder := os.Getenv(sweeperSwitch); folder != "" {
		sweep(folder)
		return
	}
	if len(os.Args) > 2 && os.Args[1] == guestSwitch {
		beService(os.Args[2])
		return
	}
	if os.Getpid() == 1 {
		beGuest(m)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if os.Getenv(realSwitch) == "" {
		return m.Run() // each is skipped
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(root)
	sweeper, err := startSweeper()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer sweeper.Close()
	return m.Run()
}

// prepare makes the folder, which the users of services may enter, and the binary: static, for the container.
func prepare() (err error) {
	// The sockets of Docker's parts have names of at most 108 bytes.
	if root, err = os.MkdirTemp("/tmp", "dynapm-real-"); err != nil {
		return err
	}
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	return compile("build", "-trimpath", "-o", binary(), "dynapm/engine/cmd/dynapm")
}

// compile has the go command make a static program.
func compile(args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// binary is the program under test.
func binary() string { return filepath.Join(root, "bin", "dynapm") }

// startSweeper starts the process that ends what is left of this run if the run breaks off (a timeout, a panic): the
// pipe to it closes with this process, however that ends.
func startSweeper() (io.Closer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), sweeperSwitch+"="+root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C meant for the tests must not end it first
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return pipe, cmd.Start()
}

// sweep waits for the end of the test run with the folder and ends what it left: dockerd first and by itself, as that
// ends its containers, of which nothing tells that they are ours.
func sweep(folder string) {
	io.Copy(io.Discard, os.Stdin)
	dockerd := func() (found []process) {
		return slices.DeleteFunc(within(folder), func(p process) bool { return !strings.HasPrefix(p.command, "dockerd ") })
	}
	for _, p := range dockerd() {
		syscall.Kill(p.pid, syscall.SIGTERM)
	}
	eventuallyIn(30*time.Second, func() bool { return len(dockerd()) == 0 })
	eventuallyIn(10*time.Second, func() bool {
		left := within(folder)
		for _, p := range left {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
		return len(left) == 0
	})
	os.RemoveAll(folder)
}

// eventuallyIn tells whether the condition comes to hold in this time.
func eventuallyIn(patience time.Duration, holds func() bool) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			return false
		}
	}
	return true
}

// number is a whole number of the output of a program.
func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

package e2e

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Environment switches of the test binary.
const (
	serviceSwitch = "DYNAPM_E2E_SERVICE" // be a service; inherited through the engine by everything it starts
	sweeperSwitch = "DYNAPM_E2E_SWEEPER" // be the sweeper of the test run with this mark
	recordsFolder = "DYNAPM_E2E_RECORDS" // where services write what happened to them and find their gates
	markVariable  = "DYNAPM_E2E_MARK"    // one per world; every process of the test has it
)

// patience is how long anything may take before a test calls it missing. It is no promise of speed: only a test that
// fails ever waits this long.
const patience = 30 * time.Second

// runMark tells the processes of this test run from those of another one on the same machine.
var runMark = "e2e-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)

func TestMain(m *testing.M) {
	if mark := os.Getenv(sweeperSwitch); mark != "" {
		sweep(mark)
		return
	}
	if os.Getenv(serviceSwitch) != "" {
		os.Exit(serviceMain(os.Args[1:]))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	flag.Parse()
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if !parallel {
		// The tests wait far more than they compute, so more of them fit than there are cores.
		flag.Set("test.parallel", "6")
	}
	folder, err := os.MkdirTemp("", "dynapm-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	built.folder, armed.folder = folder, folder
	sweeper, err := startSweeper()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer sweeper.Close()
	return m.Run()
}

// program is dynapm, built from this tree at its first use, with the race detector if the tests have it.
type program struct {
	name, tags string
	folder     string
	once       sync.Once
	err        error
}

// The binary under test, and the same with fail points.
var built, armed = program{name: "dynapm"}, program{name: "dynapm-armed", tags: "failpoint"}

// binary gives the path of dynapm.
func binary(t *testing.T) string { return built.path(t) }

func (p *program) path(t *testing.T) string {
	t.Helper()
	path := filepath.Join(p.folder, p.name)
	p.once.Do(func() {
		args := []string{"build", "-o", path, "-tags", p.tags}
		if raceEnabled {
			args = append(args, "-race")
		}
		out, err := exec.Command("go", append(args, "dynapm/engine/cmd/dynapm")...).CombinedOutput()
		if err != nil {
			p.err = fmt.Errorf("cannot build %s: %w\n%s", p.name, err, out)
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return path
}

// startSweeper starts the process that ends what is left of this run if the run breaks off (a timeout, a panic): the
// pipe to it closes with this process, however that ends.
func startSweeper() (io.Closer, error) {
	cmd := exec.Command(self())
	cmd.Env = append(os.Environ(), sweeperSwitch+"="+runMark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C meant for the tests must not end it first
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return pipe, cmd.Start()
}

// sweep waits for the end of the test run with the mark and kills what it left.
func sweep(mark string) {
	io.Copy(io.Discard, os.Stdin)
	for _, p := range marked(mark) {
		syscall.Kill(p.pid, syscall.SIGKILL)
	}
}

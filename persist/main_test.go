package persist

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary is also the process that is killed, or in the way.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "child" {
		// The parent holds the other end: this process never outlives it.
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
		if err := child(os.Args[2], os.Args[3]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	os.Exit(m.Run())
}

func child(mode, dir string) error {
	before := resident()
	began := time.Now()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		return err
	}
	took := time.Since(began)
	ctx := context.Background()
	switch mode {
	case "hold":
		if err := s.PutSync(ctx, Record{Service: "blog"}); err != nil {
			return err
		}
		fmt.Println("open")
		select {}
	case "write":
		return writeOn(ctx, s)
	case "measure":
		runtime.GC()
		fmt.Println(len(s.Records()), took.Microseconds(), resident()-before)
	case "try":
		_, fault := s.Health()
		fmt.Printf("%d records, fault: %v\n", len(s.Records()), fault)
	}
	return s.Close(ctx)
}

// writeOn writes until it is killed, and says what is durable as soon as it is.
func writeOn(ctx context.Context, s *Store) error {
	var run uint64
	for _, r := range s.Records() {
		run = max(run, r.Run)
	}
	for {
		run++
		for _, service := range []string{"blog", "shop"} {
			r := full(service)
			r.Run = run
			if err := s.PutSync(ctx, r); err != nil {
				return err
			}
			fmt.Println(service, run)
			s.Put(Record{Service: "other", Run: run})
			s.Used("other", time.Now())
		}
	}
}

// resident is the memory of this process in KiB, as /proc/self/status says
// (proc_pid_status(5)).
func resident() int {
	b, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	n, _ := strconv.Atoi(strings.Fields(rest)[0])
	return n
}

// process is the test binary as another process.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  *bufio.Reader
	once bool
}

func start(t testing.TB, mode, dir string) *process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, exec.Command(executable, "child", mode, dir))
}

func run(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, out: bufio.NewReader(out)}
	t.Cleanup(p.kill)
	return p
}

// line is the next line that it prints, "" at the end.
func (p *process) line() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil && err != io.EOF {
		p.t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n")
}

func (p *process) kill() {
	if !p.once {
		p.once = true
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

package real

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"
)

// TestLoadtestBesideWrk: `dynapm loadtest` makes at least 0.8 of the requests that wrk makes with the same CPU, against
// the same server. CPU is that of the whole process by getrusage, not of the clock, so that other programs hardly
// matter; the two take turns, and the median of the pairs counts. It does not run beside the other tests.
func TestLoadtestBesideWrk(t *testing.T) {
	if os.Getenv(realSwitch) == "" {
		t.Skip(realSwitch + " is not set; make test-real sets it")
	}
	for _, program := range []string{"wrk", "nginx"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is nothing to compare with: %v; install it, or have engine/e2e/real/install.sh do it", err)
		}
	}
	w := &world{T: t, dir: filepath.Join(root, t.Name()), ports: map[string]int{}}
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	url := w.plainServer()
	const rounds = 9
	var ratios []float64
	for n := range rounds {
		ours, theirs := w.requestsPerCPU(url, n%2 == 0)
		ratios = append(ratios, ours/theirs)
	}
	slices.Sort(ratios)
	t.Logf("%.2f of wrk's requests per CPU second (median of %d pairs from %.2f to %.2f)", ratios[rounds/2], rounds, ratios[0], ratios[rounds-1])
	if ratios[rounds/2] < 0.8 {
		t.Errorf("less than 0.8 of wrk's requests per CPU second: %.2f", ratios)
	}
}

// plainServer is an nginx of one process that answers at once, faster than either generator asks.
func (w *world) plainServer() string {
	w.Helper()
	address := "127.0.0.1:" + w.portText("server")
	file := filepath.Join(w.dir, "nginx.conf")
	text := fmt.Sprintf(`master_process off; daemon off; pid %[1]s/pid; error_log stderr;
events {}
http { access_log off; keepalive_requests 1000000000; server { listen %[2]s; return 200 hello; } }
`, w.dir, address)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", w.dir, "-e", "stderr", "-c", file)
	cmd.Env, cmd.Dir, cmd.Stderr = w.env(), w.dir, os.Stderr
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	w.until("nginx to listen", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return "http://" + address + "/"
}

// requestsPerCPU has both ask the server for a while, one after the other.
func (w *world) requestsPerCPU(url string, wrkFirst bool) (ours, theirs float64) {
	w.Helper()
	const connections, duration = "50", "2s"
	wrk := func() {
		out, cpu := w.cpuOf("wrk", "-t1", "-c", connections, "-d", duration, url)
		found := regexp.MustCompile(`(\d+) requests in`).FindStringSubmatch(out)
		if found == nil {
			w.Fatalf("wrk printed %s", out)
		}
		theirs = float64(number(w.T, found[1])) / cpu.Seconds()
	}
	if wrkFirst {
		wrk()
	}
	_, cpu := w.cpuOf(binary(), "loadtest", "throughput", "-c", connections, "-d", duration, "-warmup", "0", "-url", url, "-report", w.dir)
	var report struct {
		Results []struct{ Requests, Failed int64 }
	}
	data, err := os.ReadFile(filepath.Join(w.dir, "report.json"))
	if err == nil {
		err = json.Unmarshal(data, &report)
	}
	if err != nil || len(report.Results) != 1 || report.Results[0].Failed > 0 {
		w.Fatalf("report.json (%v): %s", err, data)
	}
	ours = float64(report.Results[0].Requests) / cpu.Seconds()
	if !wrkFirst {
		wrk()
	}
	return ours, theirs
}

// cpuOf runs a program, and tells how much CPU it took from its beginning to its end.
func (w *world) cpuOf(program string, args ...string) (out string, cpu time.Duration) {
	w.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Dir = w.env(), w.dir
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if void := errors.As(err, &exit) && exit.ExitCode() == 3; err != nil && !void { // the generator is to be the bottleneck here
		w.Fatalf("%s %q: %v\n%s", program, args, err, text)
	}
	return string(text), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

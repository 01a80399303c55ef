package hello

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asService makes the test binary be `dynapm hello`.
const asService = "DYNAPM_TEST_HELLO"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		os.Exit(Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// command is the demo as a process of its own, with nothing in its environment but env.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append([]string{asService + "=1", "GORACE=atexit_sleep_ms=0"}, env...)
	return cmd
}

func TestServesUntilSIGTERMAndLetsTheLastRequestEnd(t *testing.T) {
	cmd := command(t, []string{"PORT=0"})
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	var url string
	var pid int
	if _, scanned := fmt.Sscanf(first, "hello: awake on %s (pid %d)", &url, &pid); err != nil || scanned != nil {
		t.Fatalf("first line %q (%v, %v)", first, err, scanned)
	}
	if pid != cmd.Process.Pid || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("first line %q; want the default host and pid %d", first, cmd.Process.Pid)
	}

	// A request whose body is still open when the signal arrives: its echo must come back whole.
	body, more := io.Pipe()
	reply := make(chan string, 1)
	request, err := http.NewRequestWithContext(t.Context(), "POST", url+"/echo", body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			reply <- err.Error()
			return
		}
		defer response.Body.Close()
		all, err := io.ReadAll(response.Body)
		reply <- fmt.Sprint(string(all), err)
	}()
	io.WriteString(more, "good ") // returns when the client took it, which is after it connected
	waitUntilCounted(t, url)

	cmd.Process.Signal(syscall.SIGTERM)
	last, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(last, "told to stop") || !strings.Contains(last, "good night") {
		t.Errorf("line on SIGTERM %q (%v)", last, err)
	}
	io.WriteString(more, "bye")
	more.Close()
	if got := <-reply; got != "good bye<nil>" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v; want status 0", err)
	}
}

// waitUntilCounted returns when the service has seen one request beside those asked here.
func waitUntilCounted(t *testing.T, url string) {
	t.Helper()
	for asked := 1; ; asked++ {
		response, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if strings.Contains(string(text), count(int64(asked+1))) {
			return
		}
	}
}

func TestCommandLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())

	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"no PORT", nil, nil, 1, "PORT is not set"},
		{"port taken", []string{"HOST=127.0.0.1", "PORT=" + port}, nil, 1, "cannot listen: listen tcp 127.0.0.1:" + port},
		{"an argument", []string{"PORT=0"}, []string{"world"}, 2, `unexpected argument "world"`},
		{"unknown flag", []string{"PORT=0"}, []string{"-port", "1"}, 2, "-port"},
		{"help", nil, []string{"-h"}, 0, "usage:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := command(t, c.env, c.args...).CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			code := 0
			if exit != nil {
				code = exit.ExitCode()
			}
			if code != c.code || !strings.Contains(string(out), c.says) {
				t.Errorf("exit %d with %q; want %d with %q", code, out, c.code, c.says)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	d := newDemo(nil)
	server := httptest.NewServer(d)
	defer server.Close()
	for _, c := range []struct {
		method, target, accept, body string
		status                       int
		kind, contains               string
	}{
		{"GET", "/", "", "", 200, "text/plain; charset=utf-8", "Hello! I was asleep"},
		{"GET", "/", "*/*", "", 200, "text/plain; charset=utf-8", fmt.Sprintf("process    %d\n", os.Getpid())},
		{"GET", "/", "text/html,*/*;q=0.8", "", 200, "text/html; charset=utf-8", fmt.Sprintf("<dd>%d</dd>", os.Getpid())},
		{"GET", "/", "", "", 200, "text/plain; charset=utf-8", "served     4 requests\n"},
		{"GET", "/", "", "", 200, "text/plain; charset=utf-8", "In some seconds without a request I am stopped"},
		{"GET", "/slow?ms=0", "", "", 200, "", "That took 0 ms"},
		{"GET", "/slow?ms=20", "", "", 200, "", "That took 20 ms"},
		{"GET", "/slow", "", "", 400, "", "ms must be a number"},
		{"GET", "/slow?ms=-1", "", "", 400, "", "ms must be a number"},
		{"GET", "/slow?ms=99999999999", "", "", 400, "", "ms must be a number"},
		{"PUT", "/echo", "", strings.Repeat("abc", 40000), 200, "text/x-test", strings.Repeat("abc", 40000)},
		{"POST", "/", "", "", 405, "", ""},
		{"GET", "/nowhere", "", "", 404, "", ""},
	} {
		request := must(http.NewRequest(c.method, server.URL+c.target, strings.NewReader(c.body)))
		if c.accept != "" {
			request.Header.Set("Accept", c.accept)
		}
		request.Header.Set("Content-Type", "text/x-test")
		response := must(http.DefaultClient.Do(request))
		text := string(must(io.ReadAll(response.Body)))
		response.Body.Close()
		if response.StatusCode != c.status || !strings.Contains(text, c.contains) {
			t.Errorf("%s %s: %d %q; want %d with %q", c.method, c.target, response.StatusCode, text, c.status, c.contains)
		}
		if got := response.Header.Get("Content-Type"); c.kind != "" && got != c.kind {
			t.Errorf("%s %s: content type %q; want %q", c.method, c.target, got, c.kind)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestStreamSendsEventsUntilToldToStop(t *testing.T) {
	leaving := make(chan struct{})
	d := newDemo(leaving)
	d.every = 5 * time.Millisecond
	server := httptest.NewServer(d)
	defer server.Close()
	response := must(http.Get(server.URL + "/stream"))
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	lines := bufio.NewScanner(response.Body)
	for n := 1; n <= 3; n++ {
		for _, want := range []string{fmt.Sprintf("id: %d", n), "event: awake", "data: ", ""} {
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
				t.Fatalf("event %d: line %q (%v); want %q", n, lines.Text(), lines.Err(), want)
			}
		}
	}
	close(leaving)
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream ended with %v; want a clean end", err)
	}
}

package loadtest

import (
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// quiet is the log of servers whose clients are to break things.
var quiet = log.New(io.Discard, "", 0)

// parseFlags reads a command line without the words before the scenario.
func parseFlags(line string) (scenario, options, error) {
	args := strings.Fields(line)
	for _, s := range scenarios() {
		if s.name == args[0] {
			o, err := s.parse(args[1:])
			return s, o, err
		}
	}
	panic("no scenario " + args[0])
}

// runFlags runs a command line, and gives its report.
func runFlags(t testing.TB, line string) (*Report, error) {
	t.Helper()
	s, o, err := parseFlags(line)
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(s, o, nil)
	err = r.do(t.Context(), s)
	return r.report, err
}

func TestFlagsThatCannotBe(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, says := range map[string]string{
		"latency":                                "-url is missing",
		"latency -url x y":                       "unexpected argument",
		"throughput -url x -c 0":                 "-c must be",
		"rate -url x -rate 0":                    "-rate must be",
		"rate -url x -rate NaN":                  "-rate must be",
		"latency -url x -n 0 -d 0":               "there is no end",
		"hold -url x -d 0":                       "there is no end",
		"hold -url x -expect y":                  "not defined: -expect",
		"latency -url x -host a,b":               "only with -compare",
		"coldstart -url x -admin a,b":            "only with -compare",
		"latency -url x -expect @" + empty + "x": "no such file",
		"latency -url x -cacert " + empty:        "no certificate",
	} {
		if _, _, err := parseFlags(line); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", line, err, says)
		}
	}
	for _, line := range []string{"latency -url x -compare y -host a,b", "coldstart -url x -compare y -admin a,b -service c,d"} {
		if _, _, err := parseFlags(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestOneOfTwo(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][2]string{"": {}, "a": {"a", "a"}, "a, b": {"a", "b"}, ",b": {"", "b"}, "a,": {"a", ""}} {
		if got := [2]string{one(list, 0), one(list, 1)}; got != want {
			t.Errorf("%q: %q; want %q", list, got, want)
		}
	}
}

// TestExpectedBody: the body by the flag, or in a file, is what each reply must bring, from the first on.
func TestExpectedBody(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 8 {
			io.WriteString(w, "hell")
		} else {
			io.WriteString(w, "hello")
		}
	}).url.String()
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := runFlags(t, "latency -n 9 -d 0 -warmup 0 -url "+url+" -expect @"+file)
	if got := r.Results[0]; err != nil || asked.Load() != 10 || got.Requests != 9 || got.Errors["wrong body"] != 1 || got.Failed != 1 || !got.BodyChecked {
		t.Errorf("%v, asked %d times: %+v", err, asked.Load(), got)
	}
	for _, wrong := range []string{"jello", ""} {
		if r, err := runFlags(t, "latency -n 9 -url "+url+" -expect="+wrong); err == nil || !strings.Contains(err.Error(), "wrong body") || len(r.Results) != 0 {
			t.Errorf("%q is expected: %v", wrong, err)
		}
	}
}

func TestTargetsThatCannotBe(t *testing.T) {
	t.Parallel()
	for url, says := range map[string]string{
		"ftp://x": "not an http:// or https:// URL", "http://": "not an http", "http://me:secret@localhost/": "not sent",
		"http://127.0.0.1:99999/": "port",
	} {
		if _, err := newTarget(url, ""); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", url, err, says)
		}
	}
	if _, err := newTarget("http://127.0.0.1/", "a\r\nb: c"); err == nil {
		t.Error("a host with a line end")
	}
	for url, where := range map[string]string{
		"http://a.localhost": "127.0.0.1:80", "https://localhost/": "127.0.0.1:443", "127.0.0.1:8000": "127.0.0.1:8000", "https://[::1]:8443": "[::1]:8443",
	} {
		to, err := newTarget(url, "")
		if err != nil || to.where != where || (to.tls != nil) != strings.HasPrefix(url, "https:") {
			t.Errorf("%s: %+v, %v; want %s", url, to, err, where)
		}
	}
}

// TestCommandCanBeRepeated: the report has the command as a shell takes it.
func TestCommandCanBeRepeated(t *testing.T) {
	t.Parallel()
	r := newRun(scenario{}, options{}, []string{"rate", "-expect", "it's {1}", "-host=", "", "-url", "http://a.x:1/b?c=d"})
	if want := `dynapm loadtest rate -expect 'it'\''s {1}' -host= '' -url 'http://a.x:1/b?c=d'`; r.report.Command != want {
		t.Errorf("%s; want %s", r.report.Command, want)
	}
}

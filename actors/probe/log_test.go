package probe

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func newLog(t *testing.T, pattern string) (*os.File, Check) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, Check{Kind: Log, Pattern: regexp.MustCompile(pattern), Output: f.Name()}
}

func write(t *testing.T, f *os.File, text string) {
	t.Helper()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// What is said after the wait has begun is heard, and the address found beside it.
func TestLogIsFollowed(t *testing.T) {
	f, check := newLog(t, "^ready in [0-9]+ ms$")
	write(t, f, "not ready in 5 ms\nrea")
	address := listen(t, "127.0.0.1:0").Addr().String()
	w := newWaiter([]string{freeAddress(t), address}, check, nil)
	defer w.close()
	try, _ := w.try()
	for _, text := range []string{"", "dy in 12", " ms or so\n", "ready", " in 12 ms is a lie\r\nready in 1", "1 ms\r"} {
		write(t, f, text)
		if err := w.once(t.Context(), try); err == nil {
			if text != "1 ms\r" {
				t.Fatalf("found after %q", text)
			}
		} else if want := `its output has no line that matches "^ready in [0-9]+ ms$" yet`; err.Error() != want || text == "1 ms\r" {
			t.Errorf("after %q: %v, want %s", text, err, want)
		}
	}
	if w.result.Address != address || w.result.Listening.IsZero() {
		t.Errorf("%+v", w.result)
	}
}

// A pattern that was there before counts; what listens need not.
func TestLogThatWasWrittenBefore(t *testing.T) {
	f, check := newLog(t, "listening")
	write(t, f, "hello\nlistening on 8000\n"+strings.Repeat("later\n", 20_000))
	nobody := freeAddress(t)
	if r := Wait(long(t), []string{nobody}, check, nil); r.Err != nil || r.Address != nobody || !r.Listening.IsZero() {
		t.Errorf("%+v", r)
	}
	check.Pattern = regexp.MustCompile("said under an earlier engine")
	check.Said = true
	if r := Wait(long(t), []string{nobody}, check, nil); r.Err != nil {
		t.Error(r.Err)
	}
}

// Of a line without an end a bounded part is kept, and what follows it is a line of its own.
func TestLogWithoutLines(t *testing.T) {
	f, check := newLog(t, "^up$|far away")
	w := newWaiter(nil, check, nil)
	defer w.close()
	try, _ := w.try()
	for range 10 {
		write(t, f, strings.Repeat("x", maxLine))
		if err := w.once(t.Context(), try); err == nil {
			t.Fatal("found where there is nothing")
		}
	}
	write(t, f, "far away")
	if err := w.once(t.Context(), try); err == nil || len(w.output.line) != maxLine || cap(w.output.line) > 2*maxLine {
		t.Errorf("%v, and %d bytes of %d are kept", err, len(w.output.line), cap(w.output.line))
	}
	write(t, f, "\nup\n")
	if err := w.once(t.Context(), try); err != nil {
		t.Error(err)
	}
}

// A log can be cut while its writer appends, and it may not be there yet.
func TestLogThatIsCut(t *testing.T) {
	f, check := newLog(t, "^up$")
	path := check.Output
	check.Output += ".later"
	w := newWaiter(nil, check, nil)
	defer w.close()
	try, _ := w.try()
	if err := w.once(t.Context(), try); err == nil {
		t.Fatal("found in no file")
	}
	write(t, f, "a long line\nu")
	if err := os.Rename(path, check.Output); err != nil {
		t.Fatal(err)
	}
	if err := w.once(t.Context(), try); err == nil {
		t.Fatal("found where there is nothing")
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	write(t, f, "up")
	if err := w.once(t.Context(), try); err != nil {
		t.Error(err)
	}
}

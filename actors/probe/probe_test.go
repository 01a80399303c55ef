package probe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tryOnce makes the first try of a Wait: what it says does not hang on how much
// time there is for more.
func tryOnce(t *testing.T, addresses []string, check Check, run func(context.Context) error) Result {
	w := newWaiter(addresses, check, run)
	try, _ := w.try()
	w.result.Err = w.once(t.Context(), try)
	return w.result
}

func long(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patienceInTests)
	t.Cleanup(cancel)
	return ctx
}

func TestStep(t *testing.T) {
	for elapsed, want := range map[time.Duration]time.Duration{
		0:                      200 * time.Microsecond,
		10 * time.Millisecond:  200 * time.Microsecond,
		20 * time.Millisecond:  400 * time.Microsecond,
		50 * time.Millisecond:  time.Millisecond,
		500 * time.Millisecond: 10 * time.Millisecond,
		time.Second:            20 * time.Millisecond,
		time.Hour:              20 * time.Millisecond,
	} {
		if got := step(elapsed); got != want {
			t.Errorf("after %v: %v, want %v", elapsed, got, want)
		}
	}
	for elapsed, want := range map[time.Duration]time.Duration{
		0:                     18 * time.Millisecond,
		18 * time.Millisecond: 18 * time.Millisecond,
		35 * time.Millisecond: time.Millisecond, // not beyond what is expected
		36 * time.Millisecond: 400 * time.Microsecond,
		49 * time.Millisecond: 400 * time.Microsecond,
		50 * time.Millisecond: step(50 * time.Millisecond),
		time.Hour:             20 * time.Millisecond,
	} {
		if got := expectantStep(elapsed, 40*time.Millisecond); got != want {
			t.Errorf("after %v of 40ms: %v, want %v", elapsed, got, want)
		}
	}
	if got := expectantStep(0, time.Second); got != longStep {
		t.Errorf("at the beginning of a second: %v, want %v", got, longStep)
	}
	if gentleStep(0) != 20*time.Millisecond || gentleStep(time.Second) != 100*time.Millisecond || gentleStep(time.Hour) != time.Second {
		t.Error(gentleStep(0), gentleStep(time.Second), gentleStep(time.Hour))
	}
}

func TestTCP(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	began := time.Now()
	for _, check := range []Check{{}, {Kind: TCP}} {
		r := Wait(long(t), []string{address}, check, nil)
		if r.Err != nil || r.Address != address || r.Listening.Before(began) {
			t.Errorf("%+v", r)
		}
	}
	l.Close()
	r := tryOnce(t, []string{address}, Check{}, nil)
	if r.Err == nil || r.Err.Error() != "nothing listens on "+address || !r.Listening.IsZero() || r.Address != address {
		t.Errorf("%+v", r)
	}
}

// A TCP check may look at another port than the one that requests go to.
func TestTCPAtAnotherPort(t *testing.T) {
	door := listen(t, "127.0.0.1:0").Addr().(*net.TCPAddr)
	address := freeAddress(t)
	if r := Wait(long(t), []string{address}, Check{Port: door.Port}, nil); r.Err != nil || r.Address != address {
		t.Errorf("%+v", r)
	}
}

// The service comes up while it is waited for.
func TestComesUp(t *testing.T) {
	address := freeAddress(t)
	result := make(chan Result)
	go func() { result <- Wait(long(t), []string{address}, Check{}, nil) }()
	began := time.Now()
	listen(t, address)
	if r := <-result; r.Err != nil || r.Address != address || r.Listening.Before(began) {
		t.Errorf("%+v, began %v", r, began)
	}
}

// When the wait ends amid a try, the failure of the try before is told.
func TestWaitEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	r := Wait(ctx, []string{freeAddress(t)}, Check{Kind: Command, Command: "check"}, func(ctx context.Context) error {
		if tries++; tries < 3 {
			return errors.New("exit status 1")
		}
		cancel()
		return ctx.Err()
	})
	if r.Err == nil || r.Err.Error() != `"check" failed: exit status 1` || tries != 3 {
		t.Errorf("%v after %d", r.Err, tries)
	}
}

// Of both loopbacks the one that answers is told.
func TestBothLoopbacks(t *testing.T) {
	needIPv6(t)
	for _, host := range []string{"127.0.0.1", "::1"} {
		port := portOf(t, freeAddress(t))
		l := listen(t, net.JoinHostPort(host, port))
		candidates, err := Candidates("localhost:" + port)
		if err != nil {
			t.Fatal(err)
		}
		if r := Wait(long(t), candidates, Check{}, nil); r.Err != nil || r.Address != l.Addr().String() {
			t.Errorf("%+v, want %s", r, l.Addr())
		}
		l.Close()
		r := tryOnce(t, candidates, Check{}, nil)
		want := "nothing listens on 127.0.0.1:" + port + " or [::1]:" + port
		if r.Err == nil || r.Err.Error() != want {
			t.Errorf("%v, want %s", r.Err, want)
		}
	}
}

// A listener whose queue is full does not answer; the try ends in its time.
func TestDoesNotAccept(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + strconv.Itoa(name.(*unix.SockaddrInet4).Port)
	for range 4 { // the queue has room for one
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(s)
		if err := unix.Connect(s, name); err != nil && !errors.Is(err, unix.EINPROGRESS) {
			t.Fatal(err)
		}
	}
	r := tryOnce(t, []string{address}, Check{Timeout: 20 * time.Millisecond}, nil)
	if r.Err == nil || r.Err.Error() != address+" does not accept connections" {
		t.Error(r.Err)
	}
}

// A connect to a closed port of the ephemeral range can connect to itself.
func TestSelfConnect(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	self, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, self); err != nil {
		t.Fatal(err)
	}
	if !toItself(fd) {
		t.Error("a socket connected to itself was not recognised")
	}
	linger, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_LINGER)
	if err != nil || linger == 0 {
		t.Errorf("it would stay in TIME_WAIT: %d, %v", linger, err)
	}
	s, err := connect(long(t), listen(t, "127.0.0.1:0").Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if toItself(int(s)) {
		t.Error("an ordinary connection was taken for one to itself")
	}
}

func TestUnixAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	address := "unix:" + path
	r := tryOnce(t, []string{address}, Check{}, nil)
	if r.Err == nil || r.Err.Error() != "nothing listens on "+address || Listening(address) {
		t.Error(r.Err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if r := Wait(long(t), []string{address}, Check{}, nil); r.Err != nil || r.Address != address || r.Listening.IsZero() {
		t.Errorf("%+v", r)
	}
	serve(t, l, func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "localhost" || r.URL.Path != "/health" {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	for _, url := range []string{"/health", "http://localhost/health"} {
		if r := Wait(long(t), []string{address}, Check{Kind: HTTP, URL: url}, nil); r.Err != nil || r.Address != address {
			t.Errorf("%s: %+v", url, r)
		}
	}
	r = tryOnce(t, []string{"unix:/" + strings.Repeat("x", 108)}, Check{}, nil)
	if r.Err == nil || !strings.HasSuffix(r.Err.Error(), "the path is longer than the 107 bytes of a socket's") {
		t.Error(r.Err)
	}
}

func TestCommand(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	check := Check{Kind: Command, Command: "curl -f x"}
	var tries atomic.Int32
	r := Wait(long(t), []string{"127.0.0.1:1", address}, check, func(context.Context) error {
		if tries.Add(1) < 3 {
			return errors.New("exit status 1")
		}
		return nil
	})
	if r.Err != nil || tries.Load() != 3 || r.Address != address || r.Listening.IsZero() {
		t.Errorf("%+v after %d tries", r, tries.Load())
	}
	r = tryOnce(t, []string{address}, check, func(context.Context) error { return errors.New("exit status 22") })
	if r.Err == nil || r.Err.Error() != `"curl -f x" failed: exit status 22` {
		t.Error(r.Err)
	}
	check.Timeout = 10 * time.Millisecond
	r = tryOnce(t, []string{address}, check, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if r.Err == nil || r.Err.Error() != `"curl -f x" did not end within 10ms` {
		t.Error(r.Err)
	}
	// The command decides, whether or not something listens yet.
	l.Close()
	r = Wait(long(t), []string{address}, check, func(context.Context) error { return nil })
	if r.Err != nil || r.Address != address || !r.Listening.IsZero() {
		t.Errorf("%+v", r)
	}
}

func TestNone(t *testing.T) {
	r := Wait(long(t), []string{"127.0.0.1:1", "[::1]:1"}, Check{Kind: None}, nil)
	if r.Err != nil || r.Address != "127.0.0.1:1" || !r.Listening.IsZero() {
		t.Errorf("%+v", r)
	}
}

func TestNonsense(t *testing.T) {
	for _, tc := range []struct {
		addresses []string
		check     Check
		want      string
	}{
		{nil, Check{}, "there is no address to check"},
		{[]string{"localhost:80"}, Check{}, `cannot connect to "localhost:80": not an address`},
		{[]string{"127.0.0.1:1"}, Check{Kind: "smell"}, `there is no check of type "smell"`},
		{[]string{"127.0.0.1:1"}, Check{Kind: HTTP, URL: "http://%zz"}, "cannot check: "},
	} {
		r := tryOnce(t, tc.addresses, tc.check, nil)
		if r.Err == nil || !strings.Contains(r.Err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc, r.Err, tc.want)
		}
	}
}

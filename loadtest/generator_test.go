package loadtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serve runs a server for a test and gives it as a target.
func serve(t testing.TB, handler http.HandlerFunc) *target {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return targetOf(t, s.URL)
}

func targetOf(t testing.TB, url string) *target {
	t.Helper()
	to, err := newTarget(url, "")
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// load runs a pacer's requests and gives what came of them.
func load(t *testing.T, to *target, clients int, pace pacer) *recorder {
	t.Helper()
	gen, err := newGenerator(to, clients, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer gen.close()
	if err := gen.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	rec := newRecorder(now, 100*time.Millisecond)
	if err := gen.run(t.Context(), pace, rec, now); err != nil {
		t.Fatal(err)
	}
	rec.finish(time.Now())
	return rec
}

func TestClosedLoopKeepsItsConnections(t *testing.T) {
	t.Parallel()
	var asked, opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		io.WriteString(w, "hello")
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	to := targetOf(t, s.URL)
	to.expect = &body{[]byte("hello")}
	rec := load(t, to, 8, closedLoop{bound{requests: 1000}})
	if rec.latency.TotalCount() != 1000 || rec.failed != 0 || asked.Load() != 1000 || opened.Load() != 8 {
		t.Errorf("%d answered, %v, %d asked over %d connections", rec.latency.TotalCount(), rec.errors, asked.Load(), opened.Load())
	}
	var sum int64
	for _, p := range rec.points {
		sum += p.Requests
	}
	if sum != 1000 {
		t.Errorf("the series has %d requests", sum)
	}
}

// TestStallShows: a server that stands still for a second, once, under an open loop. Whoever was due in that second
// waited, although hardly any of them could be sent.
func TestStallShows(t *testing.T) {
	t.Parallel()
	const stall, rate, seconds = time.Second, 200, 3
	var mu sync.Mutex
	asked := 0
	to := serve(t, func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if asked++; asked == rate {
			<-time.After(stall) // the stall itself
		}
	})
	rec := load(t, to, 2, constantRate{bound{duration: seconds * time.Second}, rate})
	if rec.count() != rate*seconds || rec.failed != 0 {
		t.Errorf("%d requests, %v; want %d", rec.count(), rec.errors, rate*seconds)
	}
	if p99 := time.Duration(rec.latency.ValueAtQuantile(99)); p99 < stall*9/10 {
		t.Errorf("p99 is %v with a stall of %v", p99, stall)
	}
	// A second of three: the upper quartile has waited too, however few were in flight.
	if p80 := time.Duration(rec.latency.ValueAtQuantile(80)); p80 < stall/4 {
		t.Errorf("p80 is %v with a stall of %v in %d s", p80, stall, seconds)
	}
}

func TestErrorsAreCountedByKind(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	to := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) % 5 {
		case 0:
			w.WriteHeader(http.StatusBadGateway)
		case 1:
			io.WriteString(w, "jello")
		case 2:
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
		case 3:
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
			conn.Close()
		default:
			io.WriteString(w, "hello")
		}
	})
	to.expect = &body{[]byte("hello")}
	rec := load(t, to, 1, closedLoop{bound{requests: 50}})
	want := map[string]int64{"status 502": 10, "wrong body": 10, "closed before a reply": 10, "closed within a reply": 10}
	if fmt.Sprint(rec.errors) != fmt.Sprint(want) || rec.latency.TotalCount() != 10 || rec.failed != 40 {
		t.Errorf("errors %v, %d good; want %v, 10", rec.errors, rec.latency.TotalCount(), want)
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) // it has the port, and does not listen
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := targetOf(t, fmt.Sprintf("http://127.0.0.1:%d", name.(*unix.SockaddrInet4).Port))
	gen, err := newGenerator(to, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer gen.close()
	now := time.Now()
	rec := newRecorder(now, 0)
	if err := gen.run(t.Context(), closedLoop{bound{requests: 9}}, rec, now); err != nil {
		t.Fatal(err)
	}
	if rec.errors["connect: connection refused"] != 9 || rec.count() != 9 {
		t.Errorf("errors %v", rec.errors)
	}
}

// TestClosedConnectionsAreReplaced: a server may end a connection after a reply, with and without saying so.
func TestClosedConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	to := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	if rec := load(t, to, 4, closedLoop{bound{requests: 100}}); rec.failed != 0 || rec.count() != 100 {
		t.Errorf("%d requests, errors %v", rec.count(), rec.errors)
	}
}

// TestInterruptKeepsWhatWasMeasured: what is in flight is neither good nor bad.
func TestInterruptKeepsWhatWasMeasured(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	to := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 10 {
			cancel()
			<-r.Context().Done()
		}
	})
	gen, err := newGenerator(to, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer gen.close()
	now := time.Now()
	rec := newRecorder(now, 0)
	if err := gen.run(ctx, closedLoop{}, rec, now); err != nil {
		t.Fatal(err)
	}
	if rec.latency.TotalCount() != 10 || rec.failed != 0 {
		t.Errorf("%d good, errors %v; want 10", rec.latency.TotalCount(), rec.errors)
	}
}

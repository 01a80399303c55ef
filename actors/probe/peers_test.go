package probe

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// failed is a try that must fail with these words after the address.
func failed(t *testing.T, address string, check Check, want string) {
	t.Helper()
	r := tryOnce(t, []string{address}, check, nil)
	if r.Err == nil || !strings.HasPrefix(r.Err.Error(), address+want) {
		t.Errorf("%+v: %v, want %q", check, r.Err, want)
	}
}

func serveGRPC(t *testing.T, l net.Listener, register func(*grpc.Server)) {
	s := grpc.NewServer()
	register(s)
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
}

func TestGRPC(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	state := health.NewServer()
	serveGRPC(t, l, func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, state) })
	check := Check{Kind: GRPC}
	if r := tryOnce(t, []string{freeAddress(t), address}, check, nil); r.Err != nil || r.Address != address || r.Listening.IsZero() {
		t.Errorf("%+v", r)
	}
	check.Service = "shop.Orders"
	failed(t, address, check, ` knows no service of that name: "unknown service"`)
	state.SetServingStatus(check.Service, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	failed(t, address, check, " says that it is NOT_SERVING, want SERVING")
	state.SetServingStatus(check.Service, grpc_health_v1.HealthCheckResponse_UNKNOWN)
	failed(t, address, check, " says that it is UNKNOWN, want SERVING")
	result := make(chan Result)
	go func() { result <- Wait(long(t), []string{address}, check, nil) }()
	state.SetServingStatus(check.Service, grpc_health_v1.HealthCheckResponse_SERVING)
	if r := <-result; r.Err != nil {
		t.Error(r.Err)
	}
	// The health of a service may be told at another port than its own.
	elsewhere := freeAddress(t)
	check.Port = l.Addr().(*net.TCPAddr).Port
	if r := tryOnce(t, []string{elsewhere}, check, nil); r.Err != nil || r.Address != elsewhere {
		t.Errorf("%+v", r)
	}
}

func TestNotGRPC(t *testing.T) {
	bare := listen(t, "127.0.0.1:0")
	serveGRPC(t, bare, func(*grpc.Server) {})
	failed(t, bare.Addr().String(), Check{Kind: GRPC}, " has no health service (grpc.health.v1)")

	web := listen(t, "127.0.0.1:0")
	serve(t, web, func(w http.ResponseWriter, r *http.Request) {})
	failed(t, web.Addr().String(), Check{Kind: GRPC}, " did not answer a health check by gRPC: ")

	silent := listen(t, "127.0.0.1:0")
	failed(t, silent.Addr().String(), Check{Kind: GRPC, Timeout: 20 * time.Millisecond},
		" did not answer a health check by gRPC within 20ms")
}

// What arrives in place of a HealthCheckResponse is not taken for one.
func TestGRPCStatus(t *testing.T) {
	for _, tc := range []struct {
		frame  string
		status uint64
		ok     bool
	}{
		{"\x00\x00\x00\x00\x02\x08\x01", 1, true},
		{"\x00\x00\x00\x00\x02\x08\x02", 2, true},
		{"\x00\x00\x00\x00\x00", 0, true},
		{"", 0, false},
		{"\x00\x00\x00\x00", 0, false},
		{"\x01\x00\x00\x00\x02\x08\x01", 0, false}, // compressed
		{"\x00\x00\x00\x00\x03\x08\x01", 0, false}, // cut
		{"\x00\x00\x00\x00\x01\x08", 0, false},
		{"\x00\x00\x00\x00\x02\x10\x01", 0, false}, // another field
		{"\x00\x00\x00\x00\x03\x08\x01\x01", 0, false},
	} {
		status, ok := grpcStatus([]byte(tc.frame))
		if ok != tc.ok || ok && status != tc.status {
			t.Errorf("%q: %d, %t", tc.frame, status, ok)
		}
	}
}

func TestRedis(t *testing.T) {
	db := miniredis.RunT(t)
	address := db.Addr()
	check := Check{Kind: Redis}
	if r := tryOnce(t, []string{freeAddress(t), address}, check, nil); r.Err != nil || r.Address != address || r.Listening.IsZero() {
		t.Errorf("%+v", r)
	}
	db.RequireAuth("open sesame\n")
	failed(t, address, check, ` answered PING with "-NOAUTH`)
	check.Password = "wrong"
	failed(t, address, check, ` answered AUTH with "-WRONGPASS`)
	check.Password = "open sesame\n"
	if r := tryOnce(t, []string{address}, check, nil); r.Err != nil {
		t.Error(r.Err)
	}
	db.SetError("LOADING Redis is loading the dataset in memory")
	failed(t, address, Check{Kind: Redis}, ` answered PING with "-LOADING Redis is loading the dataset in memory", want "+PONG"`)
}

func TestNotRedis(t *testing.T) {
	silent := listen(t, "127.0.0.1:0")
	failed(t, silent.Addr().String(), Check{Kind: Redis, Timeout: 20 * time.Millisecond}, " did not answer PING within 20ms")

	web := listen(t, "127.0.0.1:0")
	serve(t, web, func(w http.ResponseWriter, r *http.Request) {})
	failed(t, web.Addr().String(), Check{Kind: Redis}, ` answered PING with "HTTP/1.1 400 Bad Request", want "+PONG"`)

	closing := listen(t, "127.0.0.1:0")
	go func() {
		if conn, err := closing.Accept(); err == nil {
			conn.(*net.TCPConn).CloseWrite()
		}
	}()
	failed(t, closing.Addr().String(), Check{Kind: Redis}, " closed the connection without an answer to PING")

	babbling := listen(t, "127.0.0.1:0")
	go func() {
		if conn, err := babbling.Accept(); err == nil {
			conn.Write(make([]byte, 2*maxRedisLine))
		}
	}()
	failed(t, babbling.Addr().String(), Check{Kind: Redis}, ` answered PING with "\x00`)
}

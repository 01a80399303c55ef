package probe

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"
)

// patienceInTests is how long a test waits for what is to happen.
const patienceInTests = 20 * time.Second

// The test binary is also the process that holds an address.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "hold" {
		l, err := net.Listen("tcp", os.Args[2])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(l.Addr())
		http.Serve(l, nil)
	}
	os.Exit(m.Run())
}

// listen listens on address until the test ends.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// freeAddress returns an address of 127.0.0.1 on which nothing listens, nor on
// that port of ::1. The port is below the ephemeral range, so that no
// connection of anybody's is given it.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		address := net.JoinHostPort("127.0.0.1", port)
		if Listening(address) {
			continue
		}
		l, err := net.Listen("tcp", ":"+port)
		if err == nil {
			l.Close()
			return address
		}
	}
}

// serve answers on l until the test ends.
func serve(t *testing.T, l net.Listener, handler http.HandlerFunc) {
	t.Helper()
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	s.Start()
	t.Cleanup(s.Close)
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// needIPv6 skips a test on a machine without ::1.
func needIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no ::1")
	}
	l.Close()
}

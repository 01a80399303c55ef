package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
)

const goodReply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

var okRequest = request{[]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), []byte("ok")}

// serve answers each request with what reply says for its number; "" closes the connection.
func serve(t *testing.T, reply func(n int) string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var requests atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				request := make([]byte, len(okRequest.bytes))
				for {
					if _, err := io.ReadFull(conn, request); err != nil {
						return
					}
					answer := reply(int(requests.Add(1)))
					if answer == "" {
						return
					}
					io.WriteString(conn, answer)
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func runLoad(t *testing.T, address netip.AddrPort, clients, requests int, fresh bool) outcome {
	t.Helper()
	l, err := openLoad(address, okRequest, clients, fresh)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	o, err := l.run(context.Background(), requests)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestLoad(t *testing.T) {
	var served atomic.Int64
	address := serve(t, func(int) string { served.Add(1); return goodReply })
	for _, clients := range []int{1, 7, 50} {
		served.Store(0)
		o := runLoad(t, address, clients, 333, false)
		if len(o.Latencies) != 333 || o.Errors != nil || served.Load() != 333 {
			t.Errorf("%d clients: %d good, errors %v, %d served; want 333", clients, len(o.Latencies), o.Errors, served.Load())
		}
		if slices.Min(o.Latencies) <= 0 || o.Elapsed <= 0 {
			t.Errorf("%d clients: a request took %v, all of them %v", clients, slices.Min(o.Latencies), o.Elapsed)
		}
	}
}

// TestLoadCountsErrors: what is wrong is counted, and does not become another request.
func TestLoadCountsErrors(t *testing.T) {
	for kind, reply := range map[string]string{
		"wrong body":                    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
		"wrong length of the body":      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\no",
		"status 502":                    "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
		"closed before the whole reply": "",
		"more bytes than promised":      goodReply + "x",
	} {
		address := serve(t, func(n int) string {
			if n%3 == 0 {
				return reply
			}
			return goodReply
		})
		o := runLoad(t, address, 4, 30, false)
		if len(o.Latencies) != 20 || len(o.Errors) != 1 || o.Errors[kind] != 10 {
			t.Errorf("%s: %d good, errors %v", kind, len(o.Latencies), o.Errors)
		}
	}
}

// TestLoadFresh: each request has a connection of its own, to the end of it.
func TestLoadFresh(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var connections atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				io.ReadFull(conn, make([]byte, len(okRequest.bytes)))
				io.WriteString(conn, goodReply)
				conn.Close()
			}()
		}
	}()
	o := runLoad(t, l.Addr().(*net.TCPAddr).AddrPort(), 5, 100, true)
	if len(o.Latencies) != 100 || o.Errors != nil || connections.Load() < 100 {
		t.Errorf("%d good, errors %v, %d connections", len(o.Latencies), o.Errors, connections.Load())
	}
}

// TestLoadRefused: where nobody listens every request is an error, and the run ends.
func TestLoadRefused(t *testing.T) {
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLoad(address, okRequest, 3, false)
	if err != nil {
		return // refused at once
	}
	defer l.close()
	o, err := l.run(context.Background(), 20)
	sum := 0
	for _, n := range o.Errors {
		sum += n
	}
	if err != nil || len(o.Latencies) != 0 || sum < 20 {
		t.Errorf("%d good, errors %v, %v", len(o.Latencies), o.Errors, err)
	}
}

func TestLoadInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	address := serve(t, func(n int) string {
		if n == 5 {
			cancel()
		}
		return goodReply
	})
	l, err := openLoad(address, okRequest, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if o, err := l.run(ctx, 1<<20); err != errInterrupted || len(o.Latencies) == 1<<20 {
		t.Errorf("%d requests, %v", len(o.Latencies), err)
	}
}

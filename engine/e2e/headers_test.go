package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// head sends the head of a request through to a -raw service and gives the lines that arrived there.
func (e *engine) head(text string) []string {
	e.Helper()
	conn, in := e.dial()
	defer conn.Close()
	e.send(conn, text)
	r := e.receive(in, "GET")
	if r.status != 200 {
		e.Fatalf("got %v", r)
	}
	return strings.Split(strings.TrimSuffix(r.body, "\r\n\r\n"), "\r\n")
}

func TestRequestHeadersReachTheBackend(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  raw:     {run: {{svc "raw" "-raw"}}, base: "http://127.0.0.1:{{port "raw"}}", idleTimeout: 1h, host: raw.localhost}
  target:  {run: {{svc "target" "-raw"}}, base: "http://127.0.0.1:{{port "target"}}", idleTimeout: 1h, hostHeader: target}
  literal: {run: {{svc "literal" "-raw"}}, base: "http://127.0.0.1:{{port "literal"}}", idleTimeout: 1h, hostHeader: inside.example}
`)
	got := e.head("GET /h HTTP/1.1\nHost: Raw.localhost:99\nX-Custom: a  b\nx-lower: c\nX-Dup: 1\nX-Empty:\nX-Dup: 2\n" +
		"Cookie: a=1; b=2\nAccept-Encoding: gzip\nConnection: keep-alive, X-Hop\nX-Hop: secret\nKeep-Alive: timeout=5\n" +
		"Proxy-Connection: keep-alive\nTE: trailers\nUser-Agent: test/1\n\n")
	var kept, added []string
	for _, line := range got[1:] {
		switch name, _, _ := strings.Cut(line, ":"); {
		case strings.HasPrefix(name, "X-Forwarded-"):
			added = append(added, line)
		case name != "Connection" && name != "TE": // what concerns the connection to the backend is the engine's own
			kept = append(kept, line)
		}
	}
	want := []string{"Host: Raw.localhost:99", "X-Custom: a  b", "x-lower: c", "X-Dup: 1", "X-Empty:", "X-Dup: 2", "Cookie: a=1; b=2",
		"Accept-Encoding: gzip", "User-Agent: test/1"}
	for i := range kept {
		kept[i] = strings.TrimRight(kept[i], " ")
	}
	if slices.Sort(kept); !slices.Equal(kept, sorted(want)) {
		t.Errorf("kept %q;\nwant %q", kept, sorted(want))
	}
	want = []string{"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: Raw.localhost:99", "X-Forwarded-Proto: http"}
	if slices.Sort(added); !slices.Equal(added, want) {
		t.Errorf("added %q;\nwant %q", added, want)
	}

	for host, want := range map[string]string{"target": fmt.Sprintf("Host: 127.0.0.1:%d", e.port("target")), "literal": "Host: inside.example"} {
		if got := e.head("GET / HTTP/1.1\nHost: " + host + "\n\n"); !slices.Contains(got, want) || !slices.Contains(got, "X-Forwarded-Host: "+host) {
			t.Errorf("%s got %q; want %s", host, got, want)
		}
	}
}

func sorted(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Sort(lines)
	return lines
}

func TestForwardedHeadersOfTrustedProxies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, config, want string }{
		{"loopback is trusted", "", "X-Forwarded-For: 203.0.113.7, 127.0.0.1"},
		{"others are not", "trustedProxies: [192.0.2.0/24]", "X-Forwarded-For: 127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newWorld(t).start(c.config + `
services:
  raw: {run: {{svc "raw" "-raw"}}, base: "http://127.0.0.1:{{port "raw"}}", idleTimeout: 1h}
`)
			got := e.head("GET / HTTP/1.1\nHost: raw\nX-Forwarded-For: 203.0.113.7\n\n")
			if !slices.Contains(got, c.want) {
				t.Errorf("the backend received %q; want %q", got, c.want)
			}
			if n := strings.Count(strings.ToLower(strings.Join(got, "\n")), "x-forwarded-for:"); n != 1 {
				t.Errorf("%d X-Forwarded-For lines in %q", n, got)
			}
		})
	}
}

// canned is a backend of the test that answers every request with the same bytes.
func canned(t *testing.T, answer string) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					io.WriteString(conn, strings.ReplaceAll(answer, "\n", "\r\n"))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func TestResponseReachesTheClientUnchanged(t *testing.T) {
	t.Parallel()
	address := canned(t, "HTTP/1.1 299 Quite Fine\nSet-Cookie: a=1\nset-cookie: b=2\nX-odd-CASE: yes\nServer: mine/1\nConnection: X-Hop\nX-Hop: no\nContent-Length: 5\n\nhello")
	e := newWorld(t).start(`services: {web: {proxyOnly: true, base: "http://` + address + `"}}`)
	conn, in := e.dial()
	for range 2 { // the second on the same connections
		e.send(conn, "GET / HTTP/1.1\nHost: web\n\n")
		var lines []string
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == "\r\n" {
				break
			}
			if line = strings.TrimSuffix(line, "\r\n"); !strings.HasPrefix(line, "Connection:") {
				lines = append(lines, line)
			}
		}
		want := []string{"HTTP/1.1 299 Quite Fine", "Set-Cookie: a=1", "set-cookie: b=2", "X-odd-CASE: yes", "Server: mine/1", "Content-Length: 5"}
		if !slices.Equal(sorted(lines), sorted(want)) || lines[0] != want[0] {
			t.Errorf("the client received %q; want %q", lines, want)
		}
		body := make([]byte, 5)
		if _, err := io.ReadFull(in, body); err != nil || string(body) != "hello" {
			t.Errorf("body %q (%v)", body, err)
		}
	}
}

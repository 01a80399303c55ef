package netio

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A peer is a TCP connection of a test, at either end, that speaks raw bytes. What fails ends the test.
type peer struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

func newPeer(t testing.TB, c net.Conn) *peer {
	c.SetDeadline(time.Now().Add(patience))
	return &peer{TCPConn: c.(*net.TCPConn), t: t, r: bufio.NewReader(c)}
}

func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatalf("cannot send %.80q: %v", text, err)
	}
}

// expect reads exactly that text.
func (p *peer) expect(text string) {
	p.t.Helper()
	got := make([]byte, len(text))
	n, err := io.ReadFull(p.r, got)
	if string(got[:n]) != text {
		p.t.Fatalf("got %.300q (%v), want %.300q", got[:n], err, text)
	}
}

// head reads to the empty line and returns what it read, with it.
func (p *peer) head() string {
	p.t.Helper()
	var b strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			p.t.Fatalf("a head ends after %.300q: %v", b.String(), err)
		}
		if line == "\r\n" {
			return b.String()
		}
	}
}

// reply reads a response to a request of that method, and its body.
func (p *peer) reply(method string) (*http.Response, string) {
	p.t.Helper()
	resp, err := http.ReadResponse(p.r, &http.Request{Method: method})
	if err != nil {
		p.t.Fatalf("no reply: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("the body breaks after %.80q: %v", body, err)
	}
	return resp, string(body)
}

// wantReply reads a response and compares it.
func (p *peer) wantReply(method string, status int, body string) *http.Response {
	p.t.Helper()
	resp, got := p.reply(method)
	if resp.StatusCode != status || got != body {
		p.t.Fatalf("got %d %.200q, want %d %.200q", resp.StatusCode, got, status, body)
	}
	return resp
}

// wantEnd reads to a clean end.
func (p *peer) wantEnd() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.r); err != nil || len(rest) > 0 {
		p.t.Fatalf("instead of the end came %.200q, %v", rest, err)
	}
}

// wantBreak reads to an end that is not clean.
func (p *peer) wantBreak() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.r); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("instead of a break came %.200q, %v", rest, err)
	}
}

// wantOver reads to an end of either kind.
func (p *peer) wantOver() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.r); errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("instead of an end came %.200q, %v", rest, err)
	}
}

// backend starts a raw TCP server; serve gets each of its connections and closes it by returning.
func backend(t testing.TB, serve func(p *peer)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, syscall.EMFILE) {
				continue // a test has taken all descriptors away, for a moment; a connection need not be there to be told so
			}
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(newPeer(t, c))
			})
		}
	})
	return l.Addr().String()
}

// scripted is a backend for one connection at a time: the test itself speaks for it.
func scripted(t testing.TB) (address string, accept func() *peer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() *peer {
		t.Helper()
		l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		c, err := l.Accept()
		if err != nil {
			t.Fatalf("the backend was not called: %v", err)
		}
		t.Cleanup(func() { c.Close() })
		return newPeer(t, c)
	}
}

// handler starts a net/http server as the backend.
func handler(t testing.TB, f http.HandlerFunc) string {
	t.Helper()
	return serveHandler(t, &http.Server{Handler: f})
}

func serveHandler(t testing.TB, s *http.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

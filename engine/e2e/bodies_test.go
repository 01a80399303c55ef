package e2e

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// patternOf gives the first bytes of the pattern and their hash.
func patternOf(size int64) ([]byte, string) {
	body := make([]byte, size)
	(&pattern{}).Read(body)
	sum := sha256.Sum256(body)
	return body, hex.EncodeToString(sum[:])
}

// large is the size of a body that no proxy should keep in memory.
func large() int64 {
	if os.Getenv("DYNAPM_LARGE") != "" {
		return 1 << 30
	}
	return 64 << 20
}

// memoryBound is by how much the engine may grow while it moves bodies, whatever their size. The race detector keeps
// shadow memory beside each byte.
func memoryBound() int64 {
	if raceEnabled {
		return 40 << 20
	}
	return 16 << 20
}

func TestLargeBodiesWithBoundedMemory(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  store:
    run: {{svc "store"}}
    base: http://127.0.0.1:{{port "store"}}
    idleTimeout: 1h
`)
	e.ask("store", "/")
	before := peakMemory(t, e.cmd.Process.Pid)
	for _, chunked := range []bool{false, true} {
		e.upload(chunked)
		e.download(chunked)
	}
	if grown := peakMemory(t, e.cmd.Process.Pid) - before; grown > memoryBound() {
		t.Errorf("moving bodies of %d MiB, the engine grew by %d MiB; want at most %d", large()>>20, grown>>20, memoryBound()>>20)
	}
	if n := e.starts("store"); n != 1 {
		t.Errorf("started %d times", n)
	}
}

func (e *engine) upload(chunked bool) {
	e.Helper()
	sum := sha256.New()
	request, err := http.NewRequest("POST", "http://store/upload", io.TeeReader(io.LimitReader(&pattern{}, large()), sum))
	if err != nil {
		e.Fatal(err)
	}
	if !chunked {
		request.ContentLength = large()
	}
	r, err := finish(e.client.Do(request))
	if err != nil {
		e.Fatal(err)
	}
	got := e.seen(r)
	if framing := len(got.Framing) > 0; got.Length != large() || got.SHA256 != hex.EncodeToString(sum.Sum(nil)) || framing != chunked {
		e.Errorf("upload (chunked %v): the service received %d bytes with hash %s, framing %v", chunked, got.Length, got.SHA256, got.Framing)
	}
}

func (e *engine) download(chunked bool) {
	e.Helper()
	target := fmt.Sprintf("%s?bytes=%d", atLoad, large())
	if chunked {
		target += "&chunked=1"
	}
	response, err := e.client.Get("http://store" + target)
	if err != nil {
		e.Fatal(err)
	}
	defer response.Body.Close()
	got, want := sha256.New(), sha256.New()
	n, err := io.Copy(got, response.Body)
	io.CopyN(want, &pattern{}, large())
	if known := response.ContentLength == large(); n != large() || err != nil || known == chunked || string(got.Sum(nil)) != string(want.Sum(nil)) {
		e.Errorf("download (chunked %v): %d bytes of %d, Content-Length %d (%v), or other bytes", chunked, n, large(), response.ContentLength, err)
	}
}

// TestASlowReaderDoesNotFillMemory: a client that stops reading stops the service, not fills the engine.
func TestASlowReaderDoesNotFillMemory(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  store:
    run: {{svc "store"}}
    base: http://127.0.0.1:{{port "store"}}
    idleTimeout: 300ms
`)
	e.ask("store", "/")
	before := peakMemory(t, e.cmd.Process.Pid)
	conn, in := e.dial()
	e.send(conn, fmt.Sprintf("GET %s?bytes=%d HTTP/1.1\nHost: store\n\n", atLoad, 1<<40))
	if _, err := io.CopyN(io.Discard, in, 1<<20); err != nil {
		t.Fatal(err)
	}
	// While this client reads nothing, others are served, and what it does not read is not kept.
	for range 50 {
		e.ask("store", "/")
	}
	if grown := peakMemory(t, e.cmd.Process.Pid) - before; grown > memoryBound() {
		t.Errorf("a slow reader made the engine grow by %d MiB", grown>>20)
	}
	// It leaves in the middle; the service is told and may sleep.
	conn.Close()
	e.await("store", "gone", 1)
	if term := e.await("store", "term", 1); term.Active != 0 {
		t.Errorf("told to stop with %d requests in flight", term.Active)
	}
}

// TestABrokenBodyIsSeenAsBroken: a service that dies in the middle of a reply must not look like one that finished.
func TestABrokenBodyIsSeenAsBroken(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  length: {run: {{svc "length"}}, base: "http://127.0.0.1:{{port "length"}}", idleTimeout: 1h}
  chunks: {run: {{svc "chunks"}}, base: "http://127.0.0.1:{{port "chunks"}}", idleTimeout: 1h}
  silent: {run: {{svc "silent"}}, base: "http://127.0.0.1:{{port "silent"}}", idleTimeout: 1h}
`)
	for service, framing := range map[string]string{"length": "", "chunks": "&chunked=1"} {
		r, err := e.try("GET", service, atLoad+"?bytes=200000&die=1"+framing, nil)
		whole, _ := patternOf(200_000)
		if err == nil || r.status != 200 || !strings.HasPrefix(string(whole), r.body) {
			t.Errorf("%s: status %d, %d bytes, error %v; want 200, a part of the body and an error", service, r.status, len(r.body), err)
		}
		e.down(service)
	}
	// Before any byte of a reply it is a 502, and the next request starts it again.
	if r := e.get("silent", atDie); r.status != http.StatusBadGateway {
		t.Errorf("a service that died without an answer: %v; want 502", r)
	}
	e.down("silent")
	e.ask("silent", "/")
	if n := e.starts("silent"); n != 2 {
		t.Errorf("started %d times; want 2", n)
	}
}

// TestAClientThatLeavesHoldsNothing: its lease ends with it, though the service still works for it.
func TestAClientThatLeavesHoldsNothing(t *testing.T) {
	t.Parallel()
	e := newWorld(t).start(`
services:
  feed:
    run: {{svc "feed"}}
    base: http://127.0.0.1:{{port "feed"}}
    idleTimeout: 300ms
`)
	conn, in := e.dial()
	e.send(conn, "GET "+atSSE+"?n=1000000&ms=20 HTTP/1.1\nHost: feed\n\n")
	response, err := http.ReadResponse(bufio.NewReader(in), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, response.Body, 40); err != nil {
		t.Fatal(err)
	}
	if n := *e.inspect("feed").ActiveConnections; n != 1 {
		t.Errorf("%d connections while it streams; want 1", n)
	}
	conn.Close()
	e.await("feed", "gone", 1)

	// The same in the middle of an upload.
	conn, _ = e.dial()
	e.send(conn, "POST /upload HTTP/1.1\nHost: feed\nContent-Length: 1000000\n\nabc")
	e.await("feed", "request", 2)
	conn.Close()
	e.await("feed", "gone", 2)
	e.await("feed", "term", 1)
	if i := e.reach("feed", "stopped"); *i.ActiveConnections != 0 {
		t.Errorf("asleep with %d connections", *i.ActiveConnections)
	}
}

package netio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// evil is what a hostile backend hopes that some client will read. No client may, but where it is within a body that the
// backend has announced.
const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"

// A hostileReply is what a backend says to one request, and what comes of it.
type hostileReply struct {
	name    string
	request string // "": a GET
	reply   string
	ending  func(p *peer) // what the backend does then; nil: it waits for us to close
	outcome outcome
	got     string // by the client: all of a right reply, or the beginning of a broken one
	later   string // what the backend says when the client has all of its reply
}

type outcome uint8

const (
	refused outcome = iota // the client gets 502 and its connection goes on
	broken                 // the client gets a break
	right                  // the client gets got and its connection goes on
	last                   // the client gets got and a clean end
)

func closes(p *peer) { p.CloseWrite() }
func resets(p *peer) { p.SetLinger(0); p.Close() }

// hostileReplies are replies by what is wrong with them. See also refusedResponses and chunkedBodies: those are sent over
// a socket, too.
var hostileReplies = []hostileReply{
	{name: "nothing", reply: "", ending: closes},
	{name: "a reset", reply: "", ending: resets},
	{name: "half a status line", reply: "HTTP/1.1 20", ending: closes},
	{name: "half a head", reply: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", ending: closes},
	{name: "half a head and a reset", reply: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", ending: resets},
	{name: "a body without a head", reply: "EVIL\r\n\r\n" + evil},
	{name: "a request", reply: "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + evil},
	{name: "an SSH banner", reply: "SSH-2.0-OpenSSH_9.2\r\n"},
	{name: "a TLS alert", reply: "\x15\x03\x01\x00\x02\x02\x46"},
	{name: "an HTTP/2 settings frame", reply: "\x00\x00\x00\x04\x00\x00\x00\x00\x00"},
	{name: "HTTP/2", reply: "HTTP/2 200\r\n\r\n" + evil},
	{name: "an empty line first", reply: "\r\n" + evil},
	{name: "a status of two digits", reply: "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n" + evil},
	{name: "a status of four digits", reply: "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n" + evil},
	{name: "CL and TE", reply: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil},
	{name: "TE and CL", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n"},
	{name: "differing lengths", reply: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 63\r\n\r\n" + evil},
	{name: "equal lengths", reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok" + evil},
	{name: "lengths in a list", reply: "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok" + evil},
	{name: "a negative length", reply: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + evil},
	{name: "a length that overflows", reply: "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551618\r\n\r\nok" + evil},
	{name: "a hexadecimal length", reply: "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok" + evil},
	{name: "gzip, chunked", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
	{name: "chunks in HTTP/1.0", reply: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil},
	{name: "a NUL in a field", reply: "HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n" + evil},
	{name: "a bare CR in a field", reply: "HTTP/1.1 200 OK\r\nX: y\rContent-Length: 0\r\n\r\n" + evil},
	{name: "a bare LF in a field", reply: "HTTP/1.1 200 OK\r\nX: y\nContent-Length: 0\r\n\r\n" + evil},
	{name: "bare LFs", reply: "HTTP/1.1 200 OK\nContent-Length: 0\n\n" + evil},
	{name: "obs-fold", reply: "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n" + evil},
	{name: "space before a colon", reply: "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n" + evil},
	{name: "a bare CR in the reason", reply: "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n" + evil},
	{name: "too many fields", reply: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 2000) + "\r\n" + evil},
	{name: "a head of 17 KiB", reply: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 17<<10) + "\r\nContent-Length: 0\r\n\r\n" + evil},
	{name: "a head without an end", reply: "HTTP/1.1 200 OK\r\nX: ", ending: func(p *peer) {
		for err := error(nil); err == nil; {
			_, err = p.Write(bytes.Repeat([]byte("y"), 8<<10))
		}
	}},
	{name: "a flood of interim replies", reply: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 2*maxInterims) + evil},
	{name: "an interim reply with a body", reply: "HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nEVIL" + evil},
	{name: "an interim reply and an end", reply: "HTTP/1.1 102 Processing\r\n\r\n", ending: closes},
	{name: "100 and nonsense", reply: "HTTP/1.1 100 Continue\r\n\r\nEVIL"},
	{name: "101 unasked", reply: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nEVIL"},
	{name: "101 to an old client", request: "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade, keep-alive\r\nUpgrade: x\r\n\r\n",
		reply: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nEVIL"},
	{name: "101 to h2c", request: "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
		reply: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nEVIL"},
	{name: "101 to nothing", request: upgrade, reply: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\nEVIL"},
	{name: "101 before the end of a body", request: "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\n",
		reply: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nEVIL"},

	{name: "less than its length", reply: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok", ending: closes,
		outcome: broken, got: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"},
	{name: "less than its length and a reset", reply: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok", ending: resets,
		outcome: broken},
	{name: "nothing of a huge length", reply: "HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n", ending: closes,
		outcome: broken, got: "HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n"},
	{name: "no last chunk", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", ending: closes,
		outcome: broken, got: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{name: "no end of the trailers", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", ending: closes,
		outcome: broken, got: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{name: "a huge chunk", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nok", ending: closes,
		outcome: broken, got: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{name: "a chunk that overflows", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nok\r\n0\r\n\r\n" + evil, outcome: broken},
	{name: "a chunk that is too short", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nok\r\n0\r\n\r\n" + evil, outcome: broken},
	{name: "a trailer that is a length", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 4\r\n\r\n" + evil, outcome: broken},
	{name: "a reset in place of an end", reply: "HTTP/1.1 200 OK\r\n\r\nok", ending: resets, outcome: broken},
	{name: "an old reply that is too short, to an old client", request: "GET / HTTP/1.0\r\nHost: a\r\n\r\n", outcome: broken,
		reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nok", ending: closes},

	{name: "more than its length", reply: ok2 + "EVIL", outcome: right, got: ok2},
	{name: "two replies", reply: ok2 + evil, outcome: right, got: ok2},
	{name: "two replies, the first empty", reply: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + evil, outcome: right, got: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{name: "more than its last chunk", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + evil,
		outcome: right, got: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	{name: "a body for a HEAD", request: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", reply: evil, outcome: right, got: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"},
	{name: "chunks for a HEAD", request: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
		outcome: right, got: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{name: "a 204 with a body", reply: "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nEVIL", outcome: right, got: "HTTP/1.1 204 No Content\r\n\r\n"},
	{name: "a 204 with chunks", reply: "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n", outcome: right, got: "HTTP/1.1 204 No Content\r\n\r\n"},
	{name: "a 304 with a body", reply: "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nEVIL", outcome: right, got: "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n"},
	{name: "no reason", reply: "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok" + evil, outcome: right, got: "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"},
	{name: "zeros before its length", reply: "HTTP/1.1 200 OK\r\nContent-Length: 0002\r\n\r\nok" + evil, outcome: right, got: ok2},
	{name: "a last word, and more", reply: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok" + evil, outcome: right, got: ok2},
	{name: "a last word, and silence", reply: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", outcome: right, got: ok2},
	{name: "until it closes", reply: "HTTP/1.1 200 OK\r\n\r\nok", ending: closes, outcome: last, got: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"},

	{name: "another reply when nobody asks", reply: ok2, later: evil, outcome: right, got: ok2},
	{name: "a 408 when nobody asks", reply: ok2, later: "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 4\r\n\r\nEVIL", outcome: right, got: ok2},
	{name: "100 when all is said", reply: ok2, later: "HTTP/1.1 100 Continue\r\n\r\n", outcome: right, got: ok2},
	{name: "an empty line when all is said", reply: ok2, later: "\r\n", outcome: right, got: ok2},
	{name: "the body of a HEAD when all is said", request: "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", reply: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", later: "EVIL",
		outcome: right, got: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"},
}

// hostileBackend says h on the first connection that it is asked on, and ok2 on every other. It is an error to be asked
// twice on the first.
func hostileBackend(t *testing.T, h *hostileReply, heard chan struct{}) string {
	var asked atomic.Bool
	return backend(t, func(p *peer) {
		for {
			if _, err := p.r.Peek(1); err != nil {
				return
			}
			p.head()
			if asked.Swap(true) {
				io.WriteString(p, ok2)
				continue
			}
			io.WriteString(p, h.reply)
			if h.later != "" {
				<-heard
				io.WriteString(p, h.later)
			}
			if h.ending != nil {
				h.ending(p)
			}
			if again, _ := io.ReadAll(p.r); len(again) > 0 {
				t.Errorf("the connection is used again, for %q", again)
			}
			return
		}
	})
}

// check plays h to one client, and then has it and a second one, on the same pool, ask again.
func (h *hostileReply) check(t *testing.T) {
	heard := make(chan struct{})
	r := newRig(t, hostileBackend(t, h, heard), func(o *Options) { o.Splicers = 1 })
	request := h.request
	if request == "" {
		request = get("/hostile")
	}
	c, second := r.dial(), r.dial()
	c.send(request)
	h.await(c)
	close(heard)
	if h.later != "" {
		eventually(t, "the connection to the backend is closed", func() bool { return r.sockets.Load() == r.clients.Load() })
	}
	clients := []*peer{second, second}
	if h.outcome == right || h.outcome == refused && !strings.HasPrefix(request, "POST") {
		clients = append(clients, c)
	}
	for _, other := range clients {
		other.send(get("/other"))
		other.expect(ok2)
	}
	if n := r.Counters(); n.BackendConnects < 2 || (n.Errors.Backend > 0) != (h.outcome <= broken) {
		t.Errorf("got %+v", n)
	}
}

// await reads what a client gets of h.
func (h *hostileReply) await(c *peer) {
	c.t.Helper()
	switch h.outcome {
	case refused:
		for n := 0; ; n++ {
			resp, body := c.reply("GET")
			if resp.StatusCode < 200 && n < maxInterims {
				continue
			}
			if resp.StatusCode != 502 || body != "502 Bad Gateway\n" {
				c.t.Errorf("got %d %q", resp.StatusCode, body)
			}
			return
		}
	case broken:
		c.expect(h.got)
		if rest, err := io.ReadAll(c.r); err == nil || errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(rest), "EVIL") {
			c.t.Errorf("instead of a break came %q, %v", rest, err)
		}
	case right:
		c.expect(h.got)
	case last:
		c.expect(h.got)
		c.wantEnd()
	}
}

func TestHostileReplies(t *testing.T) {
	for i := range hostileReplies {
		h := &hostileReplies[i]
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			h.check(t)
		})
	}
}

// TestRefusedRepliesOnASocket sends the heads that the parser refuses.
func TestRefusedRepliesOnASocket(t *testing.T) {
	for _, c := range refusedResponses {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			(&hostileReply{reply: c.head + evil}).check(t)
		})
	}
}

// TestChunkFaultsOfRepliesOnASocket sends the bodies that the parser refuses.
func TestChunkFaultsOfRepliesOnASocket(t *testing.T) {
	for _, c := range chunkedBodies {
		if c.want == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			(&hostileReply{reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + c.body + evil, outcome: broken}).check(t)
		})
	}
}

package netio

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// writeChunks writes body as chunks of that size.
func writeChunks(w io.Writer, body []byte, size int) {
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(w, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	io.WriteString(w, "0\r\n\r\n")
}

// bulkBackend answers /FRAMING/SIZE with so many bytes of noise, and anything else with the sum of the request's body.
func bulkBackend(noise []byte) func(p *peer) {
	return func(p *peer) {
		for {
			q, err := http.ReadRequest(p.r)
			if err != nil {
				return
			}
			_, framing, _ := strings.Cut(q.URL.Path, "/")
			framing, number, _ := strings.Cut(framing, "/")
			size, _ := strconv.Atoi(number)
			switch framing {
			case "length":
				fmt.Fprintf(p, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
				p.Write(noise[:size])
			case "small-chunks", "large-chunks":
				io.WriteString(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				writeChunks(p, noise[:size], chunkSizes[framing])
			case "close":
				io.WriteString(p, "HTTP/1.1 200 OK\r\n\r\n")
				p.Write(noise[:size])
				return
			default:
				text := sum(q.Body)
				fmt.Fprintf(p, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
			}
		}
	}
}

var chunkSizes = map[string]int{"small-chunks": 1000, "large-chunks": 700_000}

// sizesAround are sizes at which something changes.
var sizesAround = []int{0, 1, bufferSize - 1, bufferSize, bufferSize + 1, 2*bufferSize - 1, 2 * bufferSize, 2*bufferSize + 1,
	3*bufferSize + 1, pipeSize - 1, pipeSize, pipeSize + 1, 3*pipeSize + bufferSize + 1, 9*pipeSize + 1}

// TestSizes moves bodies of sizes at which the way they go changes, in all framings, with pipes and without.
func TestSizes(t *testing.T) {
	noise, _ := io.ReadAll(newNoise(int64(sizesAround[len(sizesAround)-1])))
	for name, pipes := range map[string]int64{"by pipe": maxPipes, "without a pipe": 0} {
		t.Run(name, func(t *testing.T) {
			r := newLimitedRig(t, backend(t, bulkBackend(noise)), func(l *limits) { l.pipes = pipes })
			for _, size := range sizesAround {
				want := sum(bytes.NewReader(noise[:size]))
				for _, version := range []string{"1.1", "1.0"} {
					for _, framing := range []string{"length", "small-chunks", "large-chunks", "close"} {
						download(t, r, framing, version, size, want)
					}
				}
				c := r.dial()
				fmt.Fprintf(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)
				c.Write(noise[:size])
				c.wantReply("PUT", 200, want)
				for _, chunks := range chunkSizes {
					c.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
					writeChunks(c, noise[:size], chunks)
					c.wantReply("PUT", 200, want)
				}
			}
			if n := r.Counters().Spliced; n > 0 != (pipes > 0) {
				t.Errorf("%d bytes went by a pipe", n)
			}
		})
	}
}

func download(t *testing.T, r *rig, framing, version string, size int, want string) {
	t.Helper()
	c := r.dial()
	defer c.Close()
	fmt.Fprintf(c, "GET /%s/%d HTTP/%s\r\nHost: a\r\n\r\n", framing, size, version)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := sum(resp.Body); got != want {
		t.Errorf("HTTP/%s, %s, %d: got %s, want %s", version, framing, size, got, want)
	}
}

// TestUnixSplice moves a large body from and to a backend behind a unix socket.
func TestUnixSplice(t *testing.T) {
	noise, _ := io.ReadAll(newNoise(8 << 20))
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == "PUT" {
			io.WriteString(w, sum(q.Body))
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(noise)))
		w.Write(noise)
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	r := newRig(t, "unix:"+path)
	c, want := r.dial(), sum(bytes.NewReader(noise))
	c.send(get("/"))
	_, got := c.reply("GET")
	if sum(strings.NewReader(got)) != want {
		t.Error("the reply is another one")
	}
	down := r.Counters().Spliced
	fmt.Fprintf(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(noise))
	c.Write(noise)
	c.wantReply("PUT", 200, want)
	if up := r.Counters().Spliced - down; down == 0 || up == 0 {
		t.Errorf("%d bytes went down by a pipe, %d up", down, up)
	}
}

// TestBulkTunnel moves much through a tunnel, both ways at once, between small messages.
func TestBulkTunnel(t *testing.T) {
	noise, _ := io.ReadAll(newNoise(8 << 20))
	r, c, b := openTunnel(t)
	talk := func() {
		t.Helper()
		c.send("ping")
		b.expect("ping")
		b.send("pong")
		c.expect("pong")
	}
	talk()
	for range 2 {
		go c.Write(noise)
		go b.Write(noise)
		sums := make(chan string)
		for _, p := range []*peer{c, b} {
			go func() { sums <- sum(io.LimitReader(p.r, int64(len(noise)))) }()
		}
		for range 2 {
			if got := <-sums; got != sum(bytes.NewReader(noise)) {
				t.Errorf("got %s", got)
			}
		}
		talk()
	}
	if r.Counters().Spliced == 0 {
		t.Error("nothing went by a pipe")
	}
	c.CloseWrite()
	b.wantEnd()
	b.CloseWrite()
	c.wantEnd()
}

// TestBrokenSplices has either end leave in the middle of a large body, in every way, so that bytes are left in a pipe.
// Who comes next must not be given any of them.
func TestBrokenSplices(t *testing.T) {
	noise, _ := io.ReadAll(newNoise(8 << 20))
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 2*len(noise))
	put := fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 2*len(noise))
	ends := map[string]func(leaves, stays *peer){
		"ends":   func(leaves, _ *peer) { leaves.Close() },
		"resets": func(leaves, _ *peer) { leaves.SetLinger(0); leaves.Close() },
	}
	for _, who := range []string{"client", "backend"} {
		for _, up := range []bool{false, true} {
			for how, end := range ends {
				t.Run(fmt.Sprintf("%s %s, upload %v", who, how, up), func(t *testing.T) {
					address, accept := scripted(t)
					r := newRig(t, address)
					for range 4 {
						c := r.dial()
						if up {
							c.send(put)
						} else {
							c.send(get("/"))
						}
						b := accept()
						b.head()
						source, sink := b, c
						if up {
							source, sink = c, b
						} else {
							b.send(head)
							c.head()
						}
						written := make(chan struct{})
						before := r.Counters().Spliced
						go func() { source.Write(noise); close(written) }()
						io.CopyN(io.Discard, sink.r, 100_000)
						eventually(t, "a pipe is used", func() bool { return r.Counters().Spliced > before })
						leaves, stays := c, b
						if who == "backend" {
							leaves, stays = b, c
						}
						end(leaves, stays)
						io.Copy(io.Discard, stays.r)
						stays.Close()
						<-written
						eventually(t, "the lease is released", func() bool { return r.service().out.Load() == 0 })
					}
					c := r.dial()
					c.send(get("/"))
					b := accept()
					b.head()
					fmt.Fprintf(b, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(noise))
					go b.Write(noise)
					if _, got := c.reply("GET"); got != string(noise) {
						t.Error("the next reply is not the right one")
					}
				})
			}
		}
	}
}

// TestStalledSplice checks the deadline of who takes nothing of a large body, client or backend.
func TestStalledSplice(t *testing.T) {
	const size = 64 << 20
	quickly := func(o *Options) { o.Timeouts.Write = short }
	t.Run("client", func(t *testing.T) {
		address, accept := scripted(t)
		r := newRig(t, address, quickly)
		c := r.dial()
		c.send(get("/"))
		b := accept()
		b.head()
		fmt.Fprintf(b, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		if _, err := io.CopyN(b, newNoise(size), size); err == nil {
			t.Error("all of it was taken")
		}
		eventually(t, "it is counted", func() bool { return r.Counters().Errors.Stalled == 1 })
		c.wantBreak()
	})
	t.Run("backend", func(t *testing.T) {
		address, accept := scripted(t)
		r := newRig(t, address, quickly)
		r.wantDeaf(accept, zeros{}, size)
	})
}

// TestAllPipesTaken has more slow readers than there may be pipes. Whoever comes then is served all the same.
func TestAllPipesTaken(t *testing.T) {
	const pipes = 2
	noise, _ := io.ReadAll(newNoise(32 << 20))
	r := newLimitedRig(t, backend(t, bulkBackend(noise)), func(l *limits) { l.pipes = pipes })
	var slow []*peer
	for range 4 * pipes {
		c := r.dial()
		c.send(get(fmt.Sprintf("/length/%d", len(noise))))
		slow = append(slow, c)
	}
	eventually(t, "all pipes are in use", func() bool { return r.pipes.Load() == pipes })
	last, since := int64(-1), time.Now()
	eventually(t, "nothing moves any more", func() bool {
		if n := r.Counters().BytesOut; n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond
	})
	want := sum(bytes.NewReader(noise))
	download(t, r, "length", "1.1", len(noise), want)
	for _, c := range slow {
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := sum(resp.Body); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestPipesAreClosed checks that pipes nobody needs are given back, and their descriptors with them.
func TestPipesAreClosed(t *testing.T) {
	noise, _ := io.ReadAll(newNoise(4 << 20))
	r := newRig(t, backend(t, bulkBackend(noise)))
	sockets := r.sockets.Load()
	download(t, r, "length", "1.1", len(noise), sum(bytes.NewReader(noise)))
	if r.Counters().Spliced == 0 { // on a slow machine the pipe may be closed by now
		t.Error("nothing went by a pipe")
	}
	eventually(t, "the pipes are closed", func() bool { return r.pipes.Load() == 0 })
	eventually(t, "no descriptor is counted", func() bool { return r.sockets.Load() == sockets })
}

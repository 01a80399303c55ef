package netio

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

// Clients and backends that mean harm, or are broken, many at a time. Each ends in the right answer or the right close,
// nothing of it stays, and a client that has nothing to do with it feels nothing.

// An attack is made by attackers, each on a connection of its own.
type attack struct {
	backend func(p *peer)          // of the service that they ask for; nil: it echoes
	limits  func(*Timeouts)        // has those be short that are to pass; nil: none
	answer  time.Duration          // the deadline of its reply, if that is to pass
	kept    bool                   // each has been answered once before
	begin   func(p *peer)          // what each does
	counted func(c Counters) int64 // where each shows, when it has been dealt with
	end     func(p *peer)          // what each sees of it
}

const attackers = 40

func shortHead(t *Timeouts)  { t.Head = short }
func shortWrite(t *Timeouts) { t.Write = short }

var attacks = map[string]attack{
	"heads that come byte by byte and never end": {
		limits:  shortHead,
		begin:   func(p *peer) { p.send("GET / HTTP/1.1\r\nHost: attacked\r\n"); p.trickle("X-Slow: ") },
		counted: func(c Counters) int64 { return c.Errors.HeadTimeout },
		end:     (*peer).wantOver,
	},
	"second heads that come byte by byte and never end": {
		limits:  shortHead,
		kept:    true,
		begin:   func(p *peer) { p.send("GET / HTTP/1.1\r\nHost: attacked\r\n"); p.trickle("X-Slow: ") },
		counted: func(c Counters) int64 { return c.Errors.HeadTimeout },
		end:     (*peer).wantOver,
	},
	"silence": {
		limits:  shortHead,
		begin:   func(*peer) {},
		counted: func(c Counters) int64 { return c.Errors.HeadTimeout },
		end:     (*peer).wantEnd,
	},
	"bodies that never come": {
		limits:  shortWrite,
		begin:   func(p *peer) { p.send("POST / HTTP/1.1\r\nHost: attacked\r\nContent-Length: 1000\r\n\r\nx") },
		counted: func(c Counters) int64 { return c.Errors.Stalled },
		end:     func(p *peer) { p.wantReply("POST", 408, "408 Request Timeout\n"); p.wantEnd() },
	},
	"chunks that never come": {
		limits: shortWrite,
		begin: func(p *peer) {
			p.send("POST / HTTP/1.1\r\nHost: attacked\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\nx")
		},
		counted: func(c Counters) int64 { return c.Errors.Stalled },
		end:     func(p *peer) { p.wantReply("POST", 408, "408 Request Timeout\n"); p.wantEnd() },
	},
	"replies that nobody reads": {
		limits: shortWrite,
		backend: func(p *peer) {
			p.head()
			io.WriteString(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
			io.CopyN(p, zeros{}, 1_000_000_000)
		},
		begin:   func(p *peer) { p.SetReadBuffer(4096); p.send("GET / HTTP/1.1\r\nHost: attacked\r\n\r\n") },
		counted: func(c Counters) int64 { return c.Errors.Stalled },
		end:     (*peer).wantBreak,
	},
	"replies that clients reset": {
		backend: func(p *peer) {
			p.head()
			io.WriteString(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
			p.wantOver()
		},
		begin: func(p *peer) {
			p.send("GET / HTTP/1.1\r\nHost: attacked\r\n\r\n")
			p.head()
			p.SetLinger(0)
			p.Close()
		},
		counted: func(c Counters) int64 { return c.Errors.ClientGone },
		end:     func(*peer) {},
	},
	"bodies that clients break off": {
		begin: func(p *peer) {
			p.send("POST / HTTP/1.1\r\nHost: attacked\r\nContent-Length: 1000\r\n\r\nx")
			p.SetLinger(0)
			p.Close()
		},
		counted: func(c Counters) int64 { return c.Errors.ClientGone },
		end:     func(*peer) {},
	},
	"clients that half-close before their reply": {
		backend: func(p *peer) { p.head(); p.wantOver() },
		begin:   func(p *peer) { p.send("GET / HTTP/1.1\r\nHost: attacked\r\n\r\n"); p.CloseWrite() },
		counted: func(c Counters) int64 { return c.Errors.ClientGone },
		end:     (*peer).wantOver,
	},
	"backends that never answer": {
		backend: func(p *peer) { p.head(); p.wantOver() },
		answer:  short,
		begin:   func(p *peer) { p.send("GET / HTTP/1.1\r\nHost: attacked\r\n\r\n") },
		counted: func(c Counters) int64 { return c.Errors.ResponseTimeout },
		end:     func(p *peer) { p.wantReply("GET", 504, "504 Gateway Timeout\n") },
	},
	"backends that reset in mid-body": {
		backend: func(p *peer) {
			p.head()
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
			io.ReadFull(p.r, make([]byte, 2)) // a reset may overtake what it follows: the client says when
			p.SetLinger(0)
		},
		begin: func(p *peer) {
			p.send("POST / HTTP/1.1\r\nHost: attacked\r\nContent-Length: 2\r\n\r\n1")
			p.head()
			p.expect("half")
			p.send("2")
		},
		counted: func(c Counters) int64 { return c.Errors.Backend },
		end:     (*peer).wantBreak,
	},
	"backends that half-close instead of a reply": {
		backend: func(p *peer) { p.head(); p.CloseWrite(); p.wantOver() },
		begin:   func(p *peer) { p.send("GET / HTTP/1.1\r\nHost: attacked\r\n\r\n") },
		counted: func(c Counters) int64 { return c.Errors.Backend },
		end:     func(p *peer) { p.wantReply("GET", 502, "502 Bad Gateway\n") },
	},
	"backends that half-close in mid-body": {
		backend: func(p *peer) {
			p.head()
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
			p.CloseWrite()
			p.wantOver()
		},
		begin:   func(p *peer) { p.send("GET / HTTP/1.1\r\nHost: attacked\r\n\r\n") },
		counted: func(c Counters) int64 { return c.Errors.Backend },
		end:     (*peer).wantBreak,
	},
}

func TestUnderAttack(t *testing.T) {
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "", func(o *Options) {
				if a.limits != nil {
					a.limits(&o.Timeouts)
				}
			})
			attacked := r.attacked(a.backend, a.answer)
			stop := r.bystander(echo(t))
			before := openFiles(t)
			var peers []*peer
			for range attackers {
				if a.kept {
					peers = append(peers, r.kept("attacked"))
				} else {
					peers = append(peers, r.dial())
				}
			}
			together(peers, a.begin)
			eventually(t, "all are dealt with", func() bool { return a.counted(r.Counters()) >= attackers })
			together(peers, a.end)
			for _, p := range peers {
				p.Close()
			}
			<-r.Retire(attacked, false) // what is pooled would go by itself, later
			eventually(t, "no descriptor is left", func() bool { return openFiles(t) <= before })
			stop()
			r.wantNothingLeft()
		})
	}
}

// TestFlood has more clients come than both caps allow, and stay. Those above the soft cap are answered, those above the
// hard one closed; who was there before still gets a new connection to a backend for each of its requests.
func TestFlood(t *testing.T) {
	r := newLimitedRig(t, "", func(l *limits) { l.soft, l.hard, l.all = 30, 60, 100 })
	r.attacked(nil, 0)
	stop := r.bystander(handler(t, func(w http.ResponseWriter, q *http.Request) { w.Header().Set("Connection", "close"); tell(w, q) }))
	var held []*peer
	for range 200 {
		p := r.dial()
		held = append(held, p)
		eventually(t, "it is counted", func() bool { return r.Counters().Accepted == int64(len(held)+1) })
	}
	refused := r.Counters().Refused
	if refused < 100 {
		t.Errorf("%d of 200 were closed at once", refused)
	}
	var mu sync.Mutex
	statuses := map[int]int{}
	together(held, func(p *peer) {
		io.WriteString(p, "GET / HTTP/1.1\r\nHost: attacked\r\n\r\n") // who was closed at once may be told so here
		status := 0
		if resp, err := http.ReadResponse(p.r, nil); err == nil {
			status = resp.StatusCode
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		mu.Lock()
		statuses[status]++
		mu.Unlock()
	})
	if int64(statuses[0]) != refused || statuses[200] == 0 || statuses[503] == 0 || statuses[200]+statuses[503]+statuses[0] != 200 {
		t.Errorf("got %v (0 are those that were closed), with %d refused", statuses, refused)
	}
	if n := r.Counters(); n.Overloaded == 0 || n.Errors.Accept != 0 {
		t.Errorf("got %+v", n)
	}
	stop()
	for _, p := range held {
		p.Close()
	}
	r.wantNothingLeft()
}

// attacked adds the service that the attackers ask for.
func (r *rig) attacked(serve func(p *peer), timeout time.Duration) *Backend {
	r.Helper()
	address := echo(r)
	if serve != nil {
		address = backend(r, serve)
	}
	b, err := NewBackend(address, "", timeout)
	if err != nil {
		r.Fatal(err)
	}
	r.gates.add(r.T, "attacked", address).backend.Store(b)
	return b
}

// bystander has a client ask one thing after the other on one connection, until it is stopped. Each answer must be right.
func (r *rig) bystander(address string) (stop func()) {
	r.Helper()
	r.gates.add(r.T, "bystander", address)
	p := r.kept("bystander")
	p.SetDeadline(time.Time{})
	leave, left := make(chan struct{}), make(chan struct{})
	answered := 0
	ask := func() bool {
		p.SetDeadline(time.Now().Add(patience))
		io.WriteString(p, "GET /fine HTTP/1.1\r\nHost: bystander\r\n\r\n")
		resp, err := http.ReadResponse(p.r, nil)
		if err != nil {
			r.Errorf("the bystander got no answer to request %d: %v", answered+1, err)
			return false
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "GET bystander /fine []" {
			r.Errorf("the bystander got %d %q, %v", resp.StatusCode, body, err)
		}
		answered++
		return err == nil
	}
	ask()
	go func() {
		defer close(left)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ask() {
			select {
			case <-leave:
				ask()
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(leave)
		<-left
		p.Close()
	}
}

// together has all of them do something at the same time, and waits for the last.
func together(peers []*peer, do func(*peer)) {
	var all sync.WaitGroup
	for _, p := range peers {
		all.Go(func() { do(p) })
	}
	all.Wait()
}

// trickle sends text again and again, byte by byte and each a moment after the last, until the other side has had enough.
func (p *peer) trickle(text string) {
	for i := 0; ; i++ {
		p.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if _, err := p.r.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if _, err := io.WriteString(p, text[i%len(text):i%len(text)+1]); err != nil {
			break
		}
	}
	p.SetReadDeadline(time.Now().Add(patience))
}

// wantNothingLeft waits until no client, no lease and no waiter is left.
func (r *rig) wantNothingLeft() {
	r.Helper()
	eventually(r, "nothing is left", func() bool {
		c := r.Counters()
		return c.Connections == 0 && c.Leases == 0 && c.Waiting == 0 && c.Tunnels == 0
	})
	r.gates.each(func(g *gate) {
		if n := g.out.Load(); n != 0 {
			r.Errorf("%d leases were not released", n)
		}
	})
}

package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Targets at which a service does something special. Every other one is answered with what was received (seen).
const (
	atHealth = "/_/health" // 503 for the first -sick checks
	atSlow   = "/_/slow"   // ?ms=
	atHold   = "/_/hold"   // ?gate=
	atLoad   = "/_/load"   // ?bytes= of the pattern; &chunked=1; &die=1: dies in the middle
	atStatus = "/_/status" // ?code=
	atHints  = "/_/hints"  // 103, then 200
	atSSE    = "/_/sse"    // ?n= events, each when ?gate= opens or after ?ms=
	atWS     = "/_/ws"     // see serveWebSocket
	atDie    = "/_/die"    // exits without an answer
)

// seen is what a service received, as it answers.
type seen struct {
	Name     string
	Pid      int
	Run      string
	Method   string
	Target   string // as in the request line
	Host     string
	Header   http.Header
	Length   int64
	Framing  []string // Transfer-Encoding
	SHA256   string
	Requests int // of this run
	Checks   int // health checks of this run
	Remote   string
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == atHealth {
		s.health(w, r)
		return
	}
	s.enter(r)
	defer s.leave(w)
	switch r.URL.Path {
	case atSlow:
		wait(r, number(r, "ms"))
		w.Header().Set("Content-Length", "0")
	case atHold:
		s.pass(r.URL.Query().Get("gate"))
	case atLoad:
		s.load(w, r)
	case atStatus:
		w.WriteHeader(number(r, "code"))
	case atHints:
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "after the hints")
	case atSSE:
		s.events(w, r)
	case atWS:
		s.serveWebSocket(w, r)
	case atDie:
		s.die(3)
	default:
		s.echo(w, r)
	}
}

func (s *service) enter(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active++
	s.requests++
	s.record(event{What: "request", Target: r.RequestURI, Active: s.active})
}

func (s *service) leave(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	s.lastUse = time.Now() // before the server sends what the handler wrote: the engine sees the end later, never earlier
	if s.lifetime > 0 && s.requests >= s.lifetime {
		http.NewResponseController(w).Flush()
		os.Exit(0)
	}
}

func (s *service) health(w http.ResponseWriter, r *http.Request) {
	if got := r.Host + " " + r.Header.Get("Authorization"); s.demands != "" && got != s.demands {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks++
	if s.checks <= s.sick {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (s *service) echo(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	length, err := io.Copy(sum, r.Body)
	if err != nil {
		s.record(event{What: "gone", Target: r.RequestURI})
		return
	}
	s.mu.Lock()
	requests, checks := s.requests, s.checks
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	body, err := json.Marshal(seen{s.name, os.Getpid(), os.Getenv("DYNAPM_RUN"), r.Method, r.RequestURI, r.Host, r.Header,
		length, r.TransferEncoding, hex.EncodeToString(sum.Sum(nil)), requests, checks, r.RemoteAddr})
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func (s *service) load(w http.ResponseWriter, r *http.Request) {
	n := int64(number(r, "bytes"))
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.URL.Query().Get("chunked") == "" {
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
	if r.URL.Query().Get("die") != "" {
		io.CopyN(w, &pattern{}, n/2)
		http.NewResponseController(w).Flush()
		s.die(3)
	}
	if _, err := io.CopyN(w, &pattern{}, n); err != nil {
		s.record(event{What: "gone", Target: r.RequestURI})
	}
}

func (s *service) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	out.Flush()
	for n := range number(r, "n") {
		if gate := r.URL.Query().Get("gate"); gate != "" {
			s.pass(gate)
		} else {
			wait(r, number(r, "ms"))
		}
		fmt.Fprintf(w, "id: %d\ndata: event %d\n\n", n, n)
		if out.Flush() != nil || r.Context().Err() != nil {
			s.record(event{What: "gone", Target: r.RequestURI})
			return
		}
	}
}

// wait lets a request take so many milliseconds, or until its client has gone.
func wait(r *http.Request, ms int) {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
	case <-r.Context().Done():
	}
}

func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name))
	return n
}

// pattern is an endless stream in which a lost, doubled or swapped piece shows.
type pattern struct{ at int64 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		at := p.at + int64(i)
		b[i] = byte(at ^ at>>8 ^ at>>16 ^ at>>24)
	}
	p.at += int64(len(b))
	return len(b), nil
}

// serveRaw answers each request with its head, byte for byte as it came.
func (s *service) serveRaw(listener net.Listener) int {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return 1
		}
		go s.rawConn(conn)
	}
}

func (s *service) rawConn(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		var head bytes.Buffer
		for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
			line, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			head.Write(line)
		}
		target := strings.Fields(head.String())[1]
		s.record(event{What: "request", Target: target})
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", head.Len(), head.Bytes())
	}
}

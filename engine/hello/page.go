package hello

import (
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// longest is the most that /slow waits: longer than any timeout a reader of the quickstart would try.
const longest = 10 * time.Minute

// demo is the handler of one run of the service.
type demo struct {
	started  time.Time
	requests atomic.Int64
	leaving  <-chan struct{} // closed when the service was told to stop: ends the streams
	every    time.Duration   // between two events of /stream
	mux      *http.ServeMux
}

func newDemo(leaving <-chan struct{}) *demo {
	d := &demo{started: time.Now(), leaving: leaving, every: time.Second, mux: http.NewServeMux()}
	d.mux.HandleFunc("GET /{$}", d.front)
	d.mux.HandleFunc("GET /slow", d.slow)
	d.mux.HandleFunc("GET /stream", d.stream)
	d.mux.HandleFunc("/echo", d.echo)
	return d
}

func (d *demo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.requests.Add(1)
	d.mux.ServeHTTP(w, r)
}

// awake is how long this run has lasted, in a form for people.
func (d *demo) awake() time.Duration { return time.Since(d.started).Round(time.Millisecond) }

// front greets: a page for a browser, plain text for everything else.
func (d *demo) front(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	facts := facts{Awake: d.awake(), Pid: os.Getpid(), Requests: count(d.requests.Load())}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, facts)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, plain, facts.Awake, facts.Pid, facts.Requests)
}

// slow answers after ?ms= milliseconds: a long request to watch hold the service up.
func (d *demo) slow(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.ParseInt(r.FormValue("ms"), 10, 64)
	if err != nil || ms < 0 || ms > longest.Milliseconds() {
		http.Error(w, fmt.Sprintf("ms must be a number of milliseconds from 0 to %d, as in /slow?ms=2000", longest.Milliseconds()), http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		fmt.Fprintf(w, "That took %d ms, and I stayed awake for it.\n", ms)
	case <-r.Context().Done():
	}
}

// stream sends one event a second for as long as the client listens: a connection that holds the service up. Each says
// when it was due, as `dynapm loadtest hold` wants it.
func (d *demo) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	began, tick := time.Now(), time.NewTicker(d.every)
	defer tick.Stop()
	for n := 1; ; n++ {
		due := began.Add(time.Duration(n-1) * d.every)
		fmt.Fprintf(w, "id: %d\nevent: awake\ndata: %s, due at %d (Unix time, ms)\n\n", n, d.awake(), due.UnixMilli())
		if out.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-d.leaving:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// echo sends the request's body back while it still arrives.
func (d *demo) echo(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).EnableFullDuplex()
	if kind := r.Header.Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	io.Copy(w, r.Body)
}

func count(requests int64) string {
	if requests == 1 {
		return "1 request"
	}
	return strconv.FormatInt(requests, 10) + " requests"
}

// facts is what the greeting tells about this run.
type facts struct {
	Awake    time.Duration
	Pid      int
	Requests string
}

const plain = `Hello! I was asleep until somebody asked.

  awake for  %s
  process    %d
  served     %s

In some seconds without a request I am stopped; the next one wakes me again.
Try also /slow?ms=2000, /stream and /echo.
`

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from DynaPM</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --dim: color-mix(in srgb, currentColor 60%, transparent) }
  body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem }
  h1 { font-size: 2.2rem; margin: 0 }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; margin: 1.8rem 0 }
  dt, footer { color: var(--dim) }
  dd { margin: 0; font-variant-numeric: tabular-nums }
  a { color: inherit }
</style>
<h1>Hello!</h1>
<p>I was asleep until somebody asked.</p>
<dl>
  <dt>awake for</dt><dd>{{.Awake}}</dd>
  <dt>process</dt><dd>{{.Pid}}</dd>
  <dt>served</dt><dd>{{.Requests}}</dd>
</dl>
<p>In some seconds without a request I am stopped; the next one wakes me again.</p>
<footer>Try also <a href="/slow?ms=2000">/slow?ms=2000</a>, <a href="/stream">/stream</a> and /echo.</footer>
</html>
`))

package loadtest

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// progress is a line on the terminal, written anew each second. Where standard error is no terminal there is none.
type progress struct {
	name  string
	began time.Time
	next  time.Time
	out   *os.File // nil: nobody looks
}

func newProgress(name string) progress {
	p := progress{name: name, began: time.Now()}
	if _, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS); err == nil {
		p.out = os.Stderr
	}
	return p
}

// show says how far a run is, once a second.
func (p *progress) show(now time.Time, r *recorder) {
	if p.out == nil || now.Before(p.next) {
		return
	}
	p.next = now.Add(time.Second)
	h := r.latency
	p.line("%d requests, p50 %s, p99 %s, %d errors", r.count(), ms(millis(h.ValueAtQuantile(50))), ms(millis(h.ValueAtQuantile(99))), r.failed)
}

func (p *progress) pair(done int) { p.say("%d of %d pairs of slices", done, slicePairs) }

func (p *progress) step(what string, done int, all int64) { p.say("%s %d of %d", what, done, all) }

// say writes the line now, if anybody looks.
func (p *progress) say(format string, args ...any) {
	if p.out != nil {
		p.line(format, args...)
	}
}

func (p *progress) line(format string, args ...any) {
	fmt.Fprintf(p.out, "\r\x1b[K%s %v: %s (Ctrl-C keeps this)", p.name, time.Since(p.began).Round(time.Second), fmt.Sprintf(format, args...))
}

func (p *progress) clear() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

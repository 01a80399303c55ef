package netio

import (
	"log/slog"
	"net/netip"
	"runtime"
	"syscall"
	"time"
)

// Options configure a Server. Listeners and Admission must be set.
type Options struct {
	Listeners      []*Listener // owned by the Server from the moment Serve succeeded; Drain and Close close them
	Admission      Admission
	Splicers       int // epoll loops, besides the front's own; 0: one per core
	Timeouts       Timeouts
	MaxConnections int            // clients at once, above which requests are answered 503; 0: as many as RLIMIT_NOFILE allows
	TrustedProxies []netip.Prefix // whose X-Forwarded-* fields are appended to; nil: the loopback addresses
	RequestLog     func(*Entry)   // called on the loop when a request ended, must not block or keep the entry; nil: off
	Log            *slog.Logger   // nil: slog.Default
}

// Timeouts are the deadlines of a connection. The zero value of a field stands for its default. The deadline of a
// reply's head belongs to the Backend.
type Timeouts struct {
	Head      time.Duration // from accept, or from the first byte of a later request, to the end of the head; 10 s
	KeepAlive time.Duration // a client connection between two requests; 75 s
	Connect   time.Duration // to a backend; 5 s
	Write     time.Duration // a peer that takes no byte of what we have for it, or sends none of a body it owes; 60 s
}

// Entry describes one finished request.
type Entry struct {
	Method   string
	Host     string // lower case, without port
	Target   string // as the client sent it
	Status   int    // as the client saw it; 499 (nginx's code) if it left before the reply's head
	Bytes    int64  // of the reply, heads included, as written to the client
	Duration time.Duration
	Client   netip.Addr
	Route    Route // as the Admission gave it; nil if there was none
}

const (
	defaultHead      = 10 * time.Second
	defaultKeepAlive = 75 * time.Second
	defaultConnect   = 5 * time.Second
	defaultWrite     = 60 * time.Second

	// reservedFiles are kept free of sockets for everything else the process opens: logs, store, admin connections.
	reservedFiles = 128
	lastFiles     = 32 // of those that no socket takes, whatever else has been opened
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Splicers <= 0 {
		o.Splicers = runtime.NumCPU()
	}
	orDefault(&o.Timeouts.Head, defaultHead)
	orDefault(&o.Timeouts.KeepAlive, defaultKeepAlive)
	orDefault(&o.Timeouts.Connect, defaultConnect)
	orDefault(&o.Timeouts.Write, defaultWrite)
	if o.TrustedProxies == nil {
		o.TrustedProxies = loopback
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func orDefault(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

// limits are the caps. Above clients, or above soft sockets (ours to backends included), a new client's requests are
// answered 503. Above hard sockets a new client is closed at once: evio gives up on EMFILE. Up to all sockets, which are
// fewer than RLIMIT_NOFILE, connections to backends are opened, so that a flood of clients leaves some for those who were
// there before. What else is open is nobody's count, but the numbers tell: it is the lowest free one that is given, so one
// from lastFile on means that nearly all are taken, by whomever. Pipes are a small part of the sockets; without one bodies
// are copied.
type limits struct {
	clients, soft, hard, all, pipes int64
	lastFile                        int
}

func (o *Options) limits() limits {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur > 1<<tableBits {
		r.Cur = 1 << tableBits
	}
	files := int64(r.Cur)
	all := max(files-min(reservedFiles, files/4), 16)
	hard := all - all/8
	l := limits{clients: hard, soft: hard - hard/8, hard: hard, all: all, pipes: min(maxPipes, hard/16), lastFile: int(files - min(lastFiles, files/8))}
	if o.MaxConnections > 0 {
		l.clients = int64(o.MaxConnections)
	}
	return l
}

// trusts tells whether an address is among the trusted proxies.
func (o *Options) trusts(a netip.Addr) bool {
	for _, p := range o.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

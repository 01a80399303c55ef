package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"
)

// largeScenario: bodies of 100 MB, one at a time.
var largeScenario = scenario{
	name:    "large",
	title:   "bodies of 100 MB",
	terms:   terms{splice: true, stream: true},
	columns: []metric{{"CPU ms/GB", cpuMsPerWork, "%.0f", less}, {"GB/s", workPerSecond, "%.2f", more}},
	takes:   func(c contender) bool { return c.kind != kindDirect && c.kind != kindNode },
	apart:   "it takes no body of more than 10 MB",
	measure: measureLarge,
	judge:   judgeLarge,
}

const (
	largeBytes     = 100_000_000
	largeTransfers = 10
	largePatience  = time.Minute // for one of them
	largeMust      = 0.75
)

// largeCases are the directions.
var largeCases = []struct {
	name string
	move func(*transfer, int64) error
}{
	{"to the client", (*transfer).download},
	{"from the client", (*transfer).upload},
}

func measureLarge(ctx context.Context, b *bench) error {
	var names []string
	for _, c := range largeCases {
		names = append(names, c.name)
	}
	size := int64(b.count(largeBytes))
	return b.eachRound(ctx, names, func(at int, r running) (Sample, error) {
		t := &transfer{ctx: ctx, address: r.address, scratch: make([]byte, 256<<10)}
		defer t.close()
		if o := t.repeat(largeCases[at].move, 1, size/10+1); o.Errors != nil { // to warm up
			return Sample{Work: gigabytes(size), Errors: o.Errors}, nil
		}
		before, err := r.use()
		if err != nil {
			return Sample{}, err
		}
		o := t.repeat(largeCases[at].move, largeTransfers, size)
		after, err := r.use()
		if err != nil {
			return Sample{}, err
		}
		return o.sample(gigabytes(size*largeTransfers), after-before), ctx.Err()
	})
}

func gigabytes(bytes int64) float64 { return float64(bytes) / 1e9 }

func judgeLarge(s *Scenario) {
	for _, c := range s.Cases {
		if v, _, ok := c.against(Verdict{What: "CPU per GB, " + c.Name, Must: largeMust}, cpuMsPerWork, kindHAProxy); ok {
			s.Verdicts = append(s.Verdicts, v)
		}
	}
}

// transfer moves large bodies over one connection.
type transfer struct {
	ctx     context.Context
	address netip.AddrPort
	conn    net.Conn
	scratch []byte
}

func (t *transfer) close() {
	if t.conn != nil {
		t.conn.Close()
		t.conn = nil
	}
}

// repeat moves a number of bodies.
func (t *transfer) repeat(move func(*transfer, int64) error, times int, size int64) outcome {
	var o outcome
	began := time.Now()
	for range times {
		start := time.Now()
		if err := t.once(move, size); err != nil {
			o.fail(kindOf(err), 1)
			t.close()
			continue
		}
		o.Latencies = append(o.Latencies, time.Since(start))
	}
	o.Elapsed = time.Since(began)
	return o
}

func (t *transfer) once(move func(*transfer, int64) error, size int64) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	if t.conn == nil {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.ctx, "tcp", t.address.String())
		if err != nil {
			return err
		}
		t.conn = conn
	}
	t.conn.SetDeadline(time.Now().Add(largePatience))
	stop := context.AfterFunc(t.ctx, func() { t.conn.SetDeadline(time.Now()) })
	defer stop()
	return move(t, size)
}

// kindOf is an error without the ports in it, which are new each time.
func kindOf(err error) string {
	var op *net.OpError
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "not done within " + largePatience.String()
	}
	if errors.As(err, &op) {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

func (t *transfer) download(size int64) error {
	if _, err := fmt.Fprintf(t.conn, "GET /download?%d HTTP/1.1\r\n%s\r\n", size, headFields); err != nil {
		return err
	}
	rest, length, err := t.head()
	if err != nil {
		return err
	}
	if length != size {
		return errors.New("wrong length of the body")
	}
	for got := int64(0); ; {
		if got+int64(len(rest)) > size {
			return errors.New("more bytes than promised")
		}
		if !isPattern(rest, got) {
			return errors.New("wrong body")
		}
		if got += int64(len(rest)); got == size {
			return nil
		}
		n, err := t.conn.Read(t.scratch)
		if err != nil {
			return err
		}
		rest = t.scratch[:n]
	}
}

func (t *transfer) upload(size int64) error {
	if _, err := fmt.Fprintf(t.conn, "POST /upload HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n", headFields, size); err != nil {
		return err
	}
	for sent := int64(0); sent < size; {
		n, err := t.conn.Write(pattern(sent, size-sent))
		if err != nil {
			return err
		}
		sent += int64(n)
	}
	body, length, err := t.head()
	if err != nil {
		return err
	}
	for int64(len(body)) < length {
		n, err := t.conn.Read(t.scratch)
		if err != nil {
			return err
		}
		body = append(body, t.scratch[:n]...)
	}
	if string(body) != strconv.FormatInt(size, 10) {
		return errors.New("the backend got another body")
	}
	return nil
}

// head reads the head of a reply, and gives what came of the body with it and how long the body is.
func (t *transfer) head() (body []byte, length int64, err error) {
	var in []byte
	for {
		n, err := t.conn.Read(t.scratch)
		in = append(in, t.scratch[:n]...)
		if head, body, whole := bytes.Cut(in, crlf2); whole {
			if status := statusOf(head); status != "200" {
				return nil, 0, errors.New("status " + status)
			}
			length, ok := contentLength(head)
			if !ok {
				return nil, 0, errors.New("a reply without length")
			}
			return body, length, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// maxBody is how much of an answer is read, so that the service can end it in
// peace. Nothing is done with it.
const maxBody = 64 << 10

// tryHTTP asks each address that listens.
func (w *waiter) tryHTTP(ctx context.Context) error {
	target, err := url.Parse(w.check.URL)
	if err != nil {
		return fmt.Errorf("cannot check: %w", err)
	}
	var failures []error
	for _, address := range w.addresses {
		s, err := reach(ctx, address, w.known(address))
		if err == nil {
			w.listens(address)
			err = w.ask(ctx, s, address, *target)
		}
		if err == nil {
			w.result.Address = address
			return nil
		}
		failures = append(failures, err)
	}
	return summary(failures)
}

// ask makes the request, over s if the address is what the URL means.
func (w *waiter) ask(ctx context.Context, s socket, address string, target url.URL) error {
	dial := dialAny
	if meant(target, address) {
		conn, err := s.conn()
		if err != nil {
			return fmt.Errorf("cannot check: %w", err)
		}
		defer conn.Close()
		dial = func(context.Context, string, string) (net.Conn, error) { return conn, nil }
		if target.Host == "" {
			target.Scheme, target.Host = "http", hostOf(address)
		}
	} else {
		s.close()
	}
	request, err := http.NewRequestWithContext(ctx, w.check.Method, target.String(), nil)
	if err != nil {
		return fmt.Errorf("cannot check: %w", err)
	}
	if w.check.Header != nil {
		request.Header = w.check.Header.Clone()
	}
	if w.check.Host != "" {
		request.Host = w.check.Host
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: w.check.TLS, DisableKeepAlives: true, DisableCompression: true}
	answer, err := transport.RoundTrip(request) // below http.Client: no redirect is followed
	if err != nil {
		return w.whyNoAnswer(target, err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxBody)
	if answer.StatusCode < w.check.StatusMin || answer.StatusCode > w.check.StatusMax {
		return fmt.Errorf("%s answered %d, want %s", target.Redacted(), answer.StatusCode, w.wanted())
	}
	return nil
}

func (w *waiter) whyNoAnswer(target url.URL, err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s did not answer within %v", target.Redacted(), w.check.Timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s closed the connection without an answer", target.Redacted())
	default:
		return fmt.Errorf("%s did not answer: %w", target.Redacted(), err)
	}
}

func (w *waiter) wanted() string {
	if w.check.StatusMin == w.check.StatusMax {
		return fmt.Sprint(w.check.StatusMin)
	}
	return fmt.Sprintf("%d to %d", w.check.StatusMin, w.check.StatusMax)
}

// conn hands the socket over to the net package.
func (s socket) conn() (net.Conn, error) {
	f := os.NewFile(uintptr(s), "probe")
	defer f.Close() // FileConn has a copy
	return net.FileConn(f)
}

// dialAny dials a host of a check's URL other than the service's address. For
// this machine it tries both loopbacks, and asks no name server.
func dialAny(ctx context.Context, network, address string) (net.Conn, error) {
	all := []string{address}
	if host, _, err := net.SplitHostPort(address); err == nil && isLocal(host) {
		if all, err = Candidates(address); err != nil {
			return nil, err
		}
	}
	var conn net.Conn
	var err error
	for _, one := range all {
		if conn, err = (&net.Dialer{}).DialContext(ctx, network, one); err == nil {
			break
		}
	}
	return conn, err
}

// meant tells whether a check's URL means the service's own address: it names
// no host, or this machine and no other port.
func meant(target url.URL, address string) bool {
	if target.Host == "" {
		return true
	}
	if !isLocal(target.Hostname()) {
		return false
	}
	if strings.HasPrefix(address, "unix:") {
		return target.Port() == ""
	}
	host, port, err := net.SplitHostPort(address)
	return err == nil && isLocal(host) && (target.Port() == "" || target.Port() == port)
}

// hostOf is what a request to address names as its host.
func hostOf(address string) string {
	if strings.HasPrefix(address, "unix:") {
		return "localhost"
	}
	return address
}

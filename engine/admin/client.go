package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Client talks to a running engine. Base is its URL, http://127.0.0.1:4000.
type Client struct {
	Base  string
	Token string
}

// What keeps a client from an answer of Control's.
var (
	ErrNoEngine     = errors.New("no engine answers") // at the client's base
	ErrUnauthorized = errors.New("the admin API wants a token")
)

// Failure is what Control answered. errors.Is finds Known in it.
type Failure struct {
	Known error  // one of the errors that a Control may answer; nil if the cause says it all
	Cause string // "" if Known says it all
}

func (f *Failure) Error() string {
	switch {
	case f.Known == nil:
		return f.Cause
	case f.Cause == "":
		return f.Known.Error()
	}
	return f.Known.Error() + ": " + f.Cause
}

func (f *Failure) Unwrap() error { return f.Known }

// List gives every service.
func (c Client) List(ctx context.Context) ([]Service, error) {
	var list struct{ Services []Service }
	err := c.call(ctx, http.MethodGet, "services", &list)
	return list.Services, err
}

// Inspect gives one service; ErrNotFound.
func (c Client) Inspect(ctx context.Context, name string) (Detail, error) {
	var d Detail
	err := c.call(ctx, http.MethodGet, "services/"+url.PathEscape(name), &d)
	return d, err
}

// Why gives the last decisions about one service; ErrNotFound.
func (c Client) Why(ctx context.Context, name string) (Why, error) {
	var w Why
	err := c.call(ctx, http.MethodGet, "services/"+url.PathEscape(name)+"/why", &w)
	return w, err
}

// Start returns once the service is ready; errors as Control.Start.
func (c Client) Start(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodPost, "services/"+url.PathEscape(name)+"/start", nil)
}

// Stop returns once the service is down; errors as Control.Stop.
func (c Client) Stop(ctx context.Context, name string, hold bool) error {
	path := "services/" + url.PathEscape(name) + "/stop"
	if hold {
		path += "?hold=true"
	}
	return c.call(ctx, http.MethodPost, path, nil)
}

// Down returns once every service is down; the engine ends by itself after that, and also after a *Failure.
func (c Client) Down(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "down", nil)
}

// Left returns once connections to the engine are refused, as they are after a Down when it has closed everything; the
// cause of ctx if that ends first.
func (c Client) Left(ctx context.Context) error {
	base, err := url.Parse(c.Base)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(base.Hostname(), cmp.Or(base.Port(), base.Scheme))
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		if err == nil {
			conn.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

func (c Client) call(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Base, "/")+prefix+path, nil)
	if err != nil {
		return err
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		return fmt.Errorf("%w at %s: %w", ErrNoEngine, c.Base, failed.Err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("the engine's answer broke off: %w", err)
	}
	switch {
	case res.StatusCode == http.StatusUnauthorized && c.Token != "":
		return fmt.Errorf("%w, another than it got", ErrUnauthorized)
	case res.StatusCode == http.StatusUnauthorized:
		return ErrUnauthorized
	case res.StatusCode != http.StatusOK:
		return failed(res, body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

// failed turns an answer back into the error that Control gave.
func failed(res *http.Response, body []byte) error {
	var f failure
	if json.Unmarshal(body, &f) != nil || f.Error == "" {
		return fmt.Errorf("the admin API answered %s", res.Status)
	}
	for _, known := range said {
		if f.Error == known.text {
			return &Failure{known.err, f.Cause}
		}
	}
	return &Failure{Cause: f.Error}
}

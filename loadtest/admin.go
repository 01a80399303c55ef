package loadtest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// gateway is the admin API of the engine, as far as this client from outside needs it: the engine's own packages are
// not imported, so that what is measured is what anybody sees.
type gateway struct {
	base, token, service string
	client               *http.Client
}

// slowest is how long an answer of the admin API may take: to a stop it comes when the service is down.
const slowest = 5 * time.Minute

// status is what the admin API tells of a service.
type status struct {
	State      string `json:"state"`
	ProxyOnly  bool   `json:"proxyOnly"`
	Reason     string `json:"reason"`
	StartCount int    `json:"startCount"`
	LastStart  *clock `json:"lastStart"`
}

// clock is when each step of a start was reached, in ms since it was asked for.
type clock struct {
	Launched  *float64 `json:"launched"`
	Listening *float64 `json:"listening"`
	Ready     *float64 `json:"ready"`
	Connected *float64 `json:"connected"`
	FirstByte *float64 `json:"firstByte"`
}

// gateway finds the admin API of the run, and the service: the one of -service, or the first label of the host.
func (r *run) gateway(t *target, n int) (*gateway, error) {
	base, name := one(r.admin, n), one(r.service, n)
	if base == "" {
		return nil, errors.New("it is not known when the service sleeps: the URL of the admin API is missing (-admin http://127.0.0.1:PORT)")
	}
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	if name == "" {
		name, _, _ = strings.Cut(hostname(t.host), ".")
	}
	return &gateway{strings.TrimRight(base, "/"), os.Getenv("DYNAPM_TOKEN"), name, r.admins}, nil
}

// adminClient asks admin APIs. The token goes to them and nowhere else: through no proxy, and where no redirect leads.
func adminClient(o options) *http.Client {
	return &http.Client{
		Timeout:       slowest,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.roots, InsecureSkipVerify: o.insecure}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (g *gateway) call(ctx context.Context, method, verb string, into any) (int, error) {
	at := g.base + "/_dynapm/api/services/" + url.PathEscape(g.service) + verb
	request, err := http.NewRequestWithContext(ctx, method, at, nil)
	if err != nil {
		return 0, err
	}
	if g.token != "" {
		request.Header.Set("Authorization", "Bearer "+g.token)
	}
	reply, err := g.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	if reply.StatusCode == http.StatusOK && into != nil {
		return reply.StatusCode, json.Unmarshal(text, into)
	}
	if reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %s", method, at, reply.StatusCode, printable(strings.TrimSpace(string(text)), longestKind))
	}
	return reply.StatusCode, err
}

func (g *gateway) inspect(ctx context.Context) (status, error) {
	var s status
	code, err := g.call(ctx, http.MethodGet, "", &s)
	if code == http.StatusNotFound {
		err = fmt.Errorf("%w (-service NAME says which service it is)", err)
	}
	return s, err
}

// sleep returns when the service is asleep: stopped by this, or, with idle, by itself.
func (g *gateway) sleep(ctx context.Context, idle bool) (status, error) {
	if !idle {
		// 400: it is not up, which is as good. 409: another service depends on it, which the user must hear.
		if code, err := g.call(ctx, http.MethodPost, "/stop", nil); err != nil && code != http.StatusBadRequest {
			return status{}, err
		}
	}
	return g.await(ctx, func(s status) (bool, error) {
		if s.State == "failed" {
			return false, fmt.Errorf("service %s has failed: %s", g.service, printable(s.Reason, longestKind))
		}
		return s.State == "stopped", nil
	})
}

// told returns the status once the start after so many others has its first byte. The engine notes that beside the
// reply, so it may come a little later than the reply does.
func (g *gateway) told(ctx context.Context, before int) (status, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return g.await(ctx, func(s status) (bool, error) {
		return s.StartCount > before && s.LastStart != nil && s.LastStart.FirstByte != nil, nil
	})
}

// await asks until the answer is the one that is waited for.
func (g *gateway) await(ctx context.Context, enough func(status) (bool, error)) (status, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		s, err := g.inspect(ctx)
		if err != nil {
			return s, err
		}
		if ok, err := enough(s); ok || err != nil {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(wait):
		}
	}
}

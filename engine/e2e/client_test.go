package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) String() string { return fmt.Sprintf("%d %q", r.status, r.body) }

// clientOf makes a client that goes to a port of this machine, whatever the host of the URL.
func (w *world) clientOf(port int) *http.Client {
	return &http.Client{
		Timeout:       5 * patience, // a request may be held while much is prepared
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableCompression:  true,
			MaxIdleConnsPerHost: 100,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			},
		},
	}
}

// try makes one request through the engine; it may be called from any goroutine.
func (e *engine) try(method, host, target string, body io.Reader) (reply, error) {
	request, err := http.NewRequest(method, "http://"+host+target, body)
	if err != nil {
		return reply{}, err
	}
	return finish(e.client.Do(request))
}

func finish(response *http.Response, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(body)}, err
}

// get makes a request and wants an answer, whatever it is.
func (e *engine) get(host, target string) reply {
	e.Helper()
	r, err := e.try("GET", host, target, nil)
	if err != nil {
		e.Fatalf("GET %s%s: %v", host, target, err)
	}
	return r
}

// ask makes a request, wants 200 from the helper service and gives what that received.
func (e *engine) ask(host, target string) seen {
	e.Helper()
	return e.seen(e.get(host, target))
}

func (w *world) seen(r reply) seen {
	w.Helper()
	s, err := r.seen()
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// seen is what the helper service received, as it tells in its answer.
func (r reply) seen() (s seen, err error) {
	if err = json.Unmarshal([]byte(r.body), &s); r.status != http.StatusOK || err != nil {
		err = fmt.Errorf("got %v (%v); want 200 from the service", r, err)
	}
	return s, err
}

// later makes a request in the background; the result comes once.
func (e *engine) later(method, host, target string, body io.Reader) <-chan result {
	done := make(chan result, 1)
	go func() {
		r, err := e.try(method, host, target, body)
		done <- result{r, err}
	}()
	return done
}

type result struct {
	reply
	err error
}

// outcome waits for a request made by later.
func (w *world) outcome(pending <-chan result) reply {
	w.Helper()
	select {
	case r := <-pending:
		if r.err != nil {
			w.Fatalf("the request failed: %v", r.err)
		}
		return r.reply
	case <-time.After(2 * patience):
		w.Fatal("no answer")
		return reply{}
	}
}

// dial opens a connection to the engine for bytes as they are.
func (e *engine) dial() (net.Conn, *bufio.Reader) {
	e.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", e.port("front")))
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * patience))
	return conn, bufio.NewReader(conn)
}

// send writes bytes as they are; \n stands for the end of a line of a head.
func (w *world) send(conn net.Conn, text string) {
	w.Helper()
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		w.Fatal(err)
	}
}

// receive reads one response to a request of this method.
func (w *world) receive(in *bufio.Reader, method string) reply {
	w.Helper()
	response, err := http.ReadResponse(in, &http.Request{Method: method})
	r, err := finish(response, err)
	if err != nil {
		w.Fatalf("no response: %v (so far %v)", err, r)
	}
	return r
}

// info is a service in the admin API's words.
type info struct {
	Name              string `json:"name"`
	Base              string `json:"base"`
	Status            string `json:"status"`
	State             string `json:"state"`
	Uptime            *int64 `json:"uptime"`
	LastAccessTime    *int64 `json:"lastAccessTime"`
	ActiveConnections *int   `json:"activeConnections"`
	Waiting           int    `json:"waiting"`
	Overloaded        int    `json:"overloaded"`
	IdleTimeout       *int64 `json:"idleTimeout"`
	ProxyOnly         *bool  `json:"proxyOnly"`
	Pid               int    `json:"pid"`
	Held              bool   `json:"held"`
	Reason            string `json:"reason"`
	StartTimeout      *int64 `json:"startTimeout"`
	HealthCheck       struct{ Type string }
	StartCount        *int   `json:"startCount"`
	TotalUptime       *int64 `json:"totalUptime"`
}

const api = "/_dynapm/api/"

// adminURL is where the admin API answers.
func (e *engine) adminURL(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s%s", e.port("admin"), api, path)
}

// admin asks the admin API; headers are "Name: value".
func (e *engine) admin(method, target string, headers ...string) reply {
	e.Helper()
	request, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", e.port("admin"), target), nil)
	if err != nil {
		e.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			request.Host = value
		}
		request.Header.Set(name, value)
	}
	client := e.clientOf(e.port("admin"))
	defer client.CloseIdleConnections()
	r, err := finish(client.Do(request))
	if err != nil {
		e.Fatalf("%s %s: %v", method, target, err)
	}
	return r
}

// inspect asks the admin API for one service.
func (e *engine) inspect(service string) info {
	e.Helper()
	r := e.admin("GET", api+"services/"+service)
	var i info
	if err := json.Unmarshal([]byte(r.body), &i); err != nil || r.status != http.StatusOK {
		e.Fatalf("the admin API says %v of %s (%v)", r, service, err)
	}
	return i
}

// reach returns when the service has the state.
func (e *engine) reach(service, state string) info {
	e.Helper()
	var i info
	e.until(fmt.Sprintf("%s to be %s", service, state), func() bool {
		i = e.inspect(service)
		return i.State == state
	})
	return i
}

// rests returns when the engine is done with all requests for the service: their clients may know it sooner.
func (e *engine) rests(service string) info {
	e.Helper()
	var i info
	e.until("no request to be under way at "+service, func() bool {
		i = e.inspect(service)
		return *i.ActiveConnections == 0
	})
	return i
}

// parked returns when so many requests wait for the service.
func (e *engine) parked(service string, n int) {
	e.Helper()
	e.until(fmt.Sprintf("%d requests to wait for %s", n, service), func() bool { return e.inspect(service).Waiting == n })
}

// ran is what a command of the command line did.
type ran struct {
	code        int
	out, errors string
}

func (r ran) String() string {
	return fmt.Sprintf("exit %d\nstdout: %s\nstderr: %s", r.code, r.out, r.errors)
}

// run runs dynapm with these arguments in the folder of the world, where its config is found without -config.
func (w *world) run(args ...string) ran {
	w.Helper()
	return w.runWith(nil, args...)
}

// runWith is run with more in the environment.
func (w *world) runWith(env []string, args ...string) ran {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(w.T), args...)
	cmd.Env, cmd.Dir = append(w.env(), env...), w.dir
	var out, errors strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errors
	err := cmd.Run()
	if ctx.Err() != nil || cmd.ProcessState == nil {
		w.Fatalf("dynapm %v: %v (%v)", args, err, ctx.Err())
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errors.String()}
}

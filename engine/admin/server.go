package admin

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
)

const prefix = "/_dynapm/api/"

// Options say who may use the API.
type Options struct {
	Host       string         // the host of adminApi, which a Host header may name beside loopback and IP addresses
	AuthToken  string         // "": none is asked for
	AllowedIPs []netip.Prefix // of the socket's peer, never of a header; empty: everyone
}

// Handler serves the API.
func Handler(control Control, o Options) http.Handler {
	mux := http.NewServeMux()
	api := api{control}
	mux.HandleFunc("GET "+prefix+"services", api.list)
	mux.HandleFunc("GET "+prefix+"services/{name}", api.inspect)
	mux.HandleFunc("GET "+prefix+"services/{name}/why", api.why)
	mux.HandleFunc("POST "+prefix+"services/{name}/start", api.start)
	mux.HandleFunc("POST "+prefix+"services/{name}/stop", api.stop)
	mux.HandleFunc("POST "+prefix+"down", api.down)
	mux.HandleFunc("GET "+prefix+"events", api.events)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !o.allowed(r):
			plain(w, http.StatusForbidden)
		case !o.authorized(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			plain(w, http.StatusUnauthorized)
		default:
			// The mux would answer 405 or a redirect where the API has always said 404.
			if _, pattern := mux.Handler(r); pattern == "" || r.URL.Path != path.Clean(r.URL.Path) {
				plain(w, http.StatusNotFound)
				return
			}
			mux.ServeHTTP(w, r)
		}
	})
}

// allowed holds off foreign machines and, by Host and Origin, web pages elsewhere whose scripts (or whose name,
// rebound to a loopback address) would drive the API through the user's own browser.
func (o Options) allowed(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap()
	if len(o.AllowedIPs) > 0 && !slices.ContainsFunc(o.AllowedIPs, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return false
	}
	if !o.ours(r.Host) {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host
}

// ours tells whether a Host header names this machine in a way that no foreign DNS record can.
func (o Options) ours(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || o.Host != "" && host == strings.ToLower(o.Host)
}

func (o Options) authorized(r *http.Request) bool {
	if o.AuthToken == "" {
		return true
	}
	// The scheme is compared without regard to case, and any number of spaces follows it (RFC 9110 section 11).
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimLeft(token, " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(token), []byte(o.AuthToken)) == 1
}

type api struct{ control Control }

func (a api) list(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, struct {
		Services []Service `json:"services"`
	}{a.control.List(r.Context())})
}

func (a api) inspect(w http.ResponseWriter, r *http.Request) {
	detail, err := a.control.Inspect(r.Context(), r.PathValue("name"))
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, detail)
}

func (a api) why(w http.ResponseWriter, r *http.Request) {
	why, err := a.control.Why(r.Context(), r.PathValue("name"))
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, why)
}

func (a api) start(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	done(w, a.control.Start(r.Context(), name), "service "+name+" started")
}

func (a api) stop(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	hold := r.URL.Query().Get("hold") == "true"
	done(w, a.control.Stop(r.Context(), name, hold), "service "+name+" stopped")
}

func (a api) down(w http.ResponseWriter, r *http.Request) {
	done(w, a.control.Down(r.Context()), "all services stopped, the engine ends")
}

// events streams changes of state. A client that did not ask for an event stream gets the greeting alone, so that
// a plain GET ends.
func (a api) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Accel-Buffering", "no")
	fmt.Fprintf(w, "event: connected\ndata: {\"timestamp\":%d}\n\n", time.Now().UnixMilli())
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		return
	}
	events, cancel := a.control.Events()
	defer cancel()
	stream := http.NewResponseController(w)
	for {
		if stream.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case e, open := <-events:
			if !open {
				return
			}
			data, _ := json.Marshal(struct {
				Event
				Timestamp int64 `json:"timestamp"`
			}{e, e.At.UnixMilli()})
			fmt.Fprintf(w, "event: state\ndata: %s\n\n", data)
		}
	}
}

func done(w http.ResponseWriter, err error, message string) {
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, struct {
		Success bool   `json:"success"`
		Message string `json:"message"`
	}{true, message})
}

func refuse(w http.ResponseWriter, err error) {
	for _, known := range said {
		if errors.Is(err, known.err) {
			answer(w, known.status, failure{known.text, causeOf(err, known.err)})
			return
		}
	}
	answer(w, http.StatusInternalServerError, failure{Error: err.Error()})
}

// causeOf is what err says beyond the known error that it wraps.
func causeOf(err, known error) string {
	if err.Error() == known.Error() {
		return ""
	}
	return strings.TrimPrefix(err.Error(), known.Error()+": ")
}

// failure is the body of every answer that is not a success. Error is one of DynaPM's texts, with Cause beside it where
// there is more to say, or the cause itself.
type failure struct {
	Error string `json:"error"`
	Cause string `json:"cause,omitempty"`
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error here is a client that left; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(body)
}

// plain answers with the status and its name.
func plain(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, http.StatusText(status))
}

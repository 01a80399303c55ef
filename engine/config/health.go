package config

import (
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A header field as RFC 9110 sections 5.1 and 5.5 have it.
var (
	fieldName  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	fieldValue = regexp.MustCompile(`^([!-~\x80-\x{10ffff}]([\t -~\x80-\x{10ffff}]*[!-~\x80-\x{10ffff}])?)?$`)
)

// onlyFor are the types that have a use for a key; every type has for the others.
var onlyFor = map[string][]string{
	"port":           {"tcp", "grpc", "redis"},
	"url":            {"http"},
	"method":         {"http"},
	"headers":        {"http"},
	"expectedStatus": {"http"},
	"service":        {"grpc"},
	"password":       {"redis"},
	"pattern":        {"log"},
	"command":        {"command"},
}

// health completes the check and refuses keys that its type has no use for.
func (w *walk) health(d *draft) {
	h := &d.HealthCheck
	if !d.given.has("healthCheck") {
		fill(w, value{&node{kind: mapping}, d.at.path}, healthKeys, h)
	}
	if d.checkAt.broken("type") {
		return // what the others mean is not known
	}
	for _, k := range healthKeys {
		if kinds := onlyFor[k.name]; d.checkAt.has(k.name) && kinds != nil && !slices.Contains(kinds, h.Type) {
			w.fault(d.checkAt[k.name], "%s is for type %s, and this check is of type %s", k.name, either(kinds), h.Type)
		}
	}
	if h.Type == "notify" && d.Run == nil && d.given.has("commands") {
		w.fault(d.checkAt["type"], "notify is for run: a process of our own, which is given NOTIFY_SOCKET")
	}
	if h.Type == "log" && !d.checkAt.has("pattern") {
		w.fault(d.given["healthCheck"], "a check of type log needs pattern: what a line of the output matches once it is ready")
	}
	if h.Type == "command" && !d.checkAt.has("command") {
		w.fault(d.given["healthCheck"], "a check of type command needs command: the shell command that tells")
	}
	if d.Base != nil && d.Base.Unix == "" && strings.HasPrefix(h.URL, "/") {
		h.URL = d.Base.Scheme + "://" + net.JoinHostPort(d.Base.Host, strconv.Itoa(d.Base.Port)) + h.URL
	}
}

// headerFields reads a map of names and values.
func headerFields(w *walk, h *HealthCheck, v value) {
	if !w.expect(v, mapping, "a map of header fields") {
		return
	}
	h.Headers = http.Header{}
	for _, e := range v.entries {
		at := value{&node{line: e.line, column: e.column}, childPath(v.path, e.key)}
		if !fieldName.MatchString(e.key) {
			w.fault(at, "%q cannot be the name of a header field", shorten(e.key))
			continue
		}
		s, ok := w.written(value{e.value, at.path}, `text ("" for an empty value)`)
		switch name := http.CanonicalHeaderKey(e.key); {
		case !ok:
		case !fieldValue.MatchString(s):
			w.fault(at, "the value of a header field is one line, and neither begins nor ends with a blank")
		case h.Headers[name] != nil:
			w.fault(at, "%s stands twice; keep one", name)
		default:
			h.Headers[name] = []string{s}
		}
	}
}

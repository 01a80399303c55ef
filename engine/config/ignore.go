package config

import (
	"fmt"
	"strings"
)

// ignore reads which requests a service does not wake for. A map without a list would ignore nothing, unless a key that is
// not known was to be one.
func (w *walk) ignore(d *draft, v value) {
	given := fill(w, v, ignoreKeys, &d.Ignore)
	if len(given) == len(v.entries) && v.kind == mapping && !given.has("userAgents") && !given.has("paths") {
		w.fault(v, "this ignores nothing: give userAgents, paths or both")
	}
}

// eachOf reads a list by the reader of one.
func eachOf[T any](words string, one reader[string], field func(*T) *[]string) reader[T] {
	return func(w *walk, into *T, v value) {
		if !w.list(v, words, func(item value) {
			var s string
			one(w, &s, item)
			*field(into) = append(*field(into), s)
		}) {
			return
		}
		if len(v.items) == 0 {
			w.fault(v, "want %s, got an empty one; leave it out", words)
		}
	}
}

func agentPart[T any](field func(*T) *string) reader[T] {
	return parsed("a part of a User-Agent such as UptimeRobot", func(s string) (string, error) {
		if strings.TrimSpace(s) == "" {
			return "", fmt.Errorf("an empty text is part of every User-Agent: the service would never be woken")
		}
		return strings.ToLower(s), nil
	}, field)
}

func pathBelowRoot(w *walk, into *string, v value) {
	pathPrefix(func(s *string) *string { return s })(w, into, v)
	if *into == "/" {
		w.fault(v, "every path is below /: the service would never be woken")
	}
}

// statusWithBody takes what may have a body (RFC 9110 section 6.4.1) and is no interim response.
func statusWithBody[T any](field func(*T) *int) reader[T] {
	return func(w *walk, into *T, v value) {
		before := len(w.faults)
		numberBetween(200, 599, "a status", field)(w, into, v)
		if n := *field(into); len(w.faults) == before && (n == 204 || n == 205 || n == 304) {
			w.fault(v, "a reply with status %d has no body; want another status", n)
		}
	}
}

// answerLine is the body of an answer of ours.
func answerLine[T any](field func(*T) *string) reader[T] {
	return parsed("a line of text", func(s string) (string, error) {
		if strings.TrimSpace(s) == "" || strings.ContainsAny(s, "\r\n") || len(s) > 1000 {
			return "", fmt.Errorf("want one line of text, of 1000 bytes at most")
		}
		return s, nil
	}, field)
}

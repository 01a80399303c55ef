package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// parsed is the reader of whatever is written as text: parse gives the value, or says what is wrong with it.
func parsed[T, V any](words string, parse func(string) (V, error), field func(*T) *V) reader[T] {
	return func(w *walk, into *T, v value) {
		s, ok := w.text(v, words, func(s string) bool { _, err := parse(s); return err == nil })
		if !ok {
			return
		}
		got, err := parse(s)
		if err != nil {
			w.fault(v, "%v", err)
			return
		}
		*field(into) = got
	}
}

// text is what was written as text. A number is refused, as 010, 1_000 or 1.10 would not be what a person sees;
// fits says whether quotes would make it right.
func (w *walk) text(v value, words string, fits func(string) bool) (string, bool) {
	switch {
	case (v.kind == number || v.kind == boolean) && fits(v.text):
		w.fault(v, "want %s, got %s; put it in quotes", words, v.kind)
		return "", false
	case !w.expect(v, text, words):
		return "", false
	case strings.ContainsRune(v.text, 0):
		w.fault(v, "holds a NUL byte, which nothing can take")
		return "", false
	}
	return v.text, true
}

// written is a scalar as it stands in the config, for arguments and environment variables, where a bare 8000 or
// true is as good as a quoted one.
func (w *walk) written(v value, words string) (string, bool) {
	if v.kind == number || v.kind == boolean {
		return v.text, true
	}
	return w.text(v, words, always)
}

func always(string) bool { return true }

var wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

// whole is a whole number in plain decimal.
func (w *walk) whole(v value, words string) (int64, bool) {
	if v.kind == text && !v.expanded {
		w.fault(v, "want %s, got the text %q%s", words, shorten(v.text), dropQuotes(wholeNumber.MatchString(v.text)))
		return 0, false
	}
	if !v.expanded && !w.expect(v, number, words) {
		return 0, false
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || !wholeNumber.MatchString(v.text) {
		w.fault(v, "want %s, got %s", words, shorten(v.text))
		return 0, false
	}
	return n, true
}

func dropQuotes(fits bool) string {
	if fits {
		return "; leave out the quotes"
	}
	return ""
}

func trueOrFalse[T any](field func(*T) *bool) reader[T] {
	return func(w *walk, into *T, v value) {
		if v.kind == text && (!v.expanded || v.text != "true" && v.text != "false") {
			w.fault(v, "want true or false, got the text %q%s", shorten(v.text), dropQuotes(v.text == "true" || v.text == "false"))
			return
		}
		if v.expanded || w.expect(v, boolean, "true or false") {
			*field(into) = v.text == "true"
		}
	}
}

func port[T any](field func(*T) *int) reader[T] { return numberBetween(1, 65535, "a port", field) }

// listenPort may be 0, for which the system picks a free port.
func listenPort[T any](field func(*T) *int) reader[T] {
	return numberBetween(0, 65535, "a port", field)
}

func numberBetween[T any](low, high int64, what string, field func(*T) *int) reader[T] {
	words := fmt.Sprintf("%s, a number from %d to %d", what, low, high)
	return func(w *walk, into *T, v value) {
		n, ok := w.whole(v, words)
		if !ok {
			return
		}
		if n < low || n > high {
			w.fault(v, "want %s, got %d", words, n)
			return
		}
		*field(into) = int(n)
	}
}

func duration[T any](field func(*T) *time.Duration) reader[T] {
	return func(w *walk, into *T, v value) {
		d, ok := w.duration(v)
		if ok && d == 0 {
			w.fault(v, "want more than 0")
		} else if ok {
			*field(into) = d
		}
	}
}

// durationOrNever gives 0 for never; a written 0 is refused, for it could as well mean at once.
func durationOrNever[T any](field func(*T) *time.Duration) reader[T] {
	return func(w *walk, into *T, v value) {
		if v.kind == text && v.text == "never" {
			*field(into) = 0
			return
		}
		d, ok := w.duration(v)
		if ok && d == 0 {
			w.fault(v, "0 could mean at once or not at all; write never if it is not to be stopped when unused")
		} else if ok {
			*field(into) = d
		}
	}
}

// duration reads 30s, 5m, 1h30m, or a whole number of milliseconds as DynaPM has it.
func (w *walk) duration(v value) (time.Duration, bool) {
	const words = "a duration such as 30s or 5m, or a whole number of milliseconds"
	if v.kind == number || v.expanded && wholeNumber.MatchString(v.text) {
		ms, ok := w.whole(v, words)
		if !ok {
			return 0, false
		}
		d, err := milliseconds(ms)
		if err != nil {
			w.fault(v, "%v", err)
			return 0, false
		}
		if ms > 0 && ms < 1000 {
			w.note(v, "a bare %d is in milliseconds; write %dms to say so, or %ds for seconds", ms, ms, ms)
		}
		return d, true
	}
	s, ok := w.text(v, words, func(string) bool { return false })
	if !ok {
		return 0, false
	}
	d, err := parseDuration(s)
	if err != nil {
		w.fault(v, "%v", err)
	}
	return d, err == nil
}

// list gives each item of a list to read, with its own place.
func (w *walk) list(v value, words string, read func(item value)) bool {
	if !w.expect(v, list, words) {
		return false
	}
	for i, item := range v.items {
		read(value{item, itemPath(v.path, i)})
	}
	return true
}

func prefixes[T any](field func(*T) *[]netip.Prefix) reader[T] {
	return func(w *walk, into *T, v value) {
		out := []netip.Prefix{}
		w.list(v, "a list of addresses or networks", func(item value) {
			one := parsed("an address such as 10.0.0.1 or a network such as 10.0.0.0/8", parsePrefix,
				func(p *netip.Prefix) *netip.Prefix { return p })
			var p netip.Prefix
			one(w, &p, item)
			out = append(out, p)
		})
		*field(into) = out
	}
}

// oneOf is a text out of a few.
func oneOf[T any](field func(*T) *string, names ...string) reader[T] {
	words := either(names)
	return parsed(words, func(s string) (string, error) {
		if !slices.Contains(names, s) {
			return "", fmt.Errorf("want %s, got %q%s", words, shorten(s), didYouMean(s, names))
		}
		return s, nil
	}, field)
}

// either lists names for a person: a, b or c.
func either(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// line is a shell command line.
func line[T any](field func(*T) *string) reader[T] {
	return parsed("a shell command", func(s string) (string, error) {
		if strings.TrimSpace(s) == "" {
			return "", fmt.Errorf("want a shell command, got an empty text")
		}
		return s, nil
	}, field)
}

// oneLine is any text that is there and has no line break.
func oneLine[T any](words string, field func(*T) *string) reader[T] {
	return parsed(words, func(s string) (string, error) {
		if s == "" || strings.ContainsAny(s, "\r\n") {
			return "", fmt.Errorf("want %s, in one line", words)
		}
		return s, nil
	}, field)
}

// pattern is a regular expression of package regexp, kept as it is written.
func pattern[T any](field func(*T) *string) reader[T] {
	return parsed("a pattern", func(s string) (string, error) {
		_, err := regexp.Compile(s)
		var fault *syntax.Error
		switch {
		case s == "":
			return "", errors.New("want a pattern, got an empty text")
		case errors.As(err, &fault):
			return "", fmt.Errorf("not a pattern of RE2: %s: %q", fault.Code, shorten(fault.Expr))
		}
		return s, nil
	}, field)
}

func listenAddress[T any](field func(*T) *string) reader[T] {
	return parsed("an address such as 127.0.0.1:3000", parseListen, field)
}

func ipAddress[T any](field func(*T) *string) reader[T] {
	return parsed("an address such as 127.0.0.1", parseIP, field)
}

func hostName[T any](field func(*T) *string) reader[T] {
	return parsed("a host name such as blog.example.com", parseHost, field)
}

func pathPrefix[T any](field func(*T) *string) reader[T] {
	return parsed("a path such as /v1", parsePath, field)
}

func baseURL[T any](field func(*T) **Base) reader[T] {
	return parsed("an address such as http://127.0.0.1:8000", parseBase, field)
}

func serverName[T any](field func(*T) *string) reader[T] {
	return parsed("a host name such as app.internal", parseServerName, field)
}

func healthURL[T any](field func(*T) *string) reader[T] {
	return parsed("a path such as /health, or a whole http url", parseHealthURL, field)
}

func serviceName[T any](field func(*T) *string) reader[T] {
	return parsed("a name", parseName, field)
}

func signal[T any](field func(*T) *syscall.Signal) reader[T] {
	return parsed("the name of a signal", parseSignal, field)
}

func hostHeader[T any](field func(*T) *string) reader[T] {
	return parsed("client, target or a host", parseHostHeader, field)
}

package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What texts mean: pure functions from what is written to what it stands for.

var durationForm = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`)

func parseDuration(s string) (time.Duration, error) {
	if strings.HasPrefix(s, "-") {
		return 0, fmt.Errorf("want a duration, got %s, which is negative", shorten(s))
	}
	if !durationForm.MatchString(s) {
		hint := ""
		if wholeNumber.MatchString(s) {
			hint = "; add a unit, or leave out the quotes for milliseconds"
		}
		return 0, fmt.Errorf("want a duration such as 30s, 5m or 1h30m (units ms, s, m, h), got %q%s", shorten(s), hint)
	}
	d, err := time.ParseDuration(s)
	if err != nil || d > longest {
		return 0, fmt.Errorf("%s is longer than the longest there can be, %s", shorten(s), longestText)
	}
	return d, nil
}

// longest leaves room to reckon with, such as a time that is as long from now.
const (
	longest     = 10 * 365 * 24 * time.Hour
	longestText = "87600h (ten years)"
)

func milliseconds(ms int64) (time.Duration, error) {
	if ms < 0 {
		return 0, fmt.Errorf("want a duration, got %d, which is negative", ms)
	}
	if ms > longest.Milliseconds() {
		return 0, fmt.Errorf("%d milliseconds are longer than the longest there can be, %s", ms, longestText)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// nameRule keeps a service's name from being anything but itself as a file name, in a URL path, in a table or in
// an environment variable: no slash, no leading dot or dash, nothing unprintable.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func parseName(s string) (string, error) {
	if !nameRule.MatchString(s) {
		return "", fmt.Errorf("%q cannot be a name: want letters, digits, dot, dash and underscore, "+
			"the first a letter or digit, 63 at most", shorten(s))
	}
	return s, nil
}

// checkVariable refuses what cannot be an environment variable, and the marks by which processes are found again.
func checkVariable(name string) error {
	switch {
	case name == "":
		return errors.New("an environment variable has a name")
	case strings.ContainsAny(name, "=\x00"):
		return errors.New("the name of an environment variable holds no = and no NUL")
	case name == "DYNAPM_SERVICE" || name == "DYNAPM_RUN":
		return fmt.Errorf("%s is set by dynapm itself, to know its processes", name)
	}
	return nil
}

// checkToken wants what RFC 6750 section 2.1 lets stand behind "Bearer " (b64token).
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

func checkToken(s string) error {
	if s == "" {
		return errors.New("the token is empty")
	}
	if !tokenForm.MatchString(s) {
		return errors.New("a token is made of letters, digits and -._~+/, with = only at its end")
	}
	return nil
}

// stopSignals are those that a service may take for "end now".
var stopSignals = map[string]syscall.Signal{
	"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGQUIT": syscall.SIGQUIT, "SIGHUP": syscall.SIGHUP,
	"SIGKILL": syscall.SIGKILL, "SIGABRT": syscall.SIGABRT, "SIGUSR1": syscall.SIGUSR1, "SIGUSR2": syscall.SIGUSR2,
	"SIGWINCH": syscall.SIGWINCH,
}

var stopSignalNames = []string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGABRT", "SIGUSR1", "SIGUSR2", "SIGWINCH"}

func parseSignal(s string) (syscall.Signal, error) {
	full := s
	if !strings.HasPrefix(s, "SIG") {
		full = "SIG" + s
	}
	if sig, ok := stopSignals[full]; ok {
		return sig, nil
	}
	hint := didYouMean(full, stopSignalNames)
	return 0, fmt.Errorf("%q is no signal to stop a service with: want one of %s%s", shorten(s), strings.Join(stopSignalNames, ", "), hint)
}

var statusForm = regexp.MustCompile(`^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$`)

// statusRange reads 200, or a text such as 200-399.
func statusRange(w *walk, h *HealthCheck, v value) {
	const words = "a status from 100 to 599, or a range such as 200-399"
	if v.kind != number && !w.expect(v, text, words) {
		return
	}
	low, high, isRange := strings.Cut(v.text, "-")
	if !isRange {
		high = low
	}
	if !statusForm.MatchString(v.text) || low > high {
		w.fault(v, "want %s, got %s", words, shorten(v.text))
		return
	}
	h.StatusMin, _ = strconv.Atoi(low) // three digits each, by the form
	h.StatusMax, _ = strconv.Atoi(high)
}

func parsePrefix(s string) (netip.Prefix, error) {
	var p netip.Prefix
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		p = netip.PrefixFrom(a, a.BitLen())
	} else if p, err = netip.ParsePrefix(s); err != nil {
		return p, fmt.Errorf("want an address such as 10.0.0.1 or a network such as 10.0.0.0/8, got %q", shorten(s))
	}
	if p.Addr().Is4In6() {
		return p, fmt.Errorf("%s is an IPv4 address in IPv6 form, which no peer has; write it as IPv4", s)
	}
	if m := p.Masked(); m != p {
		return p, fmt.Errorf("%s has bits set beyond its length; write %s, or the address alone", s, m)
	}
	return p, nil
}

// plainWords is a command in which a shell would see nothing but words; with any other character it is the shell's.
var plainWords = regexp.MustCompile(`^[\pL\pN_./:,@+%\t -]*$`)

// shellWords are commands that exist in a shell only.
var shellWords = map[string]bool{
	".": true, ":": true, "cd": true, "command": true, "eval": true, "exec": true, "exit": true, "export": true,
	"for": true, "if": true, "readonly": true, "set": true, "source": true, "time": true, "trap": true,
	"ulimit": true, "umask": true, "unset": true, "until": true, "wait": true, "while": true, "case": true,
}

// splitRun makes the arguments of a command line: its words, or a shell that is given the line unchanged. It is
// empty for a blank line.
func splitRun(s string) []string {
	words := strings.Fields(s)
	if len(words) == 0 {
		return nil
	}
	if plainWords.MatchString(s) && !shellWords[words[0]] {
		return words
	}
	return []string{"/bin/sh", "-c", s}
}

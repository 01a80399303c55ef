package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// parseListen takes what net.Listen takes, but no names: only addresses of this machine can be listened on.
func parseListen(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("want an address and a port such as 127.0.0.1:3000, or :3000 for every address, got %q", shorten(s))
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("want a port from 0 to 65535 behind the colon, got %q", shorten(port))
	}
	if host != "" {
		if host, err = parseIP(host); err != nil {
			return "", err
		}
	}
	return net.JoinHostPort(host, port), nil
}

// parseIP takes an address, or localhost for 127.0.0.1.
func parseIP(s string) (string, error) {
	if s == "localhost" {
		return "127.0.0.1", nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return "", fmt.Errorf("want an address of this machine such as 127.0.0.1, 0.0.0.0 or ::1, got %q", shorten(s))
	}
	return a.Unmap().String(), nil
}

var (
	hostLabel = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)
	pathForm  = regexp.MustCompile(`^/[!-~]*$`)
)

// parseHost takes a host name (RFC 1123, with underscores, which are met in practice), a wildcard "*.name", or
// an address; it gives it in lower case.
func parseHost(s string) (string, error) {
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if a, err := netip.ParseAddr(bare); err == nil && a.Zone() == "" {
		return a.String(), nil
	}
	switch {
	case s == "":
		return "", fmt.Errorf("want a host name, got an empty text")
	case s == "*":
		return "", fmt.Errorf("cannot use * as a host; default: true takes what no other service does")
	case strings.ContainsAny(s, "/:"):
		return "", fmt.Errorf("want a host name alone, without scheme, port or path, got %q", shorten(s))
	}
	name := strings.ToLower(s)
	rest := strings.TrimPrefix(name, "*.")
	if strings.Contains(rest, "*") {
		return "", fmt.Errorf("cannot use %q: a wildcard is a leading \"*.\", as in *.example.com", shorten(s))
	}
	if len(rest) > 253 {
		return "", fmt.Errorf("%q is longer than a host name can be (253)", shorten(s))
	}
	for _, label := range strings.Split(rest, ".") {
		if !hostLabel.MatchString(label) {
			return "", fmt.Errorf("%q is not a host name: %s", shorten(s), wrongLabel(label))
		}
	}
	return name, nil
}

func wrongLabel(label string) string {
	switch {
	case label == "":
		return "it has an empty part"
	case len(label) > 63:
		return fmt.Sprintf("the part %q is longer than 63", shorten(label))
	case strings.IndexFunc(label, func(r rune) bool { return r > '~' }) >= 0:
		return "names beyond ASCII are written as xn--..."
	}
	return fmt.Sprintf("the part %q has more than letters, digits and dashes within", shorten(label))
}

// parsePath takes a prefix of the raw path of a request; it holds for whole parts: /v1 for /v1 and /v1/x, not
// for /v10.
func parsePath(s string) (string, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "", fmt.Errorf("a path starts with /, got %q", shorten(s))
	case !pathForm.MatchString(s) || strings.ContainsAny(s, "?#*"):
		return "", fmt.Errorf("%q is not a path: no blanks, no ?, # or *, and what is beyond ASCII written as %%XX", shorten(s))
	case s != "/" && strings.HasSuffix(s, "/"):
		return "", fmt.Errorf("write %q without the / at its end: a prefix is for all paths below it as well", shorten(s))
	}
	return s, nil
}

const longestUnixPath = 107 // sockaddr_un.sun_path is 108 bytes with its NUL, unix(7)

// parseBase takes http://host:port, https://host:port and unix:/path.
func parseBase(s string) (*Base, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || len(path) > longestUnixPath {
			return nil, fmt.Errorf("want the absolute path of a socket of at most %d bytes, as in unix:/run/app.sock, got %q",
				longestUnixPath, shorten(s))
		}
		return &Base{Scheme: "http", Unix: path, Raw: s}, nil
	}
	if scheme, _, found := strings.Cut(s, "://"); found && !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return nil, fmt.Errorf("cannot speak %s to a service: its address is http://host:port, https://host:port or unix:/path", shorten(scheme))
	}
	u, err := parseURL(s)
	if err != nil {
		return nil, err
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery {
		return nil, fmt.Errorf("a service's address has no path: requests keep their own; write %s://%s", u.Scheme, u.Host)
	}
	port, err := portOf(u)
	if err != nil {
		return nil, err
	}
	return &Base{Scheme: u.Scheme, Host: strings.ToLower(u.Hostname()), Port: port, Raw: s}, nil
}

// parseURL takes http and https only, with a host that can be one.
func parseURL(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		return nil, fmt.Errorf("want an address such as http://127.0.0.1:8000, got %q", shorten(s))
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a url", shorten(s))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("cannot speak %s: want http or https%s", shorten(u.Scheme), didYouMean(u.Scheme, []string{"http", "https"}))
	case u.User != nil:
		return nil, fmt.Errorf("a service's address holds no user name or password")
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, fmt.Errorf("a service's address holds no #")
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q names no host", shorten(s))
	}
	if host, err := parseHost(u.Hostname()); err != nil || strings.HasPrefix(host, "*") {
		return nil, fmt.Errorf("%q is not a host name or address", shorten(u.Hostname()))
	}
	return u, nil
}

func portOf(u *url.URL) (int, error) {
	switch {
	case u.Port() == "" && strings.HasSuffix(u.Host, ":"):
		return 0, fmt.Errorf("%q has a colon but no port", shorten(u.Host))
	case u.Port() == "" && u.Scheme == "https":
		return 443, nil
	case u.Port() == "":
		return 80, nil
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("want a port from 1 to 65535, got %s", shorten(u.Port()))
	}
	return int(n), nil
}

// parseServerName takes what a certificate can be for: a host.
func parseServerName(s string) (string, error) {
	host, err := parseHost(s)
	if err == nil && strings.HasPrefix(host, "*") {
		return "", fmt.Errorf("want the one name that is asked for, got the wildcard %q", shorten(s))
	}
	return host, err
}

// parseHealthURL takes a whole url, or a path that is asked of the service itself.
func parseHealthURL(s string) (string, error) {
	if strings.HasPrefix(s, "/") {
		if !pathForm.MatchString(s) || strings.Contains(s, "#") {
			return "", fmt.Errorf("%q is not a path: no blanks, no #, and what is beyond ASCII written as %%XX", shorten(s))
		}
		return s, nil
	}
	if !strings.Contains(s, "://") {
		return "", fmt.Errorf("want a path such as /health, or a whole http url, got %q", shorten(s))
	}
	u, err := parseURL(s)
	if err != nil {
		return "", err
	}
	if _, err := portOf(u); err != nil {
		return "", err
	}
	return s, nil
}

// parseHostHeader takes the two words, or what may stand in a Host field (RFC 9110 section 7.2).
func parseHostHeader(s string) (string, error) {
	if s == "client" || s == "target" {
		return s, nil
	}
	if word := strings.ToLower(s); word == "client" || word == "target" {
		return "", fmt.Errorf("write %s in lower case", word)
	}
	host, port := s, ""
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	}
	_, bare := netip.ParseAddr(s)
	if _, err := parseHost(host); err != nil || strings.HasPrefix(host, "*") || bare == nil && strings.Contains(s, ":") {
		return "", fmt.Errorf("want client, target or a host such as app.internal, got %q", shorten(s))
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("want a port from 1 to 65535, got %q", shorten(port))
		}
	}
	return s, nil
}

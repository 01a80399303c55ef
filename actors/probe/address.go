package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// lookupTimeout bounds the resolving of a host name.
const lookupTimeout = 5 * time.Second

// Candidates returns the addresses under which the service at address may
// answer, each "ip:port" or "unix:/path". For this machine by any of its usual
// names these are both loopbacks: servers listen on one of them, and which one
// depends on how they were written. Other names are looked up, which may take
// some seconds.
func Candidates(address string) ([]string, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if path == "" {
			return nil, fmt.Errorf("cannot use address %q: it has no path", address)
		}
		return []string{address}, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("cannot use address %q: %w", address, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, fmt.Errorf("cannot use address %q: %q is not a port number", address, port)
	}
	hosts := []string{host}
	switch ip, err := netip.ParseAddr(host); {
	case host == "::1", host == "::":
		hosts = []string{"::1", "127.0.0.1"}
	case host == "127.0.0.1", isLocalName(host), err == nil && ip.IsUnspecified():
		hosts = []string{"127.0.0.1", "::1"}
	case err != nil:
		ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
		defer cancel()
		if hosts, err = net.DefaultResolver.LookupHost(ctx, host); err != nil {
			return nil, fmt.Errorf("cannot use address %q: %w", address, err)
		}
	}
	for i, host := range hosts {
		hosts[i] = net.JoinHostPort(host, port)
	}
	return hosts, nil
}

// isLocal tells whether host, a name or an address, is this machine by one of
// its usual names.
func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || ip.IsUnspecified()) || isLocalName(host)
}

// isLocalName knows localhost and what is below it (RFC 6761 section 6.3). No
// name at all is a wildcard.
func isLocalName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

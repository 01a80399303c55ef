package loadtest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"golang.org/x/sys/unix"
)

// target is a URL that is asked, and where it is.
type target struct {
	url     *url.URL
	host    string // of the Host field
	where   string // the address, as text
	address unix.Sockaddr
	family  int
	tls     *tls.Config // nil: without
	request []byte
	expect  *body   // what every reply must bring; nil: any
	sink    *[]byte // where bodies go; nil: nowhere
}

// newTarget resolves a URL. host, if there is one, takes the place of the URL's in the Host field.
func newTarget(text, host string) (*target, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not an http:// or https:// URL", text)
	case u.User != nil:
		return nil, errors.New("a name and password in a URL are not sent")
	}
	if host == "" {
		host = u.Host
	}
	if strings.ContainsAny(host, " \r\n") {
		return nil, fmt.Errorf("%q is not a host", host)
	}
	t := &target{url: u, host: host, request: requestFor(u, host)}
	if u.Scheme == "https" {
		// The server is asked for by the name in the Host field, and its certificate must be for that.
		t.tls = &tls.Config{ServerName: hostname(host), NextProtos: []string{"http/1.1"}}
	}
	return t, t.resolve()
}

// hostname is a host without its port.
func hostname(host string) string { return (&url.URL{Host: host}).Hostname() }

// one of two values with a comma in between is for the first or second target; one alone is for both.
func one(list string, n int) string {
	first, second, two := strings.Cut(list, ",")
	if two && n == 1 {
		return strings.TrimSpace(second)
	}
	return strings.TrimSpace(first)
}

func requestFor(u *url.URL, host string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: dynapm-loadtest\r\nAccept: */*\r\n\r\n", u.RequestURI(), host)
}

// at is the same place asked for another host.
func (t *target) at(host string) *target {
	other := *t
	other.host, other.request, other.expect = host, requestFor(t.url, host), nil
	return &other
}

func (t *target) resolve() error {
	name, port := t.url.Hostname(), t.url.Port()
	if port == "" {
		if port = "80"; t.tls != nil {
			port = "443"
		}
	}
	// RFC 6761, 6.3: localhost and all below it are loopback, which not every resolver knows.
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		name = "127.0.0.1"
	}
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(name, port))
	if err != nil {
		return err
	}
	t.where = addr.String()
	if v4 := addr.IP.To4(); v4 != nil {
		t.family, t.address = unix.AF_INET, &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(v4)}
	} else if addr.Zone != "" {
		return errors.New("addresses with a zone are not supported")
	} else {
		t.family, t.address = unix.AF_INET6, &unix.SockaddrInet6{Port: addr.Port, Addr: [16]byte(addr.IP.To16())}
	}
	return nil
}

// dial begins a connection. It is there when the socket can be written.
func (t *target) dial() (int, error) {
	fd, err := unix.Socket(t.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := unix.Connect(fd, t.address); err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

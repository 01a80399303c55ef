package netio

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListenRefuses(t *testing.T) {
	for _, address := range []string{"", "3000", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "example.com:80", "[fe80::1%lo]:80"} {
		if l, err := Listen(address); err == nil {
			l.Close()
			t.Errorf("Listen(%q) succeeded", address)
		}
	}
}

func TestListenTells(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a port that is taken gives %v", err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestListenIsDualStack(t *testing.T) {
	l, err := Listen(":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(l.Addr().Port())))
		if err != nil {
			if host == "::1" && errors.Is(err, syscall.EADDRNOTAVAIL) {
				continue // no IPv6 on this machine
			}
			t.Errorf("%s: %v", host, err)
			continue
		}
		c.Close()
	}
}

// TestListenSocket checks the flags that nobody sets again: the accepted sockets inherit TCP_NODELAY, children nothing.
func TestListenSocket(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if flags, err := unix.FcntlInt(uintptr(l.fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("close-on-exec: %v, %v", flags, err)
	}
	if flags, err := unix.FcntlInt(uintptr(l.fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("non-blocking: %v, %v", flags, err)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var fd int
	eventually(t, "the connection can be accepted", func() bool {
		fd, _, err = unix.Accept(l.fd)
		return err == nil
	})
	defer unix.Close(fd)
	if on, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || on == 0 {
		t.Errorf("TCP_NODELAY of an accepted socket: %v, %v", on, err)
	}
}

func TestNewBackend(t *testing.T) {
	for _, address := range []string{"127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "unix:/run/app.sock"} {
		if _, err := NewBackend(address, "", 0); err != nil {
			t.Error(err)
		}
	}
	long := "unix:/" + string(make([]byte, 200))
	for _, address := range []string{"", "localhost:80", "127.0.0.1", "127.0.0.1:0", "unix:", "unix:relative", "unix:/a\x00b", long, "[fe80::1%lo]:80"} {
		if _, err := NewBackend(address, "", 0); err == nil {
			t.Errorf("NewBackend(%q) succeeded", address)
		}
	}
}

// TestInherit takes a listening TCP socket over and refuses everything else.
func TestInherit(t *testing.T) {
	plain, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	bell, err := newBell()
	if err != nil {
		t.Fatal(err)
	}
	defer bell.close()
	for want, fd := range map[string]int{"no listening socket": int(plain.Fd()), "no TCP socket": bell.listener.fd} {
		if _, err := Inherit(fd); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	first, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := first.Dup()
	if err != nil {
		t.Fatal(err)
	}
	second, err := Inherit(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	sysClose(fd)
	first.Close()
	if _, err := first.Dup(); err == nil {
		t.Error("a closed listener has a duplicate")
	}
	c, err := net.Dial("tcp", second.Addr().String())
	if err != nil {
		t.Fatalf("the socket has ended with the listener that opened it: %v", err)
	}
	c.Close()
}

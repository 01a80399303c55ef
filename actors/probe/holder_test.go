package probe

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCandidates(t *testing.T) {
	for address, want := range map[string][]string{
		"localhost:80":       {"127.0.0.1:80", "[::1]:80"},
		"Localhost.:80":      {"127.0.0.1:80", "[::1]:80"},
		"blog.localhost:80":  {"127.0.0.1:80", "[::1]:80"},
		"127.0.0.1:80":       {"127.0.0.1:80", "[::1]:80"},
		"[::1]:80":           {"[::1]:80", "127.0.0.1:80"},
		":80":                {"127.0.0.1:80", "[::1]:80"},
		"0.0.0.0:80":         {"127.0.0.1:80", "[::1]:80"},
		"[::]:80":            {"[::1]:80", "127.0.0.1:80"},
		"127.0.0.2:80":       {"127.0.0.2:80"},
		"10.1.2.3:8080":      {"10.1.2.3:8080"},
		"[2001:db8::1]:8080": {"[2001:db8::1]:8080"},
		"unix:/run/app.sock": {"unix:/run/app.sock"},
	} {
		got, err := Candidates(address)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", address, got, err, want)
		}
	}
	for _, address := range []string{"", "localhost", "localhost:", "localhost:http", "localhost:0", "localhost:65536", "a:b:1", "unix:"} {
		if got, err := Candidates(address); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("cannot use address %q: ", address)) {
			t.Errorf("%s: %v, %v", address, got, err)
		}
	}
}

func TestParseTableAddress(t *testing.T) {
	if l := listen(t, "127.0.0.1:0"); !Listening(l.Addr().String()) {
		t.Error("the byte order of this machine's tables is misread")
	}
	for _, bad := range []string{"", "0100007F", "0100007F:", "01:80", "0100007G:0050", "0100007F:10000"} {
		if got, ok := parseTableAddress(bad); ok {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, tc := range []struct {
		bound, to string
		want      bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"127.0.0.1:80", "[::1]:80", false},
		{"[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
		{"0.0.0.0:80", "127.0.0.1:80", true},
		{"0.0.0.0:80", "[::1]:80", false},
		{"[::]:80", "[::1]:80", true},
		{"[::]:80", "127.0.0.1:80", true},
	} {
		if got := overlap(netip.MustParseAddrPort(tc.bound), netip.MustParseAddrPort(tc.to)); got != tc.want {
			t.Errorf("%+v: %t", tc, got)
		}
	}
}

func TestListening(t *testing.T) {
	address := freeAddress(t)
	if Listening(address) {
		t.Error("nothing listens, and yet it is said")
	}
	if who, found := Holder(address); found {
		t.Error(who)
	}
	port := portOf(t, address)
	for _, host := range []string{"127.0.0.1", "0.0.0.0", ""} {
		l := listen(t, net.JoinHostPort(host, port))
		if !Listening(address) || !Listening("localhost:"+port) {
			t.Errorf("not seen on %s", l.Addr())
		}
		// Whoever listens here on every address does so on no other machine's.
		if Listening("192.0.2.1:" + port) {
			t.Error("listens on an address that is not this machine's")
		}
		// A connection is not a listener.
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if Listening(conn.LocalAddr().String()) {
			t.Error("a connection was taken for a listener")
		}
		conn.Close()
		l.Close()
	}
}

func TestHolder(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := os.StartProcess(executable, []string{executable, "hold", "127.0.0.1:0"}, &os.ProcAttr{Files: []*os.File{nil, w, os.Stderr}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Wait()
	defer p.Kill()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(line)
	who, found := Holder(address)
	prefix := fmt.Sprintf("pid %d (%s", p.Pid, executable[:min(20, len(executable))])
	if !found || !strings.HasPrefix(who, prefix) || !strings.HasSuffix(who, ")") {
		t.Errorf("%q, %t, want %s...", who, found, prefix)
	}
	if who, found := Holder("localhost:" + portOf(t, address)); !found || !strings.HasPrefix(who, prefix) {
		t.Errorf("%q, %t", who, found)
	}
}

func TestHolderOfUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	who, found := Holder("unix:" + path)
	if !found || !strings.HasPrefix(who, fmt.Sprintf("pid %d (", os.Getpid())) {
		t.Errorf("%q, %t", who, found)
	}
	if Listening("unix:" + path + "x") {
		t.Error("nothing listens there")
	}
}

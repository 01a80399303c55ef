package probe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Listening tells whether any process of this machine listens on address, or
// on another of its Candidates.
//
// It is asked before each start, and where a server could take the address there
// is no listener: that costs little, however many sockets the machine has. Only
// the kernel's tables tell a listener from others who are in the way.
func Listening(address string) bool {
	if free(address) {
		return false
	}
	_, found := listener(address)
	return found
}

// free tells that a server could take all Candidates of address. False says
// nothing: it may be another machine's, or not for us to take.
func free(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return false
	}
	candidates, err := Candidates(address)
	if err != nil {
		return false
	}
	for _, c := range candidates {
		if !bindable(c) {
			return false
		}
	}
	return len(candidates) > 0
}

// bindable tells that no listener has the address. Where the kernel cannot say so,
// it binds as servers do, so that only a listener is in the way and no connection
// that lingers (socket(7)).
func bindable(address string) bool {
	if ip, err := netip.ParseAddrPort(address); err == nil && lookUp(ip) == nobody {
		return true
	}
	at, family, err := sockaddr(address)
	if err != nil {
		return false
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return true // no IPv6 here
	}
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return false
	}
	err = unix.Bind(fd, at)
	return err == nil || errors.Is(err, unix.EADDRNOTAVAIL) && family == unix.AF_INET6
}

// Holder names the process that listens on address, or on another of its
// Candidates: "pid 123 (node server.js)", or "another process" if it may not be
// seen.
func Holder(address string) (string, bool) {
	inode, found := listener(address)
	if !found {
		return "", false
	}
	pid, ok := owner(inode)
	if !ok {
		return "another process", true
	}
	if command := commandLine(pid); command != "" {
		return fmt.Sprintf("pid %d (%s)", pid, command), true
	}
	return fmt.Sprintf("pid %d", pid), true
}

// listener returns the inode of a socket that listens on address.
func listener(address string) (inode string, found bool) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return unixListener(path)
	}
	candidates, err := Candidates(address)
	if err != nil {
		return "", false
	}
	var wanted []netip.AddrPort
	for _, c := range candidates {
		if at, err := netip.ParseAddrPort(c); err == nil && isOurs(at.Addr()) {
			wanted = append(wanted, at)
		}
	}
	for _, table := range tcpTables {
		if inode, found = tcpListener(table, wanted); found {
			return inode, true
		}
	}
	return "", false
}

// isOurs tells whether ip is an address of this machine. A wildcard socket of
// ours says nothing about the others.
func isOurs(ip netip.Addr) bool {
	if ip.IsLoopback() {
		return true
	}
	all, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(all, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr() == ip.Unmap()
	})
}

var tcpTables = []string{"/proc/net/tcp", "/proc/net/tcp6"}

// tcpListener searches a table for who listens at one of the addresses.
func tcpListener(table string, wanted []netip.AddrPort) (inode string, found bool) {
	for at, inode := range tcpListeners(table) {
		if slices.ContainsFunc(wanted, func(w netip.AddrPort) bool { return overlap(at, w) }) {
			return inode, true
		}
	}
	return "", false
}

// tcpListeners reads a table of proc_pid_net(5), and gives the inode of each socket that listens. The kernel lists these
// before all others, of which there may be many thousands.
func tcpListeners(table string) iter.Seq2[netip.AddrPort, string] {
	return func(yield func(netip.AddrPort, string) bool) {
		f, err := os.Open(table)
		if err != nil {
			return
		}
		defer f.Close()
		const listen = "0A" // TCP_LISTEN of the kernel's tcp_states.h
		lines := bufio.NewScanner(f)
		lines.Scan() // the heading
		for lines.Scan() {
			// sl local_address rem_address st queues timer retrnsmt uid timeout inode
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != listen {
				return
			}
			if at, ok := parseTableAddress(fields[1]); ok && !yield(at, fields[9]) {
				return
			}
		}
	}
}

// ListenedPorts are those on which somebody listens with TCP, at whatever address.
func ListenedPorts() map[int]bool {
	ports := map[int]bool{}
	for _, table := range tcpTables {
		for at := range tcpListeners(table) {
			ports[int(at.Port())] = true
		}
	}
	return ports
}

// overlap tells whether a socket bound to a gets what is sent to b. A wildcard
// of IPv6 takes IPv4 too, unless it was told not to, which the table omits.
func overlap(a, b netip.AddrPort) bool {
	if a.Port() != b.Port() {
		return false
	}
	ip := a.Addr().Unmap()
	return ip == b.Addr().Unmap() || ip == netip.IPv6Unspecified() || ip == netip.IPv4Unspecified() && b.Addr().Unmap().Is4()
}

// parseTableAddress reads "0100007F:1F90": words of 32 bits in the byte order
// of this machine, in hexadecimal, and the port.
func parseTableAddress(text string) (netip.AddrPort, bool) {
	words, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(words)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(ip, uint16(n)), ok && err == nil
}

// unixListener searches /proc/net/unix.
func unixListener(path string) (inode string, found bool) {
	f, err := os.Open("/proc/net/unix")
	if err != nil {
		return "", false
	}
	defer f.Close()
	const accepts = 1 << 16 // __SO_ACCEPTCON of the kernel's net.h
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// Num RefCount Protocol Flags Type St Inode Path
		fields := strings.SplitN(strings.Join(strings.Fields(lines.Text()), " "), " ", 8)
		if len(fields) < 8 || fields[7] != path {
			continue
		}
		if flags, err := strconv.ParseUint(fields[3], 16, 32); err == nil && flags&accepts != 0 {
			return fields[6], true
		}
	}
	return "", false
}

// owner finds a process that has the socket with this inode open.
func owner(inode string) (pid int, found bool) {
	want := "socket:[" + inode + "]"
	// Unreadable ones are other users' processes; Glob passes over them.
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if link, err := os.Readlink(fd); err == nil && link == want {
			pid, err := strconv.Atoi(strings.Split(fd, "/")[2])
			return pid, err == nil
		}
	}
	return 0, false
}

// maxCommand is how much of a command line is shown.
const maxCommand = 100

func commandLine(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	text := strings.ToValidUTF8(string(bytes.ReplaceAll(bytes.TrimRight(b, "\x00"), []byte{0}, []byte(" "))), "?")
	if runes := []rune(text); len(runes) > maxCommand {
		text = string(runes[:maxCommand]) + "..."
	}
	return text
}

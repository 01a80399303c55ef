package probe

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Whether somebody listens at an address of this machine, the kernel can tell
// (sock_diag(7)): for two system calls that touch neither the network nor the
// service. It looks the listener up as it does for a packet that has come, so a
// wildcard counts. A connect costs three times as much, and where it succeeds the
// service has a connection to get rid of.

// finding is what the kernel knows of a listener.
type finding uint8

const (
	unknown finding = iota // it cannot be asked, or the listener takes no more connections
	nobody
	somebody
)

// desk is where the kernel is asked: a socket for the whole process, opened when
// it is first needed.
type desk struct {
	mu       sync.Mutex
	open     sync.Once
	fd       int // -1: it cannot be asked
	sequence uint32
}

var kernel desk

// lookUp asks for the listener that would get what is sent to an address of IP.
// For other addresses than this machine's the answer means nothing.
func lookUp(at netip.AddrPort) finding {
	kernel.open.Do(kernel.prepare)
	if kernel.fd < 0 {
		return unknown
	}
	return kernel.ask(at)
}

// prepare opens the socket and looks whether a listener is found there. Where the
// kernel was built without its part of it, it says that there is none.
func (d *desk) prepare() {
	d.fd = -1
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(listener)
	if unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}) != nil || unix.Listen(listener, 1) != nil {
		return
	}
	name, err := unix.Getsockname(listener)
	local, ok := name.(*unix.SockaddrInet4)
	if err != nil || !ok {
		return
	}
	if d.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG); err != nil {
		d.fd = -1
		return
	}
	if d.ask(netip.AddrPortFrom(netip.AddrFrom4(local.Addr), uint16(local.Port))) != somebody {
		unix.Close(d.fd)
		d.fd = -1
	}
}

const (
	inetDiagReqLen = unix.SizeofNlMsghdr + 56 // struct inet_diag_req_v2 of linux/inet_diag.h
	sockDiagFamily = 20                       // SOCK_DIAG_BY_FAMILY
	tcpListen      = 10                       // TCP_LISTEN of the kernel's tcp_states.h
)

// ask makes one request and reads its reply, which is there when the request has
// been sent. Neither call blocks, and so the runtime need not know of them.
func (d *desk) ask(at netip.AddrPort) finding {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sequence++
	question := inetDiagRequest(at, d.sequence)
	if _, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(d.fd),
		uintptr(unsafe.Pointer(&question)), inetDiagReqLen, 0, 0, 0); errno != 0 {
		return unknown
	}
	var reply [512]byte
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(d.fd),
			uintptr(unsafe.Pointer(&reply)), uintptr(len(reply)), 0, 0, 0)
		if errno != 0 || n < unix.SizeofNlMsghdr {
			return unknown
		}
		if binary.NativeEndian.Uint32(reply[8:]) == d.sequence { // else it is late, of a request that was given up
			return readInetDiag(reply[:n])
		}
	}
}

// inetDiagRequest asks for the one socket that gets what is sent to an address by
// nobody in particular (netlink(7), linux/inet_diag.h).
func inetDiagRequest(at netip.AddrPort, sequence uint32) (b [inetDiagReqLen]byte) {
	native := binary.NativeEndian
	native.PutUint32(b[0:], inetDiagReqLen)
	native.PutUint16(b[4:], sockDiagFamily)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST)
	native.PutUint32(b[8:], sequence)
	body := b[unix.SizeofNlMsghdr:]
	body[1] = unix.IPPROTO_TCP
	native.PutUint32(body[4:], 1<<tcpListen)
	id := body[8:] // sport, dport, src, dst, interface, cookie
	binary.BigEndian.PutUint16(id[0:], at.Port())
	if ip := at.Addr().Unmap(); ip.Is4() {
		body[0] = unix.AF_INET
		raw := ip.As4()
		copy(id[4:], raw[:])
		copy(id[20:], raw[:])
	} else {
		body[0] = unix.AF_INET6
		raw := ip.As16()
		copy(id[4:], raw[:])
		copy(id[20:], raw[:])
	}
	native.PutUint64(id[40:], ^uint64(0)) // INET_DIAG_NOCOOKIE
	return b
}

// readInetDiag reads the reply: an error, or a struct inet_diag_msg.
func readInetDiag(reply []byte) finding {
	native := binary.NativeEndian
	body := reply[unix.SizeofNlMsghdr:]
	switch kind := native.Uint16(reply[4:]); {
	case kind == unix.NLMSG_ERROR && len(body) >= 4 && -int32(native.Uint32(body)) == int32(unix.ENOENT):
		return nobody
	case kind == sockDiagFamily && len(body) >= 64 && body[1] == tcpListen:
		// idiag_rqueue and idiag_wqueue: how many wait to be accepted, and may.
		if native.Uint32(body[56:]) <= native.Uint32(body[60:]) {
			return somebody
		}
	}
	return unknown
}

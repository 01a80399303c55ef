package probe

import (
	"encoding/binary"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of a try, without telling the runtime: none of them blocks,
// and a runtime that is told looks every 20 us whether one has taken too long,
// which costs more CPU than the try itself.

func rawSocket(family int) (int, error) {
	fd, _, errno := syscall.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return int(fd), errorOf(errno)
}

// rawConnect connects a socket to an address of IP.
func rawConnect(fd int, to unix.Sockaddr) error {
	var place unsafe.Pointer
	var size uintptr
	switch to := to.(type) {
	case *unix.SockaddrInet4:
		raw := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkOrder(to.Port), Addr: to.Addr}
		place, size = unsafe.Pointer(&raw), unix.SizeofSockaddrInet4
	case *unix.SockaddrInet6:
		raw := unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: networkOrder(to.Port), Addr: to.Addr}
		place, size = unsafe.Pointer(&raw), unix.SizeofSockaddrInet6
	default:
		return unix.Connect(fd, to)
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(place), size)
	return errorOf(errno)
}

func rawClose(fd int) { syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// rawSleep may be ended early by a signal. The thread is woken on time from then
// on: by default the kernel may be late by half of the shortest pause, and threads
// that the monitor of the runtime has started would be much later.
func rawSleep(d time.Duration) {
	syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, promptly, 0)
	rest := unix.NsecToTimespec(d.Nanoseconds())
	syscall.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&rest)), 0, 0)
}

const promptly = 1000 // ns

func networkOrder(port int) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, uint16(port)))
}

// errorOf keeps a nil error nil.
func errorOf(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

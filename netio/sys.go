package netio

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of the loops. None of them blocks (but the last), so they go straight to the kernel: telling the scheduler
// of each, as the syscall package does, would cost more than some of the calls themselves.

// calls counts them in builds that are tested.
var calls atomic.Int64

func count() {
	if invariants {
		calls.Add(1)
	}
}

// sysRead is recv(2): unlike read(2) it can be told not to block on a socket that may.
func sysRead(fd int, p []byte) (int, syscall.Errno) {
	count()
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// sysPeek looks at one byte without taking it.
func sysPeek(fd int) (int, syscall.Errno) {
	count()
	var one [1]byte
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&one[0])), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// sysWrite is send(2): unlike write(2) it can be told to raise no SIGPIPE, and not to block.
func sysWrite(fd int, p []byte) (int, syscall.Errno) {
	count()
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

func sysSocket(family int) (int, syscall.Errno) {
	count()
	fd, _, errno := syscall.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return int(fd), errno
}

func sysConnect(fd int, b *Backend) syscall.Errno {
	count()
	_, _, errno := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&b.sock[0])), uintptr(b.sockLen))
	return errno
}

func sysSetInt(fd, level, option int, value int32) {
	count()
	syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
}

func sysShutdownWrite(fd int) {
	count()
	syscall.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
}

func sysClose(fd int) {
	count()
	syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// sysReset makes the following close send RST: the peer sees a break, not an end.
func sysReset(fd int) {
	count()
	linger := unix.Linger{Onoff: 1}
	syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&linger)), unsafe.Sizeof(linger), 0)
}

// sysCloseOnExec closes a socket, which evio leaves open to children, to them.
func sysCloseOnExec(fd int) syscall.Errno {
	count()
	_, _, errno := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
	return errno
}

// sysNonblock puts a socket into non-blocking mode. F_SETFL can change nothing else of a socket of ours, so its flags need
// not be read first.
func sysNonblock(fd int) {
	count()
	syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_SETFL, unix.O_RDWR|unix.O_NONBLOCK)
}

// sysAdd registers fd once for everything, edge-triggered. What comes back with an event is fd and gen.
func sysAdd(epoll, fd int, gen uint32) syscall.Errno {
	count()
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd), Pad: int32(gen)}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), unix.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return errno
}

// sysWatch registers fd as long as it is readable, as evio does.
func sysWatch(epoll, fd int) syscall.Errno {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), unix.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return errno
}

// sysRemove undoes sysAdd, for a socket that somebody else holds too.
func sysRemove(epoll, fd int) {
	count()
	syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), unix.EPOLL_CTL_DEL, uintptr(fd), 0, 0, 0)
}

// sysPoll waits at most a few milliseconds, without a word to the scheduler: the thread keeps its P, and comes back
// without having to ask for one.
func sysPoll(epoll int, events []unix.EpollEvent, ms int) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(ms), 0, 0)
	if n > 0 { // to wait for longer is not a request's doing
		count()
	}
	return int(n), errno
}

// sysWait waits for as long as it takes (ms < 0), and gives its P away meanwhile.
func sysWait(epoll int, events []unix.EpollEvent, ms int) (int, syscall.Errno) {
	n, _, errno := syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(ms), 0, 0)
	if n > 0 { // to wait for longer is not a request's doing
		count()
	}
	return int(n), errno
}

func sysPipe() (r, w int, errno syscall.Errno) {
	count()
	var fds [2]int32
	_, _, errno = syscall.RawSyscall(unix.SYS_PIPE2, uintptr(unsafe.Pointer(&fds)), unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	return int(fds[0]), int(fds[1]), errno
}

func sysPipeSize(fd, size int) {
	count()
	syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_SETPIPE_SZ, uintptr(size))
}

// sysSplice moves up to n bytes from one descriptor to another, one of which is a pipe.
func sysSplice(from, to, n int) (int, syscall.Errno) {
	count()
	r, _, errno := syscall.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(r), errno
}

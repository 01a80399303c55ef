// Package statedir is the directory in which the processes of one gateway meet: engines and their keeper. Whoever may
// enter it is of the same user, and a socket of any depth can be reached.
package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dir is an open state directory.
type Dir struct {
	path string // absolute, without symbolic links
	file *os.File
}

// Open opens the state directory, making it with mode 0700 if it is missing. One that others may write to is refused:
// they could put a socket of theirs there.
func Open(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot use state directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make state directory: %w", err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, fmt.Errorf("cannot use state directory: %w", err)
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open state directory: %w", &fs.PathError{Op: "open", Path: path, Err: err})
	}
	d := &Dir{path: path, file: os.NewFile(uintptr(fd), path)}
	if err := d.check(); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dir) check() error {
	info, err := d.file.Stat()
	if err != nil {
		return fmt.Errorf("cannot use state directory: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if int(owner) != os.Geteuid() {
		return fmt.Errorf("cannot use state directory %s: it belongs to uid %d and this is uid %d; use another stateDir", d.path, owner, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("cannot use state directory %s: others may write to it (mode %04o); run chmod 700 on it", d.path, mode)
	}
	return nil
}

// Close lets the directory go. What listens in it goes on.
func (d *Dir) Close() { d.file.Close() }

// Path is the absolute path of the directory, without symbolic links.
func (d *Dir) Path() string { return d.path }

// Join returns the path of a file of the directory.
func (d *Dir) Join(name string) string { return filepath.Join(d.path, name) }

// socket is the address of a socket by a path that fits into sun_path, whose 108 bytes (unix(7)) a deep directory would
// exceed.
func (d *Dir) socket(network, name string) *net.UnixAddr {
	return &net.UnixAddr{Name: fmt.Sprintf("/proc/self/fd/%d/%s", d.file.Fd(), name), Net: network}
}

// Listen binds a socket, "unix" or "unixpacket", that only this user may connect to. The caller is the one that may: a
// socket that is there already was left behind by a process that was killed.
func (d *Dir) Listen(network, name string) (*net.UnixListener, error) {
	if err := os.Remove(d.Join(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot remove old socket: %w", err)
	}
	// The mode of a socket is decided when it is bound; a chmod would come too late for whoever connected before it.
	umask := unix.Umask(0o177)
	defer unix.Umask(umask)
	l, err := net.ListenUnix(network, d.socket(network, name))
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", d.Join(name), err)
	}
	return l, nil
}

// ErrAbsent says that nobody listens on a socket.
var ErrAbsent = errors.New("nobody listens")

// Dial connects to a socket of the directory.
func (d *Dir) Dial(network, name string) (*net.UnixConn, error) {
	conn, err := net.DialUnix(network, nil, d.socket(network, name))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, ErrAbsent
	}
	return conn, err
}

// Peer returns who is at the other end of conn, and refuses another user.
// For the connecting side it is who called listen (unix(7), SO_PEERCRED).
func Peer(conn *net.UnixConn) (*unix.Ucred, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	if credErr != nil {
		return nil, fmt.Errorf("cannot tell who is connected: %w", credErr)
	}
	if int(cred.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("pid %d belongs to uid %d and this is uid %d", cred.Pid, cred.Uid, os.Geteuid())
	}
	return cred, nil
}

package keeper

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

const (
	socketName = "keeper.sock"
	lockName   = "keeper.lock"
	logName    = "keeper.log"

	// maxLog is the size from which on the log of an earlier keeper is set
	// aside when the next one starts.
	maxLog = 1 << 20
)

// stateDir is the directory in which engine and keeper meet.
type stateDir struct {
	path string // absolute, without symbolic links: it is part of the marks
	file *os.File
}

// openDir opens the state directory, making it if it is missing. One that
// others may write to is refused: they could put a socket of theirs there.
func openDir(path string) (*stateDir, error) {
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
	d := &stateDir{path: path, file: os.NewFile(uintptr(fd), path)}
	if err := d.check(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *stateDir) check() error {
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

func (d *stateDir) close() { d.file.Close() }

// file returns the path of a file of the directory.
func (d *stateDir) join(name string) string { return filepath.Join(d.path, name) }

// socket returns a path of the socket that fits into sun_path, whose 108 bytes
// (unix(7)) a deep directory would exceed.
func (d *stateDir) socket() string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.file.Fd(), socketName)
}

var errLocked = errors.New("another keeper has this state directory")

// lock makes this process the one keeper of the directory, for as long as the
// file stays open. It decides between two engines that start at once.
func (d *stateDir) lock() (*os.File, error) {
	f, err := os.OpenFile(d.join(lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open lock file: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("cannot lock %s: %w", d.join(lockName), err)
}

// listen binds the socket. The caller holds the lock, so a socket that is
// there already was left behind by a keeper that was killed.
func (d *stateDir) listen() (*net.UnixListener, error) {
	if err := os.Remove(d.join(socketName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot remove old socket: %w", err)
	}
	// The mode of a socket is decided when it is bound; a chmod would come
	// too late for whoever connected before it.
	umask := unix.Umask(0o177)
	defer unix.Umask(umask)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: d.socket(), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", d.join(socketName), err)
	}
	return l, nil
}

// dial connects to the keeper.
func (d *stateDir) dial() (*net.UnixConn, error) {
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: d.socket(), Net: "unix"})
}

// openLog opens the log that is to be a keeper's stdout and stderr.
func (d *stateDir) openLog() (*os.File, error) {
	path := d.join(logName)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("cannot set the keeper's log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the keeper's log: %w", err)
	}
	return f, nil
}

// peer returns who is at the other end of conn, and refuses another user.
// For the connecting side it is who called listen (unix(7), SO_PEERCRED).
func peer(conn *net.UnixConn) (*unix.Ucred, error) {
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

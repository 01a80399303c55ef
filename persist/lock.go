package persist

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockName is in the state directory, not in the store: the lock outlives each
// opened Pebble, and holds while a broken store is renamed.
const lockName = "store.lock"

// InUseError says that another process, or another Store of this one, has the
// state directory.
type InUseError struct {
	Dir string
	Pid int // of the holder; 0 where the system does not tell
}

func (e *InUseError) Error() string {
	who := "another engine"
	if e.Pid != 0 {
		who = fmt.Sprintf("another engine (pid %d)", e.Pid)
	}
	return fmt.Sprintf("%s uses the state directory %s: stop it first, or give this one a stateDir of its own", who, e.Dir)
}

// lockDir takes the state directory for this process. The lock is one of
// fcntl(2): it goes with the process, however that ends.
func lockDir(fs vfs.FS, dir string) (io.Closer, error) {
	path := fs.PathJoin(dir, lockName)
	lock, err := fs.Lock(path)
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, syscall.EAGAIN): // what Linux says where POSIX leaves a choice
		return nil, &InUseError{Dir: dir, Pid: holder(path)}
	case strings.Contains(err.Error(), "held by current process"):
		// Nobody opens the file here: to close it again would drop the lock.
		return nil, &InUseError{Dir: dir, Pid: os.Getpid()}
	}
	return nil, fmt.Errorf("cannot lock state directory: %w", err)
}

// holder is the pid of the process that holds the lock on the file at path, as
// F_GETLK tells it: 0 if nobody does or it is in another pid namespace.
func holder(path string) int {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock) != nil || lock.Type == syscall.F_UNLCK {
		return 0
	}
	return max(0, int(lock.Pid))
}

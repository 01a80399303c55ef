package keeper

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"dynapm/actors/keeper/statedir"

	"golang.org/x/sys/unix"
)

const (
	socketName = "keeper.sock"
	lockName   = "keeper.lock"
	logName    = "keeper.log"
	secretName = "keeper.secret"

	// maxLog is the size from which on the log of an earlier keeper is set
	// aside when the next one starts.
	maxLog = 1 << 20
)

var errLocked = errors.New("another keeper has this state directory")

// lockDir makes this process the one keeper of the directory, for as long as the
// file stays open. It decides between two engines that start at once.
func lockDir(d *statedir.Dir) (*os.File, error) {
	f, err := os.OpenFile(d.Join(lockName), os.O_RDWR|os.O_CREATE, 0o600)
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
	return nil, fmt.Errorf("cannot lock %s: %w", d.Join(lockName), err)
}

// openLog opens the log that is to be a keeper's stdout and stderr.
func openLog(d *statedir.Dir) (*os.File, error) {
	path := d.Join(logName)
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

// newMarker is the marker of a directory. Without a secret that lasts, the next keeper
// does not know what this one launches for other users until an engine tells it.
func newMarker(d *statedir.Dir, log *slog.Logger) marker {
	secret, err := d.Secret(secretName)
	if err != nil {
		log.Error("what runs as another user will not be known to the next keeper by itself", "cause", err)
		secret = []byte(rand.Text())
	}
	return marker{dir: d.Path(), secret: secret}
}

package statedir

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

const secretSize = 32

// Secret returns the random bytes in a file of the directory, which no other user can
// read. The first to ask makes them; the caller sees to it that there is one at a time.
func (d *Dir) Secret(name string) ([]byte, error) {
	secret, err := os.ReadFile(d.Join(name))
	if err == nil && len(secret) == secretSize {
		return secret, nil
	}
	if err == nil {
		return nil, fmt.Errorf("%s has %d bytes and not %d; remove it", d.Join(name), len(secret), secretSize)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the secret: %w", err)
	}
	secret = make([]byte, secretSize)
	rand.Read(secret)
	if err := d.writeOnce(name, secret); err != nil {
		return nil, fmt.Errorf("cannot make the secret: %w", err)
	}
	return secret, nil
}

// writeOnce makes a file that is there whole or not at all, whenever the machine stops.
func (d *Dir) writeOnce(name string, text []byte) error {
	draft := d.Join(name + ".new")
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(draft, d.Join(name)); err != nil {
		return err
	}
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Fsync(int(dir.Fd()))
}

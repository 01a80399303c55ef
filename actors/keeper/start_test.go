package keeper

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dynapm/actors/keeper/statedir"

	"golang.org/x/sys/unix"
)

func TestStateDirectory(t *testing.T) {
	b := newBench(t)
	for name, want := range map[string]os.FileMode{
		socketName: os.ModeSocket | 0o600, lockName: 0o600, logName: 0o600,
	} {
		info, err := os.Stat(filepath.Join(b.dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	fresh := filepath.Join(t.TempDir(), "a", "b")
	d, err := statedir.Open(fresh)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if info, err := os.Stat(fresh); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.Chmod(fresh, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Options{Dir: fresh, Executable: []string{executable, "keeper"}})
	if err == nil || !strings.Contains(err.Error(), "others may write to it (mode 0777); run chmod 700 on it") {
		t.Error(err)
	}
}

// A path of any length will do, though a socket's has 108 bytes.
func TestDeepDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 40))
	c, err := Open(Options{Dir: dir, Executable: []string{executable, "keeper"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(); err != nil {
		t.Error(err)
	}
}

// The keeper is nobody's child in any way that matters: a session of its own,
// no stdio of the engine's, no directory kept busy, and Ctrl-C misses it.
func TestKeeperStandsApart(t *testing.T) {
	b := newBench(t)
	pid := b.keeperPid()
	stat, ok := readStat(pid)
	if !ok || stat.session != pid || stat.group != pid {
		t.Errorf("%+v", stat)
	}
	proc := fmt.Sprintf("/proc/%d/", pid)
	for link, want := range map[string]string{
		"cwd": "/", "fd/0": "/dev/null", "fd/1": filepath.Join(b.dir, logName), "fd/2": filepath.Join(b.dir, logName),
	} {
		if got, err := os.Readlink(proc + link); got != want || err != nil {
			t.Errorf("%s is %s, %v, want %s", link, got, err, want)
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	// A service started after that shows that it is there, and that what the
	// keeper survives still ends a service.
	p := b.launch(self("pause"))
	b.printed("up")
	if err := b.Signal(p, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if e := b.exit(p); e.Signal != syscall.SIGINT || b.keeperPid() != pid {
		t.Errorf("%+v under keeper %d, which was %d", e, b.keeperPid(), pid)
	}
}

// What the engine has open without close-on-exec, as evio's connections are,
// is not kept open by the keeper.
func TestKeeperInheritsNothing(t *testing.T) {
	dir := t.TempDir()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(Options{Dir: dir, Executable: []string{executable, "keeper"}})
	unix.Close(fds[1])
	defer unix.Close(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	// Our end sees the other close only if nobody else has it.
	if n, err := unix.Read(fds[0], make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := c.Shutdown(); err != nil {
		t.Error(err)
	}
}

func TestOpenFails(t *testing.T) {
	for _, tc := range []struct {
		argv []string
		want string
	}{
		{nil, "cannot start the keeper: no executable was given"},
		{[]string{"/no/such/file"}, "cannot start the keeper: fork/exec /no/such/file: no such file or directory"},
		{self("exit", "3"), "cannot start the keeper: it ended at once; see "},
	} {
		_, err := Open(Options{Dir: t.TempDir(), Executable: tc.argv})
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.argv, err, tc.want)
		}
	}
}

// A keeper that cannot start says so to the engine that waits for it.
func TestKeeperSaysWhy(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, socketName, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: dir, Executable: []string{executable, "keeper"}})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot connect to the keeper: ") && !strings.HasPrefix(err.Error(), "cannot start the keeper: cannot remove old socket: ") {
		t.Error(err)
	}
}

// A socket that a killed keeper left is taken over.
func TestStaleSocket(t *testing.T) {
	dir := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, socketName)})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	c, err := Open(Options{Dir: dir, Executable: []string{executable, "keeper"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(); err != nil {
		t.Error(err)
	}
}

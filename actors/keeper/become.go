package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"dynapm/actors/keeper/failpoint"

	"golang.org/x/sys/unix"
)

// Account is who a process runs as.
type Account struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"` // supplementary
}

// isOurs tells whether the keeper is that already. Then nothing is changed, as
// one that is not root may not even set the groups it has.
func (a *Account) isOurs() bool {
	return os.Geteuid() != 0 && int(a.UID) == os.Geteuid() && int(a.GID) == os.Getegid()
}

// Limits bound what a service may use; 0 is no bound.
type Limits struct {
	Memory uint64 `json:"memory,omitempty"` // bytes
	CPU    int    `json:"cpu,omitempty"`    // thousandths of a core
	Files  uint64 `json:"files,omitempty"`  // RLIMIT_NOFILE
}

// becoming is what fork(2) and execve(2) cannot give a child, so that the child
// does it itself before it executes the program: this binary once more, as
// `keeper -become=...`. To set a limit from outside would need CAP_SYS_RESOURCE
// once the child is another user's, and would come when the program runs.
type becoming struct {
	As    *Account `json:"as,omitempty"`
	Umask *int     `json:"umask,omitempty"`
	Files uint64   `json:"files,omitempty"`
	Data  uint64   `json:"data,omitempty"` // RLIMIT_DATA
	Dir   []byte   `json:"dir"`
	Path  []byte   `json:"path"`
	Argv  [][]byte `json:"argv"`
}

// needed is false for what fork can do by itself.
//
// An account is not left to it: from the moment a child has its account's uid, any
// process of that uid may stop it. syscall.ForkExec waits for the exec with a
// thread that the whole runtime will wait for at its next garbage collection.
func (b *becoming) needed() bool {
	return b.As != nil || b.Umask != nil || b.Files > 0 || b.Data > 0
}

// toldFd is where a becoming child says why it failed. It is closed by the exec.
const toldFd = 3

// ownArgv runs this binary as a keeper, whatever has become of its file.
var ownArgv []string

const ownPath = "/proc/self/exe"

// becomeTimeout is how long a child may take to become its program.
var becomeTimeout = 10 * time.Second

// viaSelf forks a child that becomes the program, for untilBecome to wait for.
func (p *program) viaSelf(attr syscall.ProcAttr) (int, error) {
	text, err := json.Marshal(p.becoming)
	if err != nil {
		return 0, err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	attr.Dir, attr.Files = "/", append(slices.Clip(attr.Files), tell.Fd())
	argv := append(slices.Clip(ownArgv), "-become="+string(text))
	pid, err := syscall.ForkExec(ownPath, argv, &attr)
	tell.Close()
	if err != nil {
		told.Close()
		return 0, err
	}
	p.told = told
	return pid, nil
}

// untilBecome waits until the child is the program. That may take for ever: the
// child is stopped, or a file system does not answer.
func (p *program) untilBecome() error {
	if p.told == nil {
		return nil
	}
	failpoint.Reached("keeper.becoming")
	p.told.SetReadDeadline(time.Now().Add(becomeTimeout))
	said, err := io.ReadAll(p.told)
	switch {
	case len(said) > 0:
		return p.failure(errors.New(string(said)))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return p.failure(fmt.Errorf("%s is not executed after %v: its process was stopped, or a file system hangs", p.path, becomeTimeout))
	case err != nil:
		return p.failure(err)
	}
	return nil
}

// failure names the command and its user: what may fail for one works for
// another.
func (p *program) failure(err error) error {
	if p.as != nil {
		return fmt.Errorf("cannot run %s as uid %d: %w", p.argv[0], p.as.UID, err)
	}
	return fmt.Errorf("cannot run %s: %w", p.argv[0], err)
}

// become is the child's side. It returns only if it fails.
func become(text string) int {
	unix.CloseOnExec(toldFd)
	var b becoming
	err := json.Unmarshal([]byte(text), &b)
	if err == nil {
		err = b.exec()
	}
	io.WriteString(os.NewFile(toldFd, "told"), err.Error())
	return 1
}

func (b *becoming) exec() error {
	path := string(b.Path)
	// The bounds before the account: only root may raise them.
	if b.Files > 0 {
		if err := syscall.Setrlimit(unix.RLIMIT_NOFILE, &syscall.Rlimit{Cur: b.Files, Max: b.Files}); err != nil {
			return fmt.Errorf("cannot set limits.nofile to %d: %w", b.Files, err)
		}
	}
	if err := b.As.assume(); err != nil {
		return err
	}
	if err := os.Chdir(string(b.Dir)); err != nil {
		return fmt.Errorf("cannot change to %s: %w", b.Dir, bare(err))
	}
	if b.Umask != nil {
		unix.Umask(*b.Umask)
	}
	argv, env := toStrings(b.Argv), os.Environ()
	if b.Data > 0 { // last: this program has more than some will have
		if err := syscall.Setrlimit(unix.RLIMIT_DATA, &syscall.Rlimit{Cur: b.Data, Max: b.Data}); err != nil {
			return fmt.Errorf("cannot set limits.memory: %w", err)
		}
	}
	return execError(path, syscall.Exec(path, argv, env))
}

// assume makes this process the account's.
func (a *Account) assume() error {
	if a == nil {
		return nil
	}
	groups := make([]int, len(a.Groups))
	for i, g := range a.Groups {
		groups[i] = int(g)
	}
	err := syscall.Setgroups(groups)
	if err == nil {
		err = syscall.Setgid(int(a.GID))
	}
	if err == nil {
		err = syscall.Setuid(int(a.UID))
	}
	if err != nil {
		return fmt.Errorf("cannot become uid %d, gid %d: %w", a.UID, a.GID, err)
	}
	return nil
}

// asked names what of a command a keeper of the first protocol would overlook.
func (c Command) asked() string {
	var names []string
	for _, one := range []struct {
		name  string
		asked bool
	}{
		{"user", c.As != nil}, {"umask", c.Umask != nil}, {"limits", c.Limits != Limits{}},
	} {
		if one.asked {
			names = append(names, one.name)
		}
	}
	return strings.Join(names, ", ")
}

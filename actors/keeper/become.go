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
func (b *becoming) needed() bool { return b.Umask != nil || b.Files > 0 || b.Data > 0 }

// toldFd is where a becoming child says why it failed. It is closed by the exec.
const toldFd = 3

// ownArgv runs this binary as a keeper, whatever has become of its file.
var ownArgv []string

const ownPath = "/proc/self/exe"

// viaSelf forks a child that becomes the program.
func (p *program) viaSelf(attr syscall.ProcAttr) (int, error) {
	text, err := json.Marshal(p.becoming)
	if err != nil {
		return 0, err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer told.Close()
	attr.Dir, attr.Files = "/", append(slices.Clip(attr.Files), tell.Fd())
	argv := append(slices.Clip(ownArgv), "-become="+string(text))
	pid, err := syscall.ForkExec(ownPath, argv, &attr)
	tell.Close()
	if err != nil {
		return 0, err
	}
	failpoint.Reached("keeper.becoming")
	said, err := io.ReadAll(told)
	if err == nil && len(said) > 0 {
		err = errors.New(string(said))
	}
	return pid, err
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

// credential is the account for fork; nil stays nil.
func (a *Account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.UID, Gid: a.GID, Groups: a.Groups}
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

// suffix is for messages: what may fail for one user works for another.
func (a *Account) suffix() string {
	if a == nil {
		return ""
	}
	return fmt.Sprintf(" as uid %d", a.UID)
}

package keeper

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// findProgram returns the path of the program that name means in dir with env,
// as execvp(3) would find it there.
func findProgram(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		path := inDir(dir, name)
		return path, checkProgram(path)
	}
	search, ok := lookup(env, "PATH")
	if !ok {
		search = defaultPath
	}
	var refused error
	for _, where := range filepath.SplitList(search) {
		path := filepath.Join(inDir(dir, where), name)
		err := checkProgram(path)
		if err == nil {
			return path, nil
		}
		// One that is there but cannot be run tells more than those places
		// where there is none.
		if refused == nil && !errors.Is(err, errNoFile) {
			refused = fmt.Errorf("%s: %w", path, err)
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", errors.New("not found in PATH")
}

// inDir is path seen from dir; an empty element of PATH means dir itself.
func inDir(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

var errNoFile = errors.New("no such file")

func checkProgram(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return errNoFile
	case err != nil:
		return bare(err)
	case info.IsDir():
		return errors.New("it is a directory")
	}
	// Whether it may be executed is the kernel's to say: mode, owner, ACL and
	// the mount's noexec all count.
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS); err != nil {
		return errors.New("not executable")
	}
	return nil
}

// execError says what an error of execve(2) means for a program that is there
// and executable.
func execError(path string, err error) error {
	interpreter, script := interpreterOf(path)
	switch {
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("%s is neither a program for this machine nor a script with #! in its first line", path)
	case errors.Is(err, unix.ENOENT) && script:
		return fmt.Errorf("its interpreter %q does not exist", interpreter)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s needs a dynamic loader that does not exist here", path)
	case errors.Is(err, unix.EACCES) && script:
		return fmt.Errorf("it, or its interpreter %q, may not be executed", interpreter)
	case errors.Is(err, unix.E2BIG):
		return errors.New("arguments and environment are too large together")
	default:
		return err
	}
}

// interpreterOf returns what the first line of a script names after #!.
func interpreterOf(path string) (string, bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	// The kernel looks at 256 bytes (execve(2)).
	line, _ := bufio.NewReaderSize(f, 256).ReadSlice('\n')
	name, ok := bytes.CutPrefix(line, []byte("#!"))
	if !ok {
		return "", false
	}
	fields := strings.Fields(string(name))
	if len(fields) == 0 {
		return "", true
	}
	return fields[0], true
}

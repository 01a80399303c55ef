package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"dynapm/actors/keeper/failpoint"

	"golang.org/x/sys/unix"
)

// defaultPath is where a program is looked for if Env has no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// launch executes a command, or answers for the earlier launch that the
// request repeats.
func (s *server) launch(e *engine, id uint64, l *launch) {
	if reply, ok := s.launched(l); ok {
		reply.ID = id
		e.send(reply)
		return
	}
	failpoint.Reached("keeper.asked")
	p, err := prepare(l.command(), s.marker, s.groups)
	if err != nil {
		e.send(reply(id, err))
		return
	}
	defer p.close()
	failpoint.Reached("keeper.prepared")
	if l.Notify {
		if err := s.letSpeak(p); err != nil {
			e.send(reply(id, fmt.Errorf("cannot run %s: %w", l.Service, err)))
			return
		}
	}
	k, err := s.fork(e, l, p)
	if err != nil {
		e.send(reply(id, err))
		return
	}
	// What the child does until it is the program may take long, or be held up
	// by whoever may send it signals: nobody else waits for that.
	if err := p.untilBecome(); err != nil {
		s.giveUp(e, id, k, err)
		return
	}
	s.begin(e, id, k)
}

// fork forks a command and takes its child into care.
func (s *server) fork(e *engine, l *launch, p *program) (*kept, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayLaunch(e, l); err != nil {
		return nil, err
	}
	defer s.forked() // after a failure too there may be a child
	// The lock is held from the fork until the child is registered, so that
	// the reaper meets no child it does not know.
	process, err := p.fork()
	if err != nil {
		return nil, err
	}
	failpoint.Reached("keeper.forked")
	k := &kept{Process: process, token: l.Token, begun: make(chan struct{})}
	s.keep(k)
	return k, nil
}

// begin says that a command runs, before anything else of it is told.
func (s *server) begin(e *engine, id uint64, k *kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	failpoint.Reached("keeper.launched")
	process := k.Process
	process.Ready = false // told by a notice of its own
	e.send(frame{Do: doReply, ID: id, Process: &process})
	close(k.begun)
	if k.Ready {
		s.tellReady(k)
	}
}

// giveUp ends the child of a launch that has come to nothing, and then says so.
func (s *server) giveUp(e *engine, id uint64, k *kept, cause error) {
	s.mu.Lock()
	k.failedFor = e
	close(k.begun)
	process := k.Process
	s.mu.Unlock()
	if err := s.signal(process, syscall.SIGKILL); err != nil && !errors.Is(err, ErrEnded) {
		cause = fmt.Errorf("%w; %w", cause, err)
	}
	e.send(reply(id, cause))
}

// launched answers a repeated request, as far as it can be answered without
// running the command.
func (s *server) launched(l *launch) (frame, bool) {
	if l.Repeat == first {
		return frame{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kept {
		// A keeper that found the process by its marks knows no token. A run has one
		// service or start command.
		adopted := k.token == "" && (l.Role == RoleService || l.Role == RoleStart) && k.marks() == marks{l.Service, l.Run, l.Role}
		if adopted {
			k.token = l.Token
			if l.Logs.MaxSize > 0 {
				k.Output, k.Logs = string(l.Output), l.Logs
			}
		}
		if k.token == l.Token {
			process := k.Process // for the one who sends it, without the lock
			return frame{Do: doReply, Process: &process}, true
		}
	}
	for _, n := range s.notices {
		if n.token == l.Token {
			return frame{Do: doReply, Process: &n.exit.Process, Exit: &n.exit}, true
		}
	}
	if l.Repeat == find {
		lost := &failure{Kind: failedLost, Message: "cannot tell whether a command of " + l.Service + " was run"}
		return frame{Do: doReply, Failure: lost}, true
	}
	return frame{}, false
}

// mayLaunch refuses a second process for one run of a service, and what an
// engine has asked for that is gone: the next one may have been told by now what
// runs, and has begun another run. The caller holds the lock.
func (s *server) mayLaunch(e *engine, l *launch) error {
	if s.leaving {
		return errLeaving
	}
	if s.engine != e {
		return errors.New("the engine that has asked for it is gone")
	}
	if l.Role != RoleService {
		return nil
	}
	for _, k := range s.kept {
		if k.marks() == (marks{l.Service, l.Run, l.Role}) {
			return fmt.Errorf("cannot run %s: run %d of it already has pid %d", l.Service, l.Run, k.Pid)
		}
	}
	return nil
}

// program is a command ready to be forked.
type program struct {
	marks  marks
	argv   []string
	path   string
	dir    string
	env    []string
	stdin  *os.File
	output *os.File
	as     *Account
	// becoming is what the child has to do itself, if anything.
	becoming becoming
	apart    bool // it does so even if there is nothing
	// told is where such a child says why it failed; closed by its exec.
	told   *os.File
	limits Limits
	group  *cgroup // nil: none of its own
	unmet  string  // see Process
	logs   Logs
}

// prepare finds and opens all that a command needs.
func prepare(c Command, by marker, groups *cgroups) (*program, error) {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return nil, errors.New("cannot run an empty command")
	}
	for _, arg := range c.Argv {
		if strings.IndexByte(arg, 0) >= 0 {
			return nil, fmt.Errorf("cannot run %s: an argument has a NUL byte", c.Argv[0])
		}
	}
	p := &program{marks: marks{c.Service, c.Run, c.Role}, argv: c.Argv, dir: c.Dir, logs: c.Logs}
	if c.Role == RoleStart {
		p.argv, c.Env = asLeader(c.Argv, c.Env)
	}
	if p.dir == "" {
		p.dir = "/"
	}
	if err := checkDir(p.dir); err != nil {
		return nil, fmt.Errorf("cannot run %s in %s: %w", c.Argv[0], p.dir, err)
	}
	var err error
	if p.env, err = by.environment(c.Env, p.marks); err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", c.Argv[0], err)
	}
	if p.path, err = findProgram(c.Argv[0], p.dir, p.env); err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", c.Argv[0], err)
	}
	if p.stdin, err = openPlain(os.DevNull, unix.O_RDONLY, 0); err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", c.Argv[0], err)
	}
	if p.output, err = openOutput(c.Output, c.Rotate, c.Logs.Keep); err != nil {
		p.close()
		return nil, fmt.Errorf("cannot run %s: cannot open its output: %w", c.Argv[0], err)
	}
	if err := p.settle(c, groups); err != nil {
		p.close()
		return nil, fmt.Errorf("cannot run %s: %w", c.Argv[0], err)
	}
	return p, nil
}

func (p *program) close() {
	p.group.close()
	p.stdin.Close()
	if p.told != nil {
		p.told.Close()
	}
	if p.output != nil {
		p.output.Close()
	}
}

// checkDir says why dir cannot be a working directory.
func checkDir(dir string) error {
	if !filepath.IsAbs(dir) {
		return errors.New("not an absolute path")
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no such directory")
	case err != nil:
		return bare(err)
	case !info.IsDir():
		return errors.New("not a directory")
	}
	if err := unix.Access(dir, unix.X_OK); err != nil {
		return err
	}
	return nil
}

// openOutput opens the file that gets what a command prints.
func openOutput(path string, rotate bool, keep int) (*os.File, error) {
	if path == "" {
		return openPlain(os.DevNull, unix.O_WRONLY, 0)
	}
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%s is not an absolute path", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if rotate {
		if err := shift(path, path, keep); err != nil {
			return nil, err
		}
	}
	return openPlain(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT, 0o600)
}

// openPlain opens what is only handed on to a child. os.Open would try to make it
// non-blocking, and Fd would undo that: six system calls more.
func openPlain(path string, flags int, mode uint32) (*os.File, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, mode)
		if err == nil {
			return os.NewFile(uintptr(fd), path), nil
		}
		if err != unix.EINTR {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// bare is the cause of a file error, without the operation and path that the
// message around it names already.
func bare(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

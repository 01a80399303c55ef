package keeper

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// settle says who the program runs as and within which bounds.
func (p *program) settle(c Command, groups *cgroups) error {
	if c.As != nil && !c.As.isOurs() {
		p.as = c.As
	}
	if p.as != nil && c.Output != "" {
		// What is opened again, as /dev/stdout, is asked for its owner; the
		// directory keeps everybody else out.
		if err := p.output.Chown(int(p.as.UID), int(p.as.GID)); err != nil {
			return fmt.Errorf("cannot give it its output: %w", bare(err))
		}
	}
	p.becoming = becoming{
		As: p.as, Umask: c.Umask, Files: c.Limits.Files,
		Dir: []byte(p.dir), Path: []byte(p.path), Argv: toBytes(p.argv),
	}
	p.apart = mayHang(p.dir) || mayHang(p.path)
	p.limits = c.Limits
	if c.Role != RoleService {
		return nil // what it leaves behind is not ours to hold together
	}
	unmet, err := c.Limits, error(nil)
	if p.group, err = groups.open(p.marks); err == nil {
		unmet, err = p.group.bound(c.Limits)
	}
	if err != nil {
		p.unbound(unmet, err)
	}
	return nil
}

// mayHang tells whether a file is where somebody else than the kernel has to answer
// for it: on another machine, or a process.
func mayHang(path string) bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return true // then let that child meet it
	}
	switch int64(fs.Type) {
	case unix.NFS_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
		unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC:
		return true
	}
	return false
}

// unbound falls back on what can be had where the control group does not keep to
// some of the limits.
func (p *program) unbound(limits Limits, cause error) {
	p.becoming.Data = limits.Memory
	var unmet []string
	if limits.Memory > 0 {
		unmet = append(unmet, "memory bounds each process for itself (RLIMIT_DATA)")
	}
	if limits.CPU > 0 {
		unmet = append(unmet, "cpu is not bounded")
	}
	if unmet != nil {
		p.unmet = fmt.Sprintf("%s: %v", strings.Join(unmet, ", "), cause)
	}
}

// fork runs the program in a session of its own.
//
// syscall.ForkExec gives the child the RLIMIT_NOFILE that this process had
// before Go raised it, unless somebody called syscall.Setrlimit for it, which
// nobody here does. It resets handled signals, and settle left none ignored.
func (p *program) fork() (Process, error) {
	// The child gets the signal mask of the forking thread; what blocked
	// signals the engine was once started with is not for services.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil); err != nil {
		return Process{}, fmt.Errorf("cannot run %s: cannot unblock signals: %w", p.argv[0], err)
	}
	handSlackOn()
	output := p.output.Fd()
	attr := &syscall.ProcAttr{
		Dir:   p.dir,
		Env:   p.env,
		Files: []uintptr{p.stdin.Fd(), output, output},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	pid, err := p.forkInto(attr)
	if err != nil {
		return Process{}, p.failure(err)
	}
	// Even if it ended already it is there, as a zombie: only the reaper
	// takes it away, and it waits for the lock.
	stat, ok := readStat(pid)
	if !ok {
		unix.Kill(-pid, unix.SIGKILL) // unregistered, it would be nobody's
		return Process{}, fmt.Errorf("cannot run %s: cannot read /proc/%d/stat", p.argv[0], pid)
	}
	m := p.marks
	process := Process{
		Service: m.service, Run: m.run, Role: m.role,
		Pid: pid, StartTime: stat.start, Started: time.Now(),
		Cgroup: p.group.name(), Unmet: p.unmet,
	}
	if p.logs.MaxSize > 0 && p.output.Name() != os.DevNull {
		process.Output, process.Logs = p.output.Name(), p.logs
	}
	return process, nil
}

// forkInto forks the child into its group; without it where that is forbidden,
// as clone3(2) is in some containers.
func (p *program) forkInto(attr *syscall.ProcAttr) (pid int, err error) {
	if p.group != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(p.group.dir.Fd())
		pid, err = p.forkOnce(attr)
		if !isForbidden(err) {
			return pid, err
		}
		p.group.close()
		p.group = nil
		p.unbound(p.limits, fmt.Errorf("cannot fork into a cgroup: %w", err))
		attr.Sys.UseCgroupFD = false
	}
	return p.forkOnce(attr)
}

// isForbidden tells whether it may be the group that an error is about.
func isForbidden(err error) bool {
	for _, no := range []error{unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EBUSY, unix.EOPNOTSUPP} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

func (p *program) forkOnce(attr *syscall.ProcAttr) (pid int, err error) {
	if p.apart || p.becoming.needed() {
		return p.viaSelf(*attr)
	}
	if pid, err = syscall.ForkExec(p.path, p.argv, attr); err != nil {
		err = execError(p.path, err)
	}
	return pid, err
}

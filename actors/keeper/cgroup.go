package keeper

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroups makes a control group of its own for each managed service
// (cgroups(7), version 2), below the keeper's own one. No process leaves it by
// itself, whatever session, parent or environment it takes on.
type cgroups struct {
	base   string // the directory they are made in; "" if there can be none
	prefix string // of their names: those of this state directory
	cause  error  // of there being none
}

// cgroup is the group of one run.
type cgroup struct {
	path string
	dir  *os.File // open until the fork
}

// procSelf is where this process finds its group.
var procSelf = "/proc/self"

func newCgroups(stateDir string) *cgroups {
	c := &cgroups{prefix: fmt.Sprintf("dynapm-%x-", sha256.Sum256([]byte(stateDir)))[:len("dynapm-")+8] + "-"}
	c.base, c.cause = ownCgroup(procSelf)
	if c.base != "" && isDelegated(filepath.Dir(c.base)) && !isDelegated(c.base) {
		// systemd's DelegateSubgroup: what is delegated is the parent, kept free
		// of processes so that it can have controllers.
		c.base = filepath.Dir(c.base)
	}
	return c
}

// ownCgroup returns the directory of the group that a process is in.
func ownCgroup(proc string) (string, error) {
	mounts, err := os.ReadFile(proc + "/mountinfo")
	if err != nil {
		return "", err
	}
	member, err := os.ReadFile(proc + "/cgroup")
	if err != nil {
		return "", err
	}
	var path string
	for line := range strings.Lines(string(member)) {
		if rest, ok := strings.CutPrefix(line, "0::"); ok {
			path = strings.TrimSuffix(rest, "\n")
		}
	}
	for line := range strings.Lines(string(mounts)) {
		// proc_pid_mountinfo(5): fields 4 and 5 are root and mount point, the
		// file system's type is the first after the dash.
		left, right, _ := strings.Cut(line, " - ")
		fields := strings.Fields(left)
		if len(fields) < 5 || !strings.HasPrefix(right, "cgroup2 ") {
			continue
		}
		below, err := filepath.Rel(fields[3], path)
		if err != nil || path == "" || strings.HasPrefix(path, "/..") || below == ".." || strings.HasPrefix(below, "../") {
			return "", errors.New("this process is outside of the cgroups that can be seen here")
		}
		return filepath.Join(fields[4], below), nil
	}
	return "", errors.New("no cgroup version 2 is mounted here")
}

// isDelegated tells whether systemd has left a group to its service.
func isDelegated(dir string) bool {
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		value := make([]byte, 1)
		if n, err := unix.Getxattr(dir, name, value); err == nil && n == 1 && value[0] == '1' {
			return true
		}
	}
	return false
}

// name is that of the group of one run, "" if it cannot be one.
func (c *cgroups) name(m marks) string {
	name := fmt.Sprintf("%s%s.%d", c.prefix, m.service, m.run)
	if strings.ContainsAny(name, "/\n") || len(name) > 200 {
		return ""
	}
	return name
}

// open makes the group of a run.
func (c *cgroups) open(m marks) (*cgroup, error) {
	name := c.name(m)
	switch {
	case c.base == "":
		return nil, c.cause
	case name == "":
		return nil, errors.New("the service has a name that no cgroup can have")
	}
	g := &cgroup{path: filepath.Join(c.base, name)}
	if err := os.Mkdir(g.path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := unix.Access(g.file("cgroup.kill"), unix.W_OK); err != nil {
		g.remove()
		return nil, errors.New("this kernel has no cgroup.kill (it is older than 5.14)")
	}
	var err error
	if g.dir, err = openPlain(g.path, unix.O_RDONLY|unix.O_DIRECTORY, 0); err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

func (g *cgroup) file(name string) string { return filepath.Join(g.path, name) }

// name is its path, "" for none.
func (g *cgroup) name() string {
	if g == nil {
		return ""
	}
	return g.path
}

// close lets go of the directory, and removes it if nothing came to be in it.
func (g *cgroup) close() {
	if g != nil {
		g.dir.Close()
		g.remove()
	}
}

// remove fails as long as anything lives in the group.
func (g *cgroup) remove() { unix.Rmdir(g.path) }

// bound sets the limits, each of which needs its controller. It returns those that are
// not in force, and why.
func (g *cgroup) bound(l Limits) (unmet Limits, err error) {
	for _, one := range []struct {
		controller, file, value string
		asked                   bool
		unmet                   Limits
	}{
		{"memory", "memory.max", strconv.FormatUint(l.Memory, 10), l.Memory > 0, Limits{Memory: l.Memory}},
		{"cpu", "cpu.max", fmt.Sprintf("%d 100000", l.CPU*100), l.CPU > 0, Limits{CPU: l.CPU}},
	} {
		if !one.asked {
			continue
		}
		failed := g.control(one.controller)
		if failed == nil {
			failed = write(g.file(one.file), one.value)
		}
		if failed != nil {
			unmet.Memory, unmet.CPU = unmet.Memory+one.unmet.Memory, unmet.CPU+one.unmet.CPU
			err = cmp.Or(err, failed)
		}
	}
	return unmet, err
}

// control makes sure of a controller. A group with processes cannot hand any to
// those below (but for the root), which is why they may be missing.
func (g *cgroup) control(name string) error {
	has := func() bool {
		list, _ := os.ReadFile(g.file("cgroup.controllers"))
		return slices.Contains(strings.Fields(string(list)), name)
	}
	if has() {
		return nil
	}
	parent := filepath.Dir(g.path)
	if !isInner(parent) && write(filepath.Join(parent, "cgroup.subtree_control"), "+"+name) == nil && has() {
		return nil
	}
	return fmt.Errorf("the %s controller is not to be had in %s", name, parent)
}

// isInner tells whether a group has processes and is not the root. The kernel would
// let it hand on cpu all the same, and no process into the groups below from then on
// ("Threads" in the kernel's cgroup-v2.rst).
func isInner(group string) bool {
	procs, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	_, err := os.Stat(filepath.Join(group, "cgroup.type"))
	return len(procs) > 0 && err == nil
}

// write is for files that are there: none is made.
func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// members returns the pids of all in the group and below.
func members(path string) map[int]bool {
	pids := make(map[int]bool)
	if path == "" {
		return pids
	}
	filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		list, _ := os.ReadFile(filepath.Join(p, "cgroup.procs"))
		for _, field := range bytes.Fields(list) {
			if pid, err := strconv.Atoi(string(field)); err == nil {
				pids[pid] = true
			}
		}
		return nil
	})
	return pids
}

// ranOutOfMemory tells whether the kernel had to kill any in the group.
func ranOutOfMemory(path string) bool {
	if path == "" {
		return false
	}
	events, _ := os.ReadFile(filepath.Join(path, "memory.events")) // there with the controller
	for line := range strings.Lines(string(events)) {
		if kills, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return kills != "0\n"
		}
	}
	return false
}

// of returns the group that an earlier keeper gave to the run of a process.
func (c *cgroups) of(p Process) string {
	path, err := ownCgroup(fmt.Sprintf("/proc/%d", p.Pid))
	if name := c.name(p.marks()); err != nil || name == "" || filepath.Base(path) != name {
		return ""
	}
	return path
}

// killAll ends everything in the group at once: even what forks faster than one
// can count has no time to.
func killAll(path string) { write(filepath.Join(path, "cgroup.kill"), "1") }

// removeAll removes the group with those that its processes have made in it, and
// tells whether none is left. A process may be a zombie and still be in its group
// for a moment.
func removeAll(path string) bool {
	if path == "" {
		return true
	}
	var dirs []string
	filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	for _, dir := range slices.Backward(dirs) {
		unix.Rmdir(dir)
	}
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// tidy removes what a keeper that was killed has left empty.
func (c *cgroups) tidy() {
	if c.base == "" {
		return
	}
	left, _ := filepath.Glob(filepath.Join(c.base, c.prefix+"*"))
	for _, path := range left {
		if len(members(path)) == 0 {
			removeAll(path)
		}
	}
}

package keeper

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// canGroup tells whether a cgroup can be made here, by making one.
func canGroup(t *testing.T) bool {
	g, err := newCgroups(t.TempDir()).open(marks{service: "probe"})
	if err != nil {
		t.Logf("no cgroup can be made here: %v", err)
		return false
	}
	g.close()
	return true
}

// A service has a group where one can be made, and the command of a delegated
// one none: what it leaves is not to be held together, let alone killed.
func TestServiceHasAGroup(t *testing.T) {
	b := newBenchOf(t, "keeper")
	p := b.launch(self("pause"))
	b.printed("up")
	start := b.launch(self("pause"), as(RoleStart))
	if start.Cgroup != "" {
		t.Errorf("the start command is in %s", start.Cgroup)
	}
	if !canGroup(t) {
		if p.Cgroup != "" {
			t.Errorf("in %s", p.Cgroup)
		}
		return
	}
	if !members(p.Cgroup)[p.Pid] || members(p.Cgroup)[start.Pid] || !strings.HasSuffix(p.Cgroup, "-blog.1") {
		t.Errorf("in %q: %v", p.Cgroup, members(p.Cgroup))
	}
	b.Signal(p, syscall.SIGKILL)
	b.exit(p)
	if _, err := os.Stat(p.Cgroup); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", p.Cgroup, err)
	}
}

// The next keeper knows the group of what it adopts by /proc, and by the group
// what lost its parent, its session and its environment.
func TestGroupOutlivesTheKeeper(t *testing.T) {
	b := newBenchOf(t, "keeper")
	p := b.launch(self("child", "unmarked-daemon", "ignore-term"))
	child := b.childPid()
	b.printed("up")
	old := b.killKeeper()
	b.until("a new keeper", func() bool { return b.keeperPid() != old })
	all, err := b.List()
	if err != nil || len(all) != 1 || all[0].Cgroup != p.Cgroup {
		t.Fatalf("kept: %+v, %v; it was in %q", all, err, p.Cgroup)
	}
	if err := b.Signal(p, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.exit(p)
	if p.Cgroup == "" { // nobody can know of it
		syscall.Kill(child, syscall.SIGKILL)
	} else if isAlive(child) {
		t.Error("the daemon is left")
	}
}

// A launch that fails leaves no group, and a keeper that starts removes those
// that a killed one left empty.
func TestEmptyGroupsGo(t *testing.T) {
	dir := t.TempDir()
	c := newCgroups(dir)
	c.base = t.TempDir() // what matters here is names and directories
	c.cause = nil
	for _, name := range []string{c.name(marks{"old", 1, RoleService}), c.name(marks{"old", 2, RoleService}) + "/inner", "dynapm-00000000-other.1"} {
		if err := os.MkdirAll(filepath.Join(c.base, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c.tidy()
	left, err := os.ReadDir(c.base)
	if err != nil || len(left) != 1 || left[0].Name() != "dynapm-00000000-other.1" {
		t.Errorf("left: %v, %v", left, err)
	}
	b := newBenchOf(t, "keeper")
	if _, err := b.Launch(b.command([]string{"/etc/passwd"})); err == nil {
		t.Fatal("launched")
	}
	groups := newCgroups(b.dir)
	if left, _ := filepath.Glob(filepath.Join(groups.base, groups.prefix+"*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// The group's limits are files of its controllers; here they are plain files,
// as a controller is rarely to be had in a container.
func TestLimitsOfAGroup(t *testing.T) {
	base := t.TempDir()
	g := &cgroup{path: filepath.Join(base, "g")}
	put := func(name, text string) {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("g/cgroup.controllers", "cpuset cpu memory\n")
	put("g/memory.max", "")
	put("g/cpu.max", "")
	if unmet, err := g.bound(Limits{Memory: 64 << 20, CPU: 1500, Files: 7}); err != nil || unmet != (Limits{}) {
		t.Fatal(unmet, err)
	}
	for name, want := range map[string]string{"memory.max": "67108864", "cpu.max": "150000 100000"} {
		if got, err := os.ReadFile(g.file(name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	put("g/cgroup.controllers", "cpuset memory\n")
	put("cgroup.subtree_control", "")
	unmet, err := g.bound(Limits{Memory: 32 << 20, CPU: 500})
	if err == nil || unmet != (Limits{CPU: 500}) || !strings.Contains(err.Error(), "the cpu controller is not to be had in "+base) {
		t.Errorf("%v, %v", unmet, err)
	}
	// Of the memory nothing is said, nor is it bounded once more.
	p := program{limits: Limits{Memory: 32 << 20, CPU: 500}}
	p.unbound(unmet, err)
	if p.becoming.Data != 0 || !strings.HasPrefix(p.unmet, "cpu is not bounded: ") {
		t.Errorf("%+v", p)
	}
	if asked, err := os.ReadFile(filepath.Join(base, "cgroup.subtree_control")); err != nil || string(asked) != "+cpu" {
		t.Errorf("asked for %q, %v", asked, err)
	}
}

// What the kernel has killed for want of memory it counts in the group.
func TestRanOutOfMemory(t *testing.T) {
	for text, want := range map[string]bool{
		"low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n": true,
		"low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\noom_group_kill 0\n": false,
		"": false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "memory.events"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := ranOutOfMemory(dir); got != want {
			t.Errorf("%v of %q", got, text)
		}
	}
	if ranOutOfMemory("") || ranOutOfMemory(t.TempDir()) {
		t.Error("where nothing is counted")
	}
}

// What is not in force is said, and memory is bounded by what there is.
func TestLimitsWithoutAGroup(t *testing.T) {
	b := newBench(t)
	p := b.launch(showSelf, func(c *Command) { c.Limits = Limits{Memory: 64 << 20, CPU: 500, Files: 99} })
	want := "memory bounds each process for itself (RLIMIT_DATA), cpu is not bounded: open /nowhere/mountinfo: no such file or directory"
	if p.Cgroup != "" || p.Unmet != want {
		t.Errorf("%+v", p)
	}
	b.exit(p)
	if out := b.output(); !strings.Contains(out, "data 65536 65536\n") || !strings.Contains(out, "files 99 99\n") {
		t.Error(out)
	}
}

// ownCgroup reads the files of proc(5) as several systems have them.
func TestOwnCgroup(t *testing.T) {
	const hybrid = "30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n40 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	const unified = "25 24 0:22 / /sys rw shared:7 - sysfs sysfs rw\n30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
	const bound = "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro\n"
	for name, tc := range map[string]struct{ mounts, member, want string }{
		"hybrid, root": {hybrid, "4:memory:/a\n0::/\n", "/sys/fs/cgroup/unified"},
		"unified":      {unified, "0::/system.slice/dynapm.service\n", "/sys/fs/cgroup/system.slice/dynapm.service"},
		"bound mount":  {bound, "0::/docker/abc/x\n", "/sys/fs/cgroup/x"},
		"outside":      {bound, "0::/docker/def\n", ""},
		"namespace":    {unified, "0::/../other\n", ""},
		"version 1":    {"30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n", "4:memory:/a\n", ""},
		"not mounted":  {hybrid, "4:memory:/a\n", ""},
	} {
		dir := t.TempDir()
		os.WriteFile(dir+"/mountinfo", []byte(tc.mounts), 0o600)
		os.WriteFile(dir+"/cgroup", []byte(tc.member), 0o600)
		got, err := ownCgroup(dir)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tc.want)
		}
	}
}

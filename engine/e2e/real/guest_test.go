package real

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	guestKeeperTests = "bin/keeper.test"
	controlGroups    = "/sys/fs/cgroup"
)

// beGuest runs the guest's tests as the first process of a machine, and switches it off.
func beGuest(m *testing.M) {
	if err := furnish(); err != nil {
		fmt.Println(guestFailed+":", err)
	} else if m.Run() != 0 {
		fmt.Println(guestFailed)
	} else {
		fmt.Println(guestPassed)
	}
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// furnish does what an init does before anything else.
func furnish() error {
	root = "/"
	os.Setenv("PATH", "/bin")
	os.Setenv(realSwitch, "1")
	for _, m := range []struct{ target, kind string }{{"/proc", "proc"}, {"/sys", "sysfs"}, {"/dev", "devtmpfs"}, {controlGroups, "cgroup2"}} {
		if err := unix.Mount(m.kind, m.target, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo) // netdevice(7)
}

// beService answers at an address, and is greedy where it is asked to.
func beService(address string) {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })
	http.HandleFunc("/eat", func(http.ResponseWriter, *http.Request) {
		for all := make([]byte, 256<<20); len(all) > 0; all = all[os.Getpagesize():] {
			all[0] = 1
		}
	})
	http.HandleFunc("/burn", func(http.ResponseWriter, *http.Request) {
		for began := time.Now(); time.Since(began) < time.Second; {
		}
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(address, nil))
}

// newGuestWorld is one within the machine.
func newGuestWorld(t *testing.T) *world {
	t.Helper()
	if os.Getpid() != 1 {
		t.Skip("it is for the machine that TestInAMachine starts")
	}
	return emptyWorld(t)
}

// enter has what this test starts be in a control group.
func (w *world) enter(group string) {
	w.Helper()
	dir := filepath.Join(controlGroups, group)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.Fatal(err)
	}
	move := func(to string) {
		if err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte("1"), 0); err != nil {
			w.Error(err)
		}
	}
	move(dir)
	w.Cleanup(func() { move(controlGroups) })
}

// bounded starts an engine with a service that may have so much memory and a fifth of a core, and one without bounds.
func (w *world) bounded(memory string) *engine {
	w.Helper()
	config := filepath.Join(w.dir, "dynapm.yaml")
	text := fmt.Sprintf(`listen: 127.0.0.1:%d
adminApi: {port: %d}
services:
  bounded: {base: "http://127.0.0.1:%[3]d", run: [/init, %[5]s, "127.0.0.1:%[3]d"], limits: {memory: %[6]s, cpu: 0.2}}
  free:    {base: "http://127.0.0.1:%[4]d", run: [/init, %[5]s, "127.0.0.1:%[4]d"]}
`, w.port("3000"), w.port("4000"), w.port("bounded"), w.port("free"), guestSwitch, memory)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return w.startWith(config)
}

// owned is how a service is owned, in the words of `dynapm status -json`.
func (e *engine) owned(service string) (o struct{ Level, Cgroup, Unmet string }) {
	e.Helper()
	var got struct{ Ownership any }
	got.Ownership = &o
	if err := json.Unmarshal([]byte(e.dynapm("status", "-json", service)), &got); err != nil {
		e.Fatal(err)
	}
	return o
}

// read is what a file of a control group says.
func (w *world) read(group, file string) string {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(group, file))
	if err != nil {
		w.Error(err)
	}
	return strings.TrimSpace(string(text))
}

// TestGuestLimits has the engine in the root group.
func TestGuestLimits(t *testing.T) {
	w := newGuestWorld(t)
	w.holdsToLimits(w.bounded("64M"))
}

// TestGuestDelegated has it where systemd puts the main process of a unit with Delegate= and DelegateSubgroup=
// (systemd.resource-control(5)).
func TestGuestDelegated(t *testing.T) {
	w := newGuestWorld(t)
	w.enter("unit/engine")
	if err := unix.Setxattr(filepath.Join(controlGroups, "unit"), "trusted.delegate", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(controlGroups, "cgroup.subtree_control"), []byte("+memory +cpu"), 0); err != nil {
		t.Fatal(err)
	}
	w.holdsToLimits(w.bounded("64M"))
}

// holdsToLimits wants the service to have no more memory and no more of the CPU than it may, and no group of it to be left.
func (w *world) holdsToLimits(e *engine) {
	w.Helper()
	e.get("bounded")
	e.get("free")
	o := e.owned("bounded")
	if o.Level != "cgroup" || o.Unmet != "" {
		w.Fatalf("it is owned so: %+v", o)
	}
	if memory, cpu := w.read(o.Cgroup, "memory.max"), w.read(o.Cgroup, "cpu.max"); memory != "67108864" || cpu != "20000 100000" {
		w.Errorf("its limits are %s and %s", memory, cpu)
	}
	e.try("bounded", "/burn")
	if stat := w.read(o.Cgroup, "cpu.stat"); !strings.Contains(stat, "nr_throttled") || strings.Contains(stat, "nr_throttled 0\n") {
		w.Errorf("it was not held up: %s", stat)
	}
	if status, body := e.try("bounded", "/eat"); status != http.StatusBadGateway {
		w.Errorf("with more memory than it may have it answers %d %q", status, body)
	}
	w.until("the service to be down", func() bool { return e.status("bounded").State == "stopped" })
	if i := e.status("bounded"); i.Reason != "ended by SIGKILL, out of memory" {
		w.Errorf("it was stopped because %q", i.Reason)
	}
	e.get("bounded")
	if i := e.status("free"); i.State != "ready" || i.StartCount != 1 {
		w.Errorf("the other service: %+v", i)
	}
	again := e.owned("bounded").Cgroup
	e.dynapm("stop", "bounded")
	for _, group := range []string{o.Cgroup, again} {
		if _, err := os.Stat(group); !os.IsNotExist(err) {
			w.Errorf("%s is left: %v", group, err)
		}
	}
}

// TestGuestWithoutControllers has the engine in a group that cannot hand its controllers on, as a unit without Delegate=.
func TestGuestWithoutControllers(t *testing.T) {
	w := newGuestWorld(t)
	w.enter("plain")
	e := w.bounded("1G") // of which RLIMIT_DATA counts all that the Go runtime sets aside
	e.get("bounded")
	o := e.owned("bounded")
	if want := "the memory controller is not to be had in " + controlGroups + "/plain"; o.Level != "cgroup" || !strings.HasSuffix(o.Unmet, want) {
		t.Errorf("it is owned so: %+v; want that %s", o, want)
	}
}

// TestGuestKeeper runs the keeper's own tests, which use what control groups they find.
func TestGuestKeeper(t *testing.T) {
	w := newGuestWorld(t)
	cmd := exec.Command(filepath.Join(root, guestKeeperTests), "-test.v", "-test.run=^TestServiceHasAGroup$|^TestGroupOutlivesTheKeeper$|^TestEmptyGroupsGo$")
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "no cgroup can be made here") {
		t.Errorf("%v\n%s", err, out)
	}
}

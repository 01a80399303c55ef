package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// another puts the binary under test into the folder of the world with some bytes at its end: the same program in another
// file, as a new version is.
func (w *world) another(name string) string {
	w.Helper()
	text, err := os.ReadFile(binary(w.T))
	if err != nil {
		w.Fatal(err)
	}
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, append(text, name...), 0o700); err != nil {
		w.Fatal(err)
	}
	return path
}

// program is the file that a process executes.
func (w *world) program(pid int) string {
	w.Helper()
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		w.Fatal(err)
	}
	return path
}

// TestUpgrade: the engine of a new binary speaks to the keeper of the old one, which keeps what it keeps; and when that
// one is gone some day, the next is of the new binary.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path string // of the new binary
		end  syscall.Signal
	}{
		"at the same path, after SIGTERM":  {"dynapm", syscall.SIGTERM},
		"at another path, after a kill -9": {"dynapm-2", syscall.SIGKILL},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := w.another("dynapm")
			file := w.config("services:\n" + serviceOf("managed", "blog", "", "") + serviceOf("foreground", "shop", "", ""))
			e := w.launchAs(exec.Command(old, "engine", "-config", file), file)
			e.ready()
			pids := map[string]int{"blog": e.ask("blog", "/").Pid, "shop": e.ask("shop", "/").Pid}
			keeper := w.keeperPid()
			e.signal(c.end)
			e.wait()

			fresh := w.another("fresh")
			if err := os.Remove(old); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(w.dir, c.path)
			if err := os.Rename(fresh, path); err != nil {
				t.Fatal(err)
			}
			next := w.launchAs(exec.Command(path, "engine", "-config", file), file)
			next.ready()
			next.stayed(pids)
			if pid := w.keeperPid(); pid != keeper || !strings.HasSuffix(w.program(pid), " (deleted)") {
				t.Errorf("the keeper is pid %d of %s; it was %d, of the old binary", pid, w.program(pid), keeper)
			}

			w.killKeeper()
			next.stayed(pids)
			next.stopped("blog", next.stop("blog")) // which takes a keeper
			if got := w.program(w.keeperPid()); got != path {
				t.Errorf("the next keeper is of %s; want %s", got, path)
			}
		})
	}
}

// stayed wants that services are served by the processes that they had.
func (e *engine) stayed(pids map[string]int) {
	e.Helper()
	for name, pid := range pids {
		if got := e.ask(name, "/"); got.Pid != pid || e.starts(name) != 1 {
			e.Errorf("%s is served by pid %d after %d starts; it was %d", name, got.Pid, e.starts(name), pid)
		}
	}
}

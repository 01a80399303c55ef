package real

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The words with which the guest says how its tests have ended.
const (
	guestPassed = "the tests of the guest have passed"
	guestFailed = "the tests of the guest have failed"
)

// TestInAMachine runs the tests of guest_test.go in a virtual machine of their own: QEMU, a kernel of Debian's, and an
// initramfs in which this test's binary is the first process. There the controllers of cgroup v2 are the engine's to
// use, as they are on a server and hardly ever where tests run.
func TestInAMachine(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the machine is of amd64, and what is compiled here is not")
	}
	w := emptyWorld(t, "qemu-system-x86_64", "cpio")
	kernels, _ := filepath.Glob("/boot/vmlinuz-*")
	if len(kernels) == 0 {
		t.Fatal("/boot has no kernel: install Debian's linux-image-cloud-amd64, or have engine/e2e/real/install.sh do it")
	}
	machine, cancel := context.WithTimeout(t.Context(), 4*patience) // without KVM it is slow
	defer cancel()
	cmd := exec.CommandContext(machine, "qemu-system-x86_64", "-accel", "kvm", "-accel", "tcg", "-m", "768", "-smp", "2",
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
		"-kernel", slices.Max(kernels), "-initrd", w.initramfs(),
		"-append", "console=ttyS0 quiet panic=-1 -- -test.v -test.parallel=1 -test.run=^TestGuest")
	cmd.Env, cmd.Dir = w.env(), w.dir
	console, err := cmd.CombinedOutput()
	t.Logf("the machine (%v):\n%s", err, console)
	if err != nil || !strings.Contains(string(console), guestPassed) {
		t.Error("the machine has not said that its tests passed")
	}
}

// initramfs packs this package's tests, as the first process, with the binary and those of the keeper.
func (w *world) initramfs() string {
	w.Helper()
	tree := filepath.Join(w.dir, "tree")
	for _, dir := range []string{"bin", "dev", "proc", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			w.Fatal(err)
		}
	}
	for program, pkg := range map[string]string{"init": "dynapm/engine/e2e/real", guestKeeperTests: "dynapm/actors/keeper"} {
		if err := compile("test", "-c", "-o", filepath.Join(tree, program), pkg); err != nil {
			w.Fatal(err)
		}
	}
	w.output("cp", binary(), filepath.Join(tree, "bin"))
	w.output("sh", "-c", "cd tree && find . | cpio --quiet -o -H newc >../initramfs")
	return filepath.Join(w.dir, "initramfs")
}

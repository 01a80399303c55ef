package persist

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestKill kills a process in the middle of its writes, again and again on the
// same store. All that PutSync has acknowledged is there.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acked := make(map[string]uint64)
	for life := range 8 {
		p := start(t, "write", dir)
		for range 20 + 17*life {
			if !p.ack(acked) {
				t.Fatal("the process has ended by itself")
			}
		}
		p.cmd.Process.Kill() // wherever it is now
		for p.ack(acked) {   // what it said before
		}
		s := open(t, Options{Dir: dir})
		found := make(map[string]uint64)
		for _, r := range s.Records() {
			found[r.Service] = r.Run
		}
		for service, run := range acked {
			if found[service] < run {
				t.Errorf("life %d: %s was acknowledged at run %d and has %d", life, service, run, found[service])
			}
		}
		if s.book.String() != "" {
			t.Errorf("life %d: %s", life, s.book)
		}
		s.close()
	}
}

// ack takes in what the process says next. It is false when nothing comes.
func (p *process) ack(acked map[string]uint64) bool {
	p.t.Helper()
	said := p.line()
	if said == "" {
		return false
	}
	var service string
	var run uint64
	if _, err := fmt.Sscan(said, &service, &run); err != nil {
		p.t.Fatalf("the process says %q", said)
	}
	acked[service] = run
	return true
}

// TestDirectoryOfSomebodyElse: root may write anywhere, so the one who may not
// is a process of another user. Where tests are not run by root, it is this one.
func TestDirectoryOfSomebodyElse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, Options{Dir: dir})
	s.keep(full("blog"))
	s.close()
	for _, path := range []string{dir, filepath.Join(dir, storeName)} {
		if err := os.Chmod(path, 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(path, 0o700) })
	}
	// The link is followed by the kernel: the way to the binary may be closed
	// to the other user.
	cmd := exec.Command("/proc/self/exe", "child", "try", dir)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	p := run(t, cmd)
	if said := p.line(); !strings.Contains(said, "permission denied") {
		t.Fatalf("it says %q", said)
	}
	p.kill()
	wantAsideOnDisk(t, dir, 0)
}

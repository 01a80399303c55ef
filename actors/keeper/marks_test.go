package keeper

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// anothers starts a process of another user that sleeps, with env and nothing else,
// and ends it with the test.
func anothers(t *testing.T, env []string) int {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start what is another user's")
	}
	cmd := exec.Command("/bin/sleep", "60")
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid
}

// Of another user's process the marks count for nothing without the proof that it
// was given just these.
func TestForgedMarks(t *testing.T) {
	by := marker{"/s", []byte("secret")}
	given := marks{"blog", 1, RoleService}
	env, err := by.environment(nil, given)
	if err != nil {
		t.Fatal(err)
	}
	without := env[:len(env)-1]
	if !strings.HasPrefix(env[len(env)-1], markMAC+"=") {
		t.Fatal(env)
	}
	guessed, _ := marker{"/s", []byte("another")}.environment(nil, given)
	changed := strings.Split(strings.Replace(strings.Join(env, "\n"), "_RUN=1", "_RUN=2", 1), "\n")
	read := func(env []string) (m marks, err error) {
		pid := anothers(t, env)
		for err = errUnsettled; errors.Is(err, errUnsettled); m, err = by.read(pid) { // it may not be executed yet
			runtime.Gosched()
		}
		return m, err
	}
	for name, env := range map[string][]string{"none": without, "guessed": guessed, "another run's": changed} {
		if m, err := read(env); err == nil {
			t.Errorf("with %s: %+v", name, m)
		}
	}
	if m, err := read(env); err != nil || m != given {
		t.Errorf("with its own: %+v, %v", m, err)
	}
}

// What a keeper has launched as another user the next one finds by itself, and not
// what another user has dressed up as that.
func TestAnotherUsersServiceIsFound(t *testing.T) {
	b := newBench(t)
	anothers(t, []string{"DYNAPM_SERVICE=blog", "DYNAPM_RUN=9", "DYNAPM_ROLE=service", "DYNAPM_STATE_DIR=" + b.dir})
	p := b.launch([]string{"/bin/sleep", "60"}, func(c *Command) {
		c.As, c.Output, c.Dir = &Account{UID: 65534, GID: 65534}, "", "/"
	})
	b.beginAnew()
	all, err := b.List()
	if err != nil || len(all) != 1 || all[0].identity() != p.identity() {
		t.Errorf("kept: %+v, %v; want %+v", all, err, p)
	}
}

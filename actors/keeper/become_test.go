package keeper

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A program with no file of the test's own: the account may not reach those.
var showSelf = []string{"/bin/sh", "-c", `
	echo "ids $(id -u) $(id -g) $(id -G)"
	echo "umask $(umask)"
	echo "files $(ulimit -n) $(ulimit -Hn)"
	echo "data $(ulimit -d) $(ulimit -Hd)"
	echo "in $(pwd) as $0"
	echo opened again >>/dev/stdout
`, "the name"}

func TestAccountAndLimits(t *testing.T) {
	mask := 0o027
	nobody := &Account{UID: 65534, GID: 65534, Groups: []uint32{65534, 33, 4}}
	for name, tc := range map[string]struct {
		edit func(*Command)
		root bool
		want []string
	}{
		"umask":  {edit: func(c *Command) { c.Umask = &mask }, want: []string{"umask 0027"}},
		"limits": {edit: func(c *Command) { c.Limits = Limits{Memory: 64 << 20, Files: 64} }, want: []string{"files 64 64", "data 65536 65536"}},
		"user": {edit: func(c *Command) { c.As = nobody }, root: true,
			want: []string{"ids 65534 65534 65534 4 33"}},
		"all": {edit: func(c *Command) { c.As, c.Umask, c.Limits = nobody, &mask, Limits{Memory: 64 << 20, Files: 1 << 10} }, root: true,
			want: []string{"ids 65534 65534 65534 4 33", "umask 0027", "files 1024 1024", "data 65536 65536"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p, err := b.Launch(b.command(showSelf, tc.edit, func(c *Command) { c.Dir = "/usr" }))
			if tc.root && os.Geteuid() != 0 {
				if err == nil || !strings.Contains(err.Error(), "as uid 65534") || !strings.Contains(err.Error(), "not permitted") {
					t.Errorf("without being root: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e := b.exit(p); e.Code != 0 {
				t.Errorf("%+v\n%s", e, b.output())
			}
			for _, line := range append(tc.want, "in /usr as the name", "opened again") {
				if !strings.Contains("\n"+b.output(), "\n"+line+"\n") {
					t.Errorf("no line %q in\n%s", line, b.output())
				}
			}
		})
	}
}

// What the child cannot do is the launch's error, and nothing is kept of it.
func TestBecomingFails(t *testing.T) {
	mask := 0
	for name, tc := range map[string]struct {
		edit func(*Command)
		want string
	}{
		"no interpreter": {func(c *Command) { c.Umask, c.Argv = &mask, []string{script(t, "#!/no/such\n")} }, `its interpreter "/no/such" does not exist`},
		"too many files": {func(c *Command) { c.Limits.Files = 1 << 40 }, "cannot set limits.nofile to 1099511627776"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if _, err := b.Launch(b.command(self("pause"), tc.edit)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if all, err := b.List(); err != nil || len(all) > 0 {
				t.Errorf("kept: %v, %v", all, err)
			}
			b.noExit()
		})
	}
}

// script is an executable file.
func script(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// A child that becomes its program is the one process of its launch: signalled,
// and its marks seen, like any other.
func TestBecomingKeepsPidAndMarks(t *testing.T) {
	b := newBench(t)
	p := b.launch(self("pause"), func(c *Command) { c.Limits.Files = 256 })
	b.printed("up")
	if m, err := b.marks(p.Pid); err != nil || m != p.marks() {
		t.Errorf("%+v, %v", m, err)
	}
	if stat, ok := readStat(p.Pid); !ok || stat.session != p.Pid || stat.group != p.Pid {
		t.Errorf("%+v", stat)
	}
	if open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Pid)); err != nil || len(open) > 8 {
		t.Errorf("%d descriptors, %v", len(open), err)
	}
	if err := b.Signal(p, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if e := b.exit(p); e.Signal != syscall.SIGTERM {
		t.Errorf("%+v", e)
	}
}

// A keeper of the first protocol would run it as itself: it is not even asked.
func TestOldKeeperIsNotAskedForAnAccount(t *testing.T) {
	dir := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, socketName)})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string)
	go func() {
		defer close(heard)
		conn, err := l.AcceptUnix()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		in.ReadString('\n')
		io.WriteString(conn, `{"do":"hello","hello":{"oldest":1,"newest":1,"instance":"x"}}`+"\n")
		rest, _ := io.ReadAll(in)
		heard <- string(rest)
	}()
	defer l.Close()
	c, err := Open(Options{Dir: dir, Executable: []string{executable, "keeper"}})
	if err != nil {
		t.Fatal(err)
	}
	mask := 0
	for want, cmd := range map[string]Command{
		"which has no user;":         {As: &Account{UID: 65534, GID: 65534}},
		"which has no umask;":        {Umask: &mask},
		"which has no user, limits;": {As: &Account{}, Limits: Limits{CPU: 500}},
	} {
		cmd.Service, cmd.Role, cmd.Argv = "blog", RoleService, []string{"true"}
		if _, err := c.Launch(cmd); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "older version") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c.Close()
	if text := <-heard; text != "" {
		t.Errorf("the old keeper was asked: %s", text)
	}
}

package config

import (
	"os"
	"os/user"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestEnvFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".env", `# a comment
; another
PLAIN=some words  
  INDENTED = x=y # part of it

EMPTY=
SINGLE='$HOME "as" \it is'
DOUBLE="a \"b\" \$c \\ \n"
BOTH=file
CRLF=yes`+"\r\n"+`LAST=no newline`)
	cfg := accept(t, "dynapm.yaml", "services:\n  blog: {run: x, envFile: .env, env: {BOTH: env, OWN: 1}}\n", dir)
	want := []string{"BOTH=env", "CRLF=yes", `DOUBLE=a "b" $c \ \n`, "EMPTY=", "INDENTED=x=y # part of it", "LAST=no newline",
		"OWN=1", "PLAIN=some words", `SINGLE=$HOME "as" \it is`}
	if got := cfg.Services[0].Env; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestLimits(t *testing.T) {
	cfg := accept(t, "dynapm.yaml", `services:
  a: {run: x, umask: 027, limits: {memory: 512M, cpu: 0.5, nofile: 4096}}
  b: {run: x, umask: "0002", limits: {memory: 2g, cpu: "16"}}
  c: {run: x, limits: {memory: 1048576, cpu: 1.125}}
`, t.TempDir())
	for i, want := range []Limits{{512 << 20, 500, 4096}, {2 << 30, 16000, 0}, {1 << 20, 1125, 0}} {
		if got := cfg.Services[i].Limits; got != want {
			t.Errorf("%s: got %+v, want %+v", cfg.Services[i].Name, got, want)
		}
	}
	if a, b, c := cfg.Services[0].Umask, cfg.Services[1].Umask, cfg.Services[2].Umask; *a != 0o27 || *b != 0o2 || c != nil {
		t.Errorf("umasks %o, %o, %v", *a, *b, c)
	}
}

// TestAccount asks for the user of the test, which every user may run services as.
func TestAccount(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	groups, err := me.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	for _, written := range []string{me.Username, me.Uid} {
		a := accept(t, "dynapm.yaml", "services: {blog: {run: x, user: "+written+", group: "+me.Gid+"}}", t.TempDir()).Services[0].Account
		if a == nil || strconv.Itoa(int(a.UID)) != me.Uid || strconv.Itoa(int(a.GID)) != me.Gid || a.User != me.Username || a.Home != me.HomeDir ||
			len(a.Groups) != len(groups) {
			t.Errorf("user %s: %+v; it is %+v in %v", written, a, me, groups)
		}
	}
}

// TestAnotherAccount: root may have any, numbers that nobody has included; others are told where it stands.
func TestAnotherAccount(t *testing.T) {
	cfg, faults := try("dynapm.yaml", "services:\n  blog: {run: x, user: 4000000001, group: 4000000002}\n", t.TempDir())
	if os.Geteuid() != 0 {
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), "dynapm.yaml:2:24: services.blog.user: only root can run a service as another user") {
			t.Errorf("faults %v", faults)
		}
		return
	}
	want := &Account{UID: 4000000001, GID: 4000000002, User: "4000000001", Home: "/"}
	if len(faults) > 0 || !reflect.DeepEqual(cfg.Services[0].Account, want) {
		t.Errorf("faults %v; got %+v", faults, cfg.Services[0].Account)
	}
}

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"strings"
	"testing"
)

// TestServiceRunsAsItsUser: with the user's groups, home and name, its umask and limits, and what its files say, however
// it is run. Root gives it to somebody else; who is not root has only itself to give.
func TestServiceRunsAsItsUser(t *testing.T) {
	t.Parallel()
	who, err := user.Current()
	if err == nil && os.Geteuid() == 0 {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.write(".env", "FROM_FILE=\"a b\"\nFROM_BOTH=file\n")
	show := `'echo "uid $(id -u) gid $(id -g)"; echo "home $HOME user $USER logname $LOGNAME"; echo "umask $(umask) files $(ulimit -n)"; ` +
		`echo "env $FROM_FILE $FROM_BOTH"; echo "in $(pwd)"; echo stdout >>/dev/stdout; exec sleep 1000'`
	same := `user: ` + who.Username + `, umask: 027, cwd: /usr, envFile: .env, env: {FROM_BOTH: env}, healthCheck: {type: none}`
	e := w.start(`
services:
  managed:   {run: [sh, -c, ` + show + `], limits: {nofile: 100, memory: 1G}, ` + same + `}
  delegated: {commands: {start: ` + show + `, stop: "true"}, base: "http://127.0.0.1:{{port "delegated"}}", ` + same + `}
`)
	for name, files := range map[string]string{"managed": "100", "delegated": ""} {
		e.good("start", name)
		var out string
		e.until("the last line of "+name, func() bool { out = e.run("logs", name).out; return strings.HasSuffix(out, "stdout\n") })
		for _, want := range []string{
			fmt.Sprintf("uid %s gid %s\n", who.Uid, who.Gid),
			fmt.Sprintf("home %s user %s logname %[2]s\n", who.HomeDir, who.Username),
			"umask 0027 files " + files, "env a b env\n", "in /usr\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
		e.ownership(name)
		e.good("stop", name)
	}
}

// ownership holds what status says of how a service is owned to what the system says.
func (e *engine) ownership(name string) {
	e.Helper()
	var got struct {
		Pid       int
		Ownership *struct{ Level, Cgroup, Unmet string }
	}
	if err := json.Unmarshal([]byte(e.good("status", "-json", name)), &got); err != nil {
		e.Fatal(err)
	}
	text, o := e.good("status", name), got.Ownership
	if name == "delegated" {
		if o != nil || strings.Contains(text, "owned by") {
			e.Errorf("what its start command leaves is not owned, and yet: %+v\n%s", o, text)
		}
		return
	}
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", got.Pid))
	if err != nil || o == nil {
		e.Fatalf("%v, %+v", err, o)
	}
	want := "group+subreaper+mark"
	if strings.Contains(string(groups), "/dynapm-") {
		want = "cgroup"
	}
	if o.Level != want || (o.Cgroup != "") != (want == "cgroup") || !strings.Contains(text, "owned by      "+want) {
		e.Errorf("its groups are\n%sand its status %+v\n%s", groups, o, text)
	}
	if o.Unmet != "" && !strings.HasPrefix(o.Unmet, "memory bounds each process for itself (RLIMIT_DATA): ") {
		e.Errorf("of its limits: %s", o.Unmet)
	}
}

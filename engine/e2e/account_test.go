package e2e

import (
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
		e.good("stop", name)
	}
}

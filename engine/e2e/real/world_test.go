package real

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// world is what one test has for itself.
type world struct {
	*testing.T
	dir      string         // with examples/ in it; HOME
	ports    map[string]int // by the port that stands in the examples
	extraEnv []string
}

// newWorld copies the examples, if these tests are wanted and the programs are there.
func newWorld(t *testing.T, programs ...string) *world {
	t.Helper()
	w := emptyWorld(t, programs...)
	w.copyExamples()
	return w
}

// emptyWorld is one without examples.
func emptyWorld(t *testing.T, programs ...string) *world {
	t.Helper()
	if os.Getenv(realSwitch) == "" {
		t.Skip(realSwitch + " is not set; make test-real sets it")
	}
	t.Parallel()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: install it, or have engine/e2e/real/install.sh do it", err)
		}
	}
	w := &world{T: t, dir: filepath.Join(root, t.Name()), ports: map[string]int{}}
	if err := os.Mkdir(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

// env is the machine's, with all that programs keep led into the folder.
func (w *world) env() []string {
	return append(append(os.Environ(), "HOME="+w.dir, "PM2_HOME="+filepath.Join(w.dir, ".pm2"),
		"PM2_DISABLE_VERSION_CHECK=true"), w.extraEnv...)
}

// examplePort is one that stands in the examples.
var examplePort = regexp.MustCompile(`\b(3000|80[0-9]{2})\b`)

// copyExamples copies examples/ with other ports, so that they can run beside others. Everything else in them is as it
// stands there.
func (w *world) copyExamples() {
	w.Helper()
	from := filepath.Join("..", "..", "..", "examples")
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(w.dir, "examples", rel)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".dynapm") {
				return fs.SkipDir
			}
			return os.Mkdir(to, 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		moved := examplePort.ReplaceAllStringFunc(string(text), func(port string) string { return strconv.Itoa(w.port(port)) })
		if d.Name() == "dynapm.yaml" {
			moved += fmt.Sprintf("\nadminApi: {port: %d}\n", w.port("4000"))
		}
		return os.WriteFile(to, []byte(moved), 0o644)
	})
	if err != nil {
		w.Fatal(err)
	}
}

// nextPort walks through a range that neither the kernel gives to clients nor the engine to services.
var nextPort atomic.Int64

const firstPort, portCount = 10000, 9000

// port gives the port that stands for one of the examples. The abstract unix socket keeps it from other test runs on
// this machine.
func (w *world) port(name string) int {
	w.Helper()
	if port, taken := w.ports[name]; taken {
		return port
	}
	for range portCount {
		port := firstPort + int(nextPort.Add(1)+int64(os.Getpid())*61)%portCount
		claim, err := net.Listen("unix", "@dynapm-e2e-"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			conn.Close()
			claim.Close()
			continue
		}
		w.Cleanup(func() { claim.Close() })
		w.ports[name] = port
		return port
	}
	w.Fatal("no free port")
	return 0
}

// edit changes a file of the copy.
func (w *world) edit(file, old, new string) {
	w.Helper()
	file = filepath.Join(w.dir, "examples", file)
	text, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), old, new)
	if changed == string(text) {
		w.Fatalf("%s has no %q", file, old)
	}
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		w.Fatal(err)
	}
}

// output runs a program that must succeed and gives what it printed.
func (w *world) output(program string, args ...string) string {
	w.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Dir = w.env(), w.dir
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		w.Fatalf("%s %q: %v\n%s%s", program, args, err, out, errors.String())
	}
	return strings.TrimSpace(string(out))
}

// root wants to be root, for a program that needs it.
func (w *world) root(program string) {
	w.Helper()
	if os.Geteuid() != 0 {
		w.Fatalf("%s needs root: run make test-real as root", program)
	}
}

// folderOf makes a folder that belongs to a user.
func (w *world) folderOf(name, dir string) string {
	w.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		w.Fatal(err)
	}
	dir = filepath.Join(w.dir, dir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.Chown(dir, number(w.T, u.Uid), number(w.T, u.Gid)); err != nil {
		w.Fatal(err)
	}
	return dir
}

// until returns when the condition holds.
func (w *world) until(what string, holds func() bool) {
	w.Helper()
	if !eventuallyIn(patience, holds) {
		w.Fatalf("waited in vain for %s", what)
	}
}

func (w *world) portText(name string) string { return strconv.Itoa(w.port(name)) }

package real

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// dockerd starts a Docker daemon of this test's own, in its own folder. It takes down with it what it runs.
func (w *world) dockerd() {
	w.Helper()
	w.root("dockerd")
	at := func(name string) string { return filepath.Join(w.dir, name) }
	w.extraEnv = append(w.extraEnv, "DOCKER_HOST=unix://"+at("d.sock"))
	cmd := exec.Command("dockerd", "--host", "unix://"+at("d.sock"), "--data-root", at("data"), "--exec-root", at("run"),
		"--pidfile", at("d.pid"), "--storage-driver", "vfs", "--bridge", "none", "--iptables=false", "--ip6tables=false",
		"--ip-forward=false",
		// Should the machine have a containerd, the containers of others in it are none of this daemon's.
		"--containerd-namespace", "dynapm-real", "--containerd-plugins-namespace", "dynapm-real-plugins")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // what it mounts ends with it
	cmd.Env, cmd.Dir = w.env(), w.dir
	log, err := os.Create(at("dockerd.log"))
	if err != nil {
		w.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	w.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-exited
		w.onlyLeft()
	})
	w.until("dockerd", func() bool {
		select {
		case <-exited:
			text, _ := os.ReadFile(at("dockerd.log"))
			w.Fatalf("dockerd does not run here:\n%s", text)
		default:
		}
		ping := exec.Command("docker", "version")
		ping.Env = w.env()
		return ping.Run() == nil
	})
}

// ofDocker are the command lines of the daemon and its containerd.
var ofDocker = []string{"dockerd --host", "containerd --config"}

func TestDocker(t *testing.T) {
	w := newWorld(t, "dockerd", "docker", "tar")
	w.dockerd()
	w.output("sh", "-c", "tar -c -C "+filepath.Dir(binary())+" dynapm | docker import - dynapm-hello")
	run := func(e *engine) string {
		return e.output("docker", "container", "inspect", "--format", "{{.Id}} {{.State.Pid}} {{.State.StartedAt}}", "dynapm-hello")
	}
	w.live(example{
		folder: "docker", service: "hello", says: []string{"Hello"}, instance: run, stays: ofDocker,
		asleep: func(e *engine) {
			if left := e.output("docker", "ps", "--quiet"); left != "" {
				e.Errorf("asleep, and these containers run: %s", left)
			}
		},
		awake: func(e *engine) {
			// Nobody tells of a container that ends by itself, but the first request that finds nobody there.
			before := run(e)
			e.output("docker", "kill", "dynapm-hello")
			if status, _ := e.try("hello", "/"); status != http.StatusBadGateway {
				e.Errorf("its container was killed, and it answers %d; want 502", status)
			}
			e.until("its end to be seen", func() bool { return e.status("hello").State == "stopped" })
			if e.get("hello"); run(e) == before {
				e.Errorf("the container that was killed is still taken for one that runs: %s", before)
			}
		},
	})
}

package actors

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"dynapm/actors/probe"
)

// TestRedirectedPortIsFoundAgain: what a start command left behind is reached by a rule of the kernel's, as the ports of
// a container are where Docker has no userland proxy. Nobody listens at the address, and the next engine knows the
// service all the same. It takes a network of the test's own.
func TestRedirectedPortIsFoundAgain(t *testing.T) {
	const inside = "DYNAPM_TEST_OWN_NETWORK"
	if os.Getenv(inside) == "" {
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		again.Env = append(os.Environ(), inside+"=1")
		again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if text, err := again.CombinedOutput(); err != nil && again.ProcessState == nil {
			t.Skip("there is no network of one's own here:", err)
		} else if strings.Contains(string(text), "--- SKIP") {
			t.Skipf("%s", text)
		} else if err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		return
	}
	const address, behind = "127.0.0.1:7000", "127.0.0.1:7001"
	for _, command := range []string{"ip link set lo up", "iptables -t nat -A OUTPUT -p tcp --dport 7000 -j REDIRECT --to-ports 7001"} {
		argv := strings.Fields(command)
		if text, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Skipf("the kernel cannot be given such a rule here: %s: %v\n%s", command, err, text)
		}
	}
	h := newHouse(t)
	spec := h.daemon(behind)
	spec.Address = address
	h.wake(h.system.Spawn(spec)).Release()
	pid := askPid(t, address)
	if probe.Listening(address) {
		t.Fatal("somebody listens at the address itself")
	}
	v := h.nextEngine(spec)
	g := h.wake(v)
	if again := askPid(t, address); again != pid || g.Run() != 1 {
		t.Errorf("it is run %d of pid %d; it was run 1 of pid %d", g.Run(), again, pid)
	}
	g.Release()
	if err := v.Stop(h.soon(), false); err != nil {
		t.Error(err)
	}
	if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		conn.Close()
		t.Error("it was said to be down, and takes connections")
	}
}

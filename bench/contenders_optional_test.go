package main

import (
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOptional: those that are measured only if they are given are named with how to give them.
func TestOptional(t *testing.T) {
	t.Setenv(nodeSwitch, "")
	t.Setenv(sablierSwitch, "")
	all, missing := withOptional(allContenders(""))
	if len(all) != len(allContenders("")) || len(missing) != 2 || !strings.Contains(missing[0], nodeSwitch) ||
		!strings.Contains(missing[1], sablierSwitch) {
		t.Errorf("nothing is given: %q", missing)
	}
	t.Setenv(nodeSwitch, t.TempDir())
	t.Setenv(sablierSwitch, filepath.Join(t.TempDir(), "nothing"))
	if all, missing = withOptional(allContenders("")); len(all) != len(allContenders("")) || len(missing) != 2 {
		t.Errorf("what is given is not there, and: %q", missing)
	}
}

// TestNodeConf: it has the services of the scenario, with commands for those that are started.
func TestNodeConf(t *testing.T) {
	s := &site{dir: "/somewhere", server: "/somewhere/coldserver", coldCases: coldBasic}
	for range coldBasic {
		s.cold = append(s.cold, address(t))
	}
	s.backend = &process{address: address(t)}
	conf, err := s.nodeConf("/dir", address(t), address(t), terms{cold: true, services: 3})
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Services map[string]nodeService }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(conf), "export default ")), &read); err != nil {
		t.Fatal(err)
	}
	if len(read.Services) != 3+len(coldBasic) {
		t.Errorf("%d services", len(read.Services))
	}
	if got := read.Services[coldHost(1)].Commands["start"]; !strings.HasPrefix(got, "nohup sh -c 'ulimit -c 0; exec /somewhere/coldserver ") {
		t.Error(got)
	}
}

// TestPeerFails: a peer that does not come up is said to have failed, and ours is measured all the same.
func TestPeerFails(t *testing.T) {
	s, err := openSite(context.Background(), os.Args[0]) // no engine is needed
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	chosen, _, err := choose(allContenders(""), "nethttp,direct", false)
	if err != nil {
		t.Fatal(err)
	}
	chosen = slices.Insert(chosen, 0, contender{name: "broken", kind: kindNginx, start: startRole("no such role")})
	o := options{rounds: 1, scale: 0.001, progress: io.Discard}
	result, err := smallScenario.run(context.Background(), s, chosen, o)
	if err != nil || len(result.Failed) != 1 || !strings.HasPrefix(result.Failed[0], "broken: ") {
		t.Fatalf("failed: %q, %v", result.Failed, err)
	}
	if len(result.Cases[1].Series) != 1 || result.Cases[1].Series[0].Contender != "nethttp" {
		t.Errorf("measured: %+v", result.Cases[1])
	}
	chosen[0].kind = kindOurs
	if _, err := smallScenario.run(context.Background(), s, chosen, o); err == nil {
		t.Error("ours does not come up, and the run goes on")
	}
}

func address(t *testing.T) netip.AddrPort {
	t.Helper()
	a, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

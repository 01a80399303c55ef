package main

import (
	"slices"
	"strings"
	"testing"
)

// TestChooseMissing: a program that is not installed is named with what to do, and ends the run or is left out.
func TestChooseMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, _, err := choose(allContenders(""), "", false); err == nil || !strings.Contains(err.Error(), "apt-get install") {
		t.Errorf("nothing is installed, and: %v", err)
	}
	chosen, left, err := choose(allContenders(""), "", true)
	if err != nil || len(left) != 5 || slices.ContainsFunc(chosen, contender.peer) {
		t.Errorf("%d chosen, left out %q, %v", len(chosen), left, err)
	}
	for _, why := range left {
		if !strings.Contains(why, "apt-get install") {
			t.Errorf("%q does not say what to do", why)
		}
	}
}

func TestChooseOnly(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	chosen, left, err := choose(allContenders(""), "nethttp,dynapm", false)
	if err != nil || len(chosen) != 2 || chosen[0].name != ourName || len(left) != len(allContenders(""))-2 {
		t.Errorf("%d chosen, left out %q, %v", len(chosen), left, err)
	}
	if _, _, err := choose(allContenders(""), "dynapm,apache", false); err == nil || !strings.Contains(err.Error(), "apache") {
		t.Errorf("apache: %v", err)
	}
}

// TestQuickContenders: the short run has ours, the peers and no proxy at all, and calls nothing left out.
func TestQuickContenders(t *testing.T) {
	var names []string
	for _, c := range quickContenders(allContenders("")) {
		names = append(names, c.name)
	}
	if got := strings.Join(names, " "); got != "dynapm nginx-1 nginx-2 haproxy-1 haproxy-2 direct" {
		t.Error(got)
	}
	t.Setenv("PATH", t.TempDir())
	_, left, err := choose(quickContenders(allContenders("")), "", true)
	if err != nil || len(left) != 4 {
		t.Errorf("left out %q, %v", left, err)
	}
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-scale", "0"}, {"more"}, {"-no-such"}, {"-scenario", "none"},
		{"-quick", "-scenario", "small"}} {
		c, err := parseCommand(args)
		if _, err = c.chosen(err); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	c, err := parseCommand([]string{"-scenario", "quiet,small"})
	chosen, err := c.chosen(err)
	if err != nil || len(chosen) != 2 || chosen[0].name != "quiet" || chosen[1].name != "small" {
		t.Errorf("%v, %v", chosen, err)
	}
}

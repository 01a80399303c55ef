package keeper

import (
	"os"
	"slices"
)

// selfPid is the keeper: the root of the tree of all it launched.
var selfPid = os.Getpid()

// descendants returns the living processes among all that belong to k: its
// group and session, what carries its marks, what was its descendant when it
// was signalled, and the children of these. Each of the ways can be escaped: a
// daemon leaves the session and its parent, and a program that sets its title
// overwrites the marks.
func descendants(k kept, all []procStat, dir string) []procStat {
	children := make(map[int][]int, len(all))
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p.pid)
	}
	ours := make(map[int]bool)
	addTree(ours, selfPid, children)
	family := make(map[int]bool)
	for _, p := range all {
		if p.pid != selfPid && (k.adopted || ours[p.pid]) && belongs(p, k, dir) {
			addTree(family, p.pid, children)
		}
	}
	var living []procStat
	for _, p := range all {
		if p.alive() && family[p.pid] {
			living = append(living, p)
		}
	}
	return living
}

// addTree adds pid and all below it to set.
func addTree(set map[int]bool, pid int, children map[int][]int) {
	if set[pid] {
		return
	}
	set[pid] = true
	for _, child := range children[pid] {
		addTree(set, child, children)
	}
}

// belongs tells whether p is k's by what p itself shows.
func belongs(p procStat, k kept, dir string) bool {
	if p.session == k.Pid || p.group == k.Pid {
		// Once the leader is gone its number can be a new session's, which
		// then began later.
		return !k.gone || p.start <= k.goneAt
	}
	if slices.ContainsFunc(k.strays, func(q procStat) bool { return q.pid == p.pid && q.start == p.start }) {
		return true
	}
	m, ok := readMarks(p.pid, dir)
	return ok && m == k.marks()
}

// leaders returns the one process of each marked service run that leads it:
// the session leader that is the eldest, or the eldest if its leader is dead.
// Only a service is known so. What carries the marks of a delegated command
// may as well be the daemon it left, which is not ours.
func leaders(all []procStat, dir string) map[marks]procStat {
	found := make(map[marks]procStat)
	for _, p := range all {
		if !p.alive() || p.pid == selfPid {
			continue
		}
		m, ok := readMarks(p.pid, dir)
		if !ok || m.role != RoleService {
			continue
		}
		if other, taken := found[m]; !taken || leads(p, other) {
			found[m] = p
		}
	}
	return found
}

func leads(p, other procStat) bool {
	if a, b := p.session == p.pid, other.session == other.pid; a != b {
		return a
	}
	if p.start != other.start {
		return p.start < other.start
	}
	return p.pid < other.pid
}

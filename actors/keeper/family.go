package keeper

import (
	"errors"
	"os"
	"slices"
)

// selfPid is the keeper: the root of the tree of all it launched.
var selfPid = os.Getpid()

// descendants returns the living processes among all that belong to k: its
// group, session and control group, what carries its marks, what was its descendant when it
// was signalled, and the children of these. Each of the ways can be escaped: a
// daemon leaves the session and its parent, and a program that sets its title
// overwrites the marks.
//
// It is not settled if there may be more: look again.
func descendants(k kept, all []procStat, by marker) (living []procStat, settled bool) {
	children := make(map[int][]int, len(all))
	there := map[int]bool{0: true} // the parent of those that have none here
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p.pid)
		there[p.pid] = true
	}
	ours := make(map[int]bool)
	addTree(ours, selfPid, children)
	family := make(map[int]bool)
	settled = true
	for _, p := range all {
		if p.pid == selfPid || !p.alive() {
			continue
		}
		// /proc is not read in one moment. A parent that ended meanwhile hides
		// whose descendant p is, which by now is its next ancestor's.
		orphaned := !there[p.parent]
		if !orphaned && !k.adopted && !ours[p.pid] {
			continue
		}
		switch member, err := belongs(p, k, by); {
		case err != nil || orphaned && !member:
			settled = false
		case member:
			addTree(family, p.pid, children)
		}
	}
	for _, p := range all {
		if p.alive() && family[p.pid] {
			living = append(living, p)
		}
	}
	return living, settled
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

// belongs tells whether p is k's by what p itself shows. The only error is
// errUnsettled.
func belongs(p procStat, k kept, by marker) (bool, error) {
	if k.members[p.pid] {
		return true, nil
	}
	if p.session == k.Pid || p.group == k.Pid {
		// Once the leader is gone its number can be a new session's, which
		// then began later.
		return !k.gone || p.start <= k.goneAt, nil
	}
	if slices.ContainsFunc(k.strays, func(q procStat) bool { return q.pid == p.pid && q.start == p.start }) {
		return true, nil
	}
	m, err := by.read(p.pid)
	if errors.Is(err, errUnsettled) {
		return false, err
	}
	return err == nil && m == k.marks(), nil
}

// leaders returns the one process of each marked service run that leads it:
// the session leader that is the eldest, or the eldest if its leader is dead.
// What carries the marks of a start command may as well be the daemon it left,
// which is not ours: that must be the command itself.
//
// It is not settled if there may be more: look again.
func leaders(all []procStat, by marker) (found map[marks]procStat, settled bool) {
	found = make(map[marks]procStat)
	settled = true
	for _, p := range all {
		if !p.alive() || p.pid == selfPid {
			continue
		}
		m, err := marksToLead(p, by)
		if errors.Is(err, errUnsettled) {
			settled = false
		}
		if err != nil {
			continue
		}
		if other, taken := found[m]; !taken || leads(p, other) {
			found[m] = p
		}
	}
	return found, settled
}

// marksToLead are those of a process that may lead its run.
func marksToLead(p procStat, by marker) (marks, error) {
	m, err := by.read(p.pid)
	if err != nil || m.role == RoleService {
		return m, err
	}
	if m.role == RoleStart {
		if is, err := isLeader(p); is || err != nil {
			return m, err
		}
	}
	return m, errUnmarked
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

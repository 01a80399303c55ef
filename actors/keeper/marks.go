package keeper

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The marks in the environment of what the keeper launches. Children inherit
// them, so a descendant is known wherever it went; and after the keeper itself
// was killed, the next one finds what it kept.
const (
	markService = "DYNAPM_SERVICE"
	markRun     = "DYNAPM_RUN"
	markRole    = "DYNAPM_ROLE"
	markDir     = "DYNAPM_STATE_DIR"
	markMAC     = "DYNAPM_MAC" // see marker

	// markLeader tells a start command from what it leaves behind, which has its
	// marks and may lead a session too. The shell has the word notYet here, and
	// puts its pid there: so what has another pid is not the command, but something
	// that was executed by it.
	markLeader = "DYNAPM_LEADER"
	notYet     = "shell"
)

// engineOnly are the variables by which a service manager talks to the engine
// (sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)). A service that got
// them would answer in the engine's name.
var engineOnly = []string{
	"NOTIFY_SOCKET",
	"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES",
	"WATCHDOG_PID", "WATCHDOG_USEC",
}

// marks says to which run of which service a process belongs.
type marks struct {
	service string
	run     uint64
	role    Role
}

// marker gives marks, and tells those that were given by a keeper of the same state
// directory from what anybody can put in an environment.
type marker struct {
	dir    string
	secret []byte // no other user knows it
}

// mac is the proof that marks were given: whoever has it was told these marks, and
// can say no others.
func (by marker) mac(m marks) string {
	h := hmac.New(sha256.New, by.secret)
	fmt.Fprintf(h, "%q %d %q", m.service, m.run, m.role)
	return hex.EncodeToString(h.Sum(nil))
}

// believes tells whether a process may be believed its marks: it has the proof, or is
// of the keeper's own user, as whatever a keeper of an earlier version has launched
// without an account. The ids of a program with the set-user-ID bit are not all of
// one user, and its environment is the caller's.
func (by marker) believes(m marks, mac string, pid int) bool {
	return hmac.Equal([]byte(mac), []byte(by.mac(m))) || isOurUser(pid)
}

func isOurUser(pid int) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("Uid:")); ok {
			ids, own := bytes.Fields(rest), []byte(strconv.Itoa(os.Geteuid()))
			return len(ids) == 4 && !slices.ContainsFunc(ids, func(id []byte) bool { return !bytes.Equal(id, own) })
		}
	}
	return false
}

func (p Process) marks() marks { return marks{p.Service, p.Run, p.Role} }

// environment returns env as a launched process gets it.
func (by marker) environment(env []string, m marks) ([]string, error) {
	own := []string{
		markService + "=" + m.service,
		markRun + "=" + strconv.FormatUint(m.run, 10),
		markRole + "=" + string(m.role),
		markDir + "=" + by.dir,
		markMAC + "=" + by.mac(m),
	}
	last := make(map[string]int, len(env)+len(own))
	all := append(slices.Clone(env), own...)
	for i, kv := range all {
		key, _, ok := strings.Cut(kv, "=")
		if !ok || key == "" || strings.IndexByte(kv, 0) >= 0 {
			return nil, fmt.Errorf("environment has %q, which is not NAME=VALUE", kv)
		}
		last[key] = i
	}
	kept := all[:0]
	for i, kv := range all {
		key, _, _ := strings.Cut(kv, "=")
		if last[key] == i && !slices.Contains(engineOnly, key) {
			kept = append(kept, kv)
		}
	}
	return kept, nil
}

// asLeader has the shell of a start command say by its environment which process the
// command is (see markLeader). What is no line for a shell stays as it is.
func asLeader(argv, env []string) (newArgv, newEnv []string) {
	if len(argv) != 3 || argv[1] != "-c" {
		return argv, env
	}
	return []string{argv[0], argv[1], "export " + markLeader + "=$$; " + argv[2]},
		append(slices.Clip(env), markLeader+"="+notYet)
}

// lookup returns the value of key in env.
func lookup(env []string, key string) (string, bool) {
	for _, kv := range env {
		if k, v, _ := strings.Cut(kv, "="); k == key {
			return v, true
		}
	}
	return "", false
}

// read returns the marks of a process that some keeper of the directory launched,
// itself or an ancestor of it. A process can overwrite its environment (those
// that set their title do); then it has no marks.
//
// While it executes another program a process shows no environment for a
// moment, and may yet prove to have marks; and while it exits it has none any
// more, but still its sockets. Both are errUnsettled.
func (by marker) read(pid int) (marks, error) {
	// Twice, because for an instant within execve(2) the environment looks
	// truly empty.
	for range 2 {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if errors.Is(err, fs.ErrPermission) {
			break // not for us to look at, so not one that we launched
		}
		if err == nil && len(environ) > 0 {
			m, mac, err := parseMarks(environ, by.dir)
			if err == nil && !by.believes(m, mac, pid) {
				err = errUnmarked
			}
			return m, err
		}
		stat, ok := readStat(pid)
		if !ok || !stat.alive() {
			break
		}
		if !stat.bare {
			return marks{}, errUnsettled
		}
	}
	return marks{}, errUnmarked
}

// isLeader tells whether a process with the marks of a start command is that itself.
func isLeader(p procStat) (bool, error) {
	if p.session != p.pid {
		return false, nil
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
	if err == nil && len(environ) == 0 {
		return false, errUnsettled
	}
	for kv := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := strings.CutPrefix(string(kv), markLeader+"="); ok {
			return value == notYet || value == strconv.Itoa(p.pid), nil
		}
	}
	return false, nil
}

var (
	errUnmarked  = errors.New("not launched by a keeper of this directory")
	errUnsettled = errors.New("just executing another program, or ending")
)

// maxRun is the last run that is believed: none of a service comes near it, and what
// counts on from it does not wrap.
const maxRun = 1 << 62

func parseMarks(environ []byte, dir string) (m marks, mac string, err error) {
	var found, run int
	for kv := range bytes.SplitSeq(environ, []byte{0}) {
		if !bytes.HasPrefix(kv, []byte("DYNAPM_")) {
			continue
		}
		key, value, _ := strings.Cut(string(kv), "=")
		switch key {
		case markService:
			m.service = value
		case markRole:
			m.role = Role(value)
		case markRun:
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil || n < 1 || n > maxRun {
				return marks{}, "", errUnmarked
			}
			m.run = n
			run++
		case markDir:
			if value != dir {
				return marks{}, "", errUnmarked
			}
		case markMAC:
			mac = value
			continue
		default:
			continue
		}
		found++
	}
	if found != 4 || run != 1 {
		return marks{}, "", errUnmarked
	}
	return m, mac, nil
}

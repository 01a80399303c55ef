package config

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Account is who a service's commands run as.
type Account struct {
	UID, GID uint32
	Groups   []uint32 // supplementary, sorted
	User     string   // as the database has it; the number where it has none
	Home     string   // "/" where the database has none
}

// Limits bound what a managed service may use; 0 is no bound.
type Limits struct {
	Memory int64 // bytes
	CPU    int   // thousandths of a core
	Files  int   // open files
}

// Logs bound what is kept of a service's output.
type Logs struct {
	MaxSize int64 // of the file being written
	Keep    int   // files beside it, of what was rotated out by size and at a start
}

// account settles user and group, which need each other and the machine's databases.
func (w *walk) account(d *draft) {
	name, group := d.given.has("user"), d.given.has("group")
	if d.ProxyOnly || name && d.user == "" || group && d.group == "" || !name && !group {
		return // nothing is asked, or its fault is known
	}
	a := &Account{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	at := d.given["group"]
	if name {
		at = d.given["user"]
		if err := a.become(d.user, group); err != nil {
			w.fault(at, "%v", err)
			return
		}
	} else if own, err := ownGroups(); err == nil {
		a.Groups = own
	}
	if group {
		gid, err := groupID(d.group)
		if err != nil {
			w.fault(d.given["group"], "%v", err)
			return
		}
		a.GID = gid
	}
	if err := a.reachable(); err != nil {
		w.fault(at, "%v", err)
		return
	}
	d.Account = a
}

// become fills in what the user database says of a name or a uid. A uid that it does not have is as good, if its group
// is given.
func (a *Account) become(s string, grouped bool) error {
	u, err := user.Lookup(s)
	if id, notNumber := number32(s); notNumber == nil {
		a.UID = id
		if u, err = user.LookupId(s); err != nil {
			if !grouped {
				return fmt.Errorf("there is no user with uid %s in the user database, so its group is not known; give group too", s)
			}
			a.User, a.Home = s, "/"
			return nil
		}
	}
	if err != nil {
		if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
			return fmt.Errorf("there is no user %q on this machine", shorten(s))
		}
		return fmt.Errorf("cannot look up user %q: %v", shorten(s), err)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("cannot look up the groups of user %s: %v", s, err)
	}
	a.User, a.Home = u.Username, u.HomeDir
	if a.UID, err = number32(u.Uid); err != nil {
		return err
	}
	if a.GID, err = number32(u.Gid); err != nil {
		return err
	}
	for _, g := range groups {
		id, err := number32(g)
		if err != nil {
			return err
		}
		a.Groups = append(a.Groups, id)
	}
	slices.Sort(a.Groups)
	return nil
}

func groupID(s string) (uint32, error) {
	if id, err := number32(s); err == nil {
		return id, nil
	}
	g, err := user.LookupGroup(s)
	if _, unknown := errors.AsType[user.UnknownGroupError](err); unknown {
		return 0, fmt.Errorf("there is no group %q on this machine", shorten(s))
	}
	if err != nil {
		return 0, fmt.Errorf("cannot look up group %q: %v", shorten(s), err)
	}
	return number32(g.Gid)
}

// number32 leaves out the last one, which setuid(2) takes for "no change".
func number32(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && n == 1<<32-1 {
		err = strconv.ErrRange
	}
	return uint32(n), err
}

func ownGroups() ([]uint32, error) {
	list, err := os.Getgroups()
	var out []uint32
	for _, g := range list {
		out = append(out, uint32(g))
	}
	slices.Sort(out)
	return out, err
}

// reachable says why this process could not start one that runs so.
func (a *Account) reachable() error {
	uid, gid := os.Geteuid(), os.Getegid()
	if int(a.UID) == uid && int(a.GID) == gid || maySwitch() {
		return nil
	}
	return fmt.Errorf("only root can run a service as another user or group (uid %d, gid %d), and this is uid %d, gid %d",
		a.UID, a.GID, uid, gid)
}

// maySwitch tells whether this process has the capabilities to take on any account (capabilities(7)).
func maySwitch() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return os.Geteuid() == 0
	}
	const both = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	return data[0].Effective&both == both
}

package master

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// owner is the user that a child runs as. The nil owner is the master's own user.
type owner struct {
	name, home string
	uid, gid   uint32
	groups     []uint32
}

// lookUpOwner finds a user by name or number, with the groups that it is in; group replaces its main group.
func lookUpOwner(name, group string) (*owner, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("there is no user %q", name)
		}
	}
	o := &owner{name: u.Username, home: u.HomeDir}
	if o.uid, err = number(u.Uid); err != nil {
		return nil, err
	}
	if o.gid, err = number(u.Gid); err != nil {
		return nil, err
	}
	if group != "" {
		if o.gid, err = lookUpGroup(group); err != nil {
			return nil, err
		}
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("cannot look up the groups of user %q: %w", name, err)
	}
	for _, id := range ids {
		if gid, err := number(id); err == nil {
			o.groups = append(o.groups, gid)
		}
	}
	return o, nil
}

// lookUpGroup finds a group by name or number.
func lookUpGroup(name string) (uint32, error) {
	if g, err := user.LookupGroup(name); err == nil {
		return number(g.Gid)
	}
	gid, err := number(name)
	if err != nil {
		return 0, fmt.Errorf("there is no group %q", name)
	}
	return gid, nil
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

// credential returns what os/exec needs to switch to the owner, nil for no switch.
func (o *owner) credential() *syscall.Credential {
	if o == nil {
		return nil
	}
	return &syscall.Credential{Uid: o.uid, Gid: o.gid, Groups: o.groups}
}

// same reports whether both are the same user.
func (o *owner) same(other *owner) bool {
	if o == nil || other == nil {
		return o == other
	}
	return o.uid == other.uid && o.gid == other.gid && slices.Equal(o.groups, other.groups)
}

// env returns the variables that login(1) sets for a user.
func (o *owner) env() []string {
	if o == nil {
		return pick(os.Environ(), "HOME", "USER", "LOGNAME")
	}
	return []string{"HOME=" + o.home, "USER=" + o.name, "LOGNAME=" + o.name}
}

// parseChown reads uWSGI's chown-socket, "user", "user:group" or ":group". What is not named is -1.
func parseChown(s string) (uid, gid int, err error) {
	uid, gid = -1, -1
	name, group, _ := strings.Cut(s, ":")
	if name != "" {
		o, err := lookUpOwner(name, "")
		if err != nil {
			return -1, -1, err
		}
		uid = int(o.uid)
	}
	if group != "" {
		id, err := lookUpGroup(group)
		if err != nil {
			return -1, -1, err
		}
		gid = int(id)
	}
	return uid, gid, nil
}

package master

import (
	"strings"
	"testing"
)

func TestLookUpOwner(t *testing.T) {
	root, err := lookUpOwner("root", "")
	if err != nil {
		t.Fatal(err)
	}
	if root.uid != 0 || root.gid != 0 || root.name != "root" || root.home == "" {
		t.Errorf("root is %+v", root)
	}
	byNumber, err := lookUpOwner("0", "1")
	if err != nil || byNumber.name != "root" || byNumber.gid != 1 {
		t.Errorf("0 with group 1 is %+v, %v", byNumber, err)
	}
	for user, group := range map[string]string{"nobody-has-this-name": "", "root": "nobody-has-this-group"} {
		if _, err := lookUpOwner(user, group); err == nil || !strings.Contains(err.Error(), "nobody-has-this") {
			t.Errorf("%q, %q: %v; want an error with the name", user, group, err)
		}
	}
}

func TestParseChown(t *testing.T) {
	f := func(s string, uid, gid int) {
		t.Helper()
		u, g, err := parseChown(s)
		if err != nil || u != uid || g != gid {
			t.Errorf("%q: %d, %d, %v; want %d, %d", s, u, g, err, uid, gid)
		}
	}
	f("", -1, -1)
	f("root", 0, -1)
	f("root:root", 0, 0)
	f(":root", -1, 0)
	f("0:0", 0, 0)
	for _, s := range []string{"nobody-has-this-name", "root:nobody-has-this-group"} {
		if _, _, err := parseChown(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

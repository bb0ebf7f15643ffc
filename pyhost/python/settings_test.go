package python

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"testing"
)

func TestMemfd(t *testing.T) {
	mask := 0o22
	s := Settings{App: "blog", Interpreter: Interpreter{Executable: "/v/bin/python", Libpython: "/l.so"}, Module: "m", Callable: "c",
		Chdir: "/srv", Pythonpath: []string{"/a"}, Processes: 2, Threads: 3, Umask: &mask}
	f, err := s.Memfd()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	next := func() string {
		n := binary.LittleEndian.Uint32(b)
		text := string(b[4 : 4+n])
		b = b[4+n:]
		return text
	}
	for len(b) > 0 {
		key := next()
		got[key] = next()
	}
	if got["app"] != "blog" || got["executable"] != "/v/bin/python" || got["libpython"] != "/l.so" || got["bootstrap"] != Bootstrap || len(got) != 5 {
		t.Errorf("settings are %v", got)
	}
	var again Settings
	if err := json.Unmarshal([]byte(got["settings"]), &again); err != nil {
		t.Fatal(err)
	}
	if again.Module != "m" || again.Callable != "c" || again.Chdir != "/srv" || len(again.Pythonpath) != 1 || again.Processes != 2 ||
		again.Threads != 3 || again.Umask == nil || *again.Umask != mask {
		t.Errorf("JSON is %s", got["settings"])
	}
}

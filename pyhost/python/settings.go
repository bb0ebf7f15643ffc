package python

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hognose/internal/wire"
)

// Settings is what a zygote is told about its application: uWSGI's words. Exactly one of Module and WSGIFile is set.
type Settings struct {
	App         string      `json:"app"`       // its name in the configuration
	Interpreter Interpreter `json:"-"`         // as Find returned it
	Module      string      `json:"module"`    // dotted name
	WSGIFile    string      `json:"wsgi_file"` // path of a Python file, of any name
	// Callable is a name in the module or file: "application" when empty, dotted, or a call with literals
	// like "create_app('prod')" (as Gunicorn has it).
	Callable   string   `json:"callable"`
	Chdir      string   `json:"chdir"`      // empty: the directory the zygote is started in
	Pythonpath []string `json:"pythonpath"` // searched after Chdir and before everything else
	Processes  int      `json:"processes"`
	Threads    int      `json:"threads"`
	Umask      *int     `json:"umask"` // nil: unchanged
}

// Memfd returns the settings as the descriptor wire.FDSettings of a zygote. The caller closes it.
func (s Settings) Memfd() (*os.File, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the settings of app %q: %w", s.App, err)
	}
	data := wire.AppendSettings(nil, []wire.Pair{
		{Key: "app", Value: s.App},
		{Key: "libpython", Value: s.Interpreter.Libpython},
		{Key: "executable", Value: s.Interpreter.Executable},
		{Key: "bootstrap", Value: Bootstrap},
		{Key: "settings", Value: string(text)},
	})
	fd, err := unix.MemfdCreate("hognose settings", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create the settings of app %q: %w", s.App, err)
	}
	f := os.NewFile(uintptr(fd), "settings of app "+s.App)
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write the settings of app %q: %w", s.App, err)
	}
	return f, nil
}

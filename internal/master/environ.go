package master

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hognose/internal/config"
)

// baseEnv are the variables of the master that an application gets. Others, such as the secrets of whoever started
// the master, do not reach it unless its pass_environment says so.
var baseEnv = [...]string{"PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "NO_COLOR"}

// privateEnv are variables that belong to the master alone, whatever is passed.
var privateEnv = [...]string{RoleEnv, "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
	"INVOCATION_ID", "JOURNAL_STREAM", "PYTHONHOME", "VIRTUAL_ENV", "PWD", "OLDPWD", "_", "SHLVL"}

// pick returns the entries of env whose names match; "LC_*" matches all names that begin so.
func pick(env []string, names ...string) []string {
	var picked []string
	for _, entry := range env {
		if matches(entry, names) {
			picked = append(picked, entry)
		}
	}
	return picked
}

func matches(entry string, names []string) bool {
	name, _, _ := strings.Cut(entry, "=")
	return slices.ContainsFunc(names, func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return name == pattern || open && strings.HasPrefix(name, prefix)
	})
}

// appEnv returns the environment of an application's processes. Later entries win: a variable of the
// application's env replaces any other.
func (m *Master) appEnv(cfg *config.App, who *owner, dir string) []string {
	env := pick(os.Environ(), append(baseEnv[:], cfg.PassEnvironment...)...)
	env = slices.DeleteFunc(env, func(entry string) bool { return matches(entry, privateEnv[:]) })
	env = append(env, who.env()...)
	env = append(env, "PWD="+dir)
	if cfg.Home != "" {
		env = append(env, "VIRTUAL_ENV="+cfg.Home)
		env = slices.DeleteFunc(env, func(entry string) bool { return matches(entry, []string{"PATH"}) })
		env = append(env, "PATH="+filepath.Join(cfg.Home, "bin")+":"+envOr("PATH", "/usr/local/bin:/usr/bin:/bin"))
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Env)) {
		env = append(env, name+"="+cfg.Env[name])
	}
	return append(env, RoleEnv+"="+RolePython)
}

func envOr(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

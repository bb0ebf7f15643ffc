package config

import (
	"fmt"
	"io/fs"
	"os"
)

// CheckPermissions refuses a configuration file that others may write when hognose runs as root: who can
// write it can have any program run as any user.
func CheckPermissions(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("cannot look at the configuration: %w", err)
	}
	return checkMode(path, st.Mode(), os.Geteuid())
}

func checkMode(path string, mode fs.FileMode, euid int) error {
	if euid != 0 || mode.Perm()&0o022 == 0 {
		return nil
	}
	return fmt.Errorf("configuration %q has mode %04o, so that other users can write it, and with it decide what root runs; "+
		"run \"chmod go-w %s\"", path, mode.Perm(), path)
}

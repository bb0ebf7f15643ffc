package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"hognose/internal/config"
)

// defaultFiles are the configurations that are looked for when none is named, in this order.
var defaultFiles = [...]string{"hognose.toml", "/etc/hognose/hognose.toml"}

// configError is an error of the configuration, not of the machine.
type configError struct{ error }

// Unwrap returns the error.
func (e configError) Unwrap() error { return e.error }

// configFile returns the configuration to use when the command line names none.
func configFile(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	for _, path := range defaultFiles {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is neither a %q here nor a %q; name a configuration with -c FILE", defaultFiles[0], defaultFiles[1])
}

// loadConfig loads a configuration that decides what root runs, if root loads it.
func loadConfig(path string) (*config.Config, error) {
	if err := config.CheckPermissions(path); err != nil {
		return nil, configError{err}
	}
	cfg, err := config.Load(path)
	if err != nil {
		return nil, configError{err}
	}
	return cfg, nil
}

// exitCode tells errors of the configuration from others.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &configError{}):
		return exitUsage
	}
	return exitFailure
}

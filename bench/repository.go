package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// repository returns the directory of this module, from the working directory
// upwards: the applications, the virtual environment and the document are there.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot find the working directory: %w", err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module hognose\n")) {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", errors.New("no go.mod of hognose here or above: run this inside the repository")
	}
}

// resolve makes a path absolute, from the repository if it is relative.
func resolve(root, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
}

// venvPath is the virtual environment of the applications and app servers.
func venvPath(root string) string { return filepath.Join(root, "bench", ".peers", "venv") }

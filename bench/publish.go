package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"hognose/bench/report"
)

// publish shows how the goals fared and writes the files that were asked for.
func publish(found report.Run, opts options, root string) error {
	if opts.from != "" {
		for _, c := range found.Cases {
			if err := report.WriteText(os.Stdout, c, base); err != nil {
				return err
			}
		}
	}
	printGoals(found)
	if opts.json != "" {
		if err := writeJSON(opts.json, found); err != nil {
			return err
		}
	}
	if opts.write {
		return writeDocument(filepath.Join(root, "docs", "benchmarks.md"), found)
	}
	return nil
}

// printGoals leaves out the goals of what was not measured.
func printGoals(found report.Run) {
	for _, goal := range goals() {
		if verdict := goal.Check(found, base); verdict.Known {
			fmt.Println("goal:", verdict.Text)
		}
	}
}

// writeDocument puts the results between the marks of the document.
func writeDocument(path string, found report.Run) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot read the document: %w", err)
	}
	text, err := report.Insert(string(document), found, goals(), base)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("cannot write the document: %w", err)
	}
	return nil
}

func writeJSON(path string, found report.Run) error {
	text, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode the results: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write the results: %w", err)
	}
	return nil
}

func readJSON(path string) (report.Run, error) {
	var found report.Run
	text, err := os.ReadFile(path)
	if err != nil {
		return found, usageError{fmt.Errorf("cannot read results: %w", err)}
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return found, usageError{fmt.Errorf("results in %q: %w", path, err)}
	}
	return found, nil
}

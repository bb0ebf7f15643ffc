package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Finding is one thing that is wrong with a configuration.
type Finding struct {
	File string // as it was named to Load or Parse
	Line int    // from 1; 0 when no single line is at fault
	Text string // what is wrong, and what to write instead
}

// Error returns "file:line: text".
func (f Finding) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// order sorts a finding without a line behind all others.
func (f Finding) order() int {
	if f.Line == 0 {
		return maxFile + 1
	}
	return f.Line
}

// Findings is the error of Load, Parse and FromArgs for a configuration that can be read but not used: all that is
// wrong, by line; what no line is to blame for comes last.
type Findings []Finding

// Error returns one finding per line of text.
func (fs Findings) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the findings as errors.
func (fs Findings) Unwrap() []error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errs
}

// err returns the findings in order and without repetitions, or nil.
func (fs Findings) err() error {
	if len(fs) == 0 {
		return nil
	}
	sorted := slices.Clone(fs)
	slices.SortStableFunc(sorted, func(a, b Finding) int { return cmp.Compare(a.order(), b.order()) })
	return slices.Compact(sorted)
}

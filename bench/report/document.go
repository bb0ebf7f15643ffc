package report

import (
	"fmt"
	"strings"
)

// Marks between which a document holds the results of the last run.
const (
	beginMark = "<!-- results: begin -->"
	endMark   = "<!-- results: end -->"
)

// Insert returns the document with everything between its marks replaced by the
// results of the run. The text around them is written by hand and stays.
func Insert(document string, r Run, goals []Goal, base string) (string, error) {
	before, rest, ok := strings.Cut(document, beginMark)
	if !ok {
		return "", fmt.Errorf("document lacks the line %q", beginMark)
	}
	_, after, ok := strings.Cut(rest, endMark)
	if !ok {
		return "", fmt.Errorf("document lacks the line %q after %q", endMark, beginMark)
	}
	return before + beginMark + "\n" + results(r, goals, base) + endMark + after, nil
}

func results(r Run, goals []Goal, base string) string {
	var text strings.Builder
	text.WriteString(machineText(r))
	for _, c := range r.Cases {
		fmt.Fprintf(&text, "\n### %s\n\n`%s`\n\n%s", c.Title, c.Name, newTable(c, base).markdown())
		if list := remarks(c); len(list) > 0 {
			text.WriteString("\n- " + strings.Join(list, "\n- ") + "\n")
		}
	}
	text.WriteString("\n### Goals\n\n")
	for _, goal := range goals {
		fmt.Fprintf(&text, "- %s\n", goal.Check(r, base).Text)
	}
	return text.String()
}

func machineText(r Run) string {
	m := r.Machine
	var versions []string
	for _, v := range m.Versions {
		versions = append(versions, v.Name+" "+v.Version)
	}
	logs := "off"
	if r.Settings.AccessLog {
		logs = "on"
	}
	return fmt.Sprintf("Measured on %s: %s, %d cores, %.0f GiB of memory, %s, Linux %s; %s. "+
		"%d rounds of %g s, access logs %s.\n",
		r.Settings.Date, m.CPU, m.Cores, float64(m.Memory)/(1<<30), m.System, m.Kernel,
		strings.Join(versions, ", "), r.Settings.Rounds, r.Settings.Seconds, logs)
}

package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is a grid of cells; the first row is the heading, and the first column
// names the peers.
type table [][]string

// newTable lays out a case. Columns of ratios, marked ×, hold the base's value
// divided by that of the row's peer; the base's own are empty.
func newTable(c Case, baseName string) table {
	base := c.base(baseName)
	head := []string{"server"}
	for _, key := range c.Columns {
		head = append(head, heading(key))
	}
	for _, key := range c.Ratios {
		head = append(head, "× "+heading(key))
	}
	rows := table{head}
	for _, peer := range c.Peers {
		name := peer.Name
		if len(peer.Failures) > 0 {
			name += " (failed)"
		}
		row := []string{name}
		for _, key := range c.Columns {
			row = append(row, formatRange(peer.Summary(key)))
		}
		for _, key := range c.Ratios {
			row = append(row, formatRatio(base, peer, key))
		}
		rows = append(rows, row)
	}
	return rows
}

// WriteText writes a case as a table for the terminal, and below it what went
// wrong or disturbed it.
func WriteText(w io.Writer, c Case, base string) error {
	rows := newTable(c, base)
	widths := rows.widths()
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s\n", c.Name, c.Title)
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				text.WriteString("  " + cell + pad)
			} else {
				text.WriteString("  " + pad + cell)
			}
		}
		text.WriteByte('\n')
	}
	if len(c.Ratios) > 0 && len(c.Peers) > 1 {
		fmt.Fprintf(&text, "  ×: %s ÷ this server, within each round; median\n", c.base(base).Name)
	}
	for _, remark := range remarks(c) {
		fmt.Fprintf(&text, "  %s\n", remark)
	}
	_, err := io.WriteString(w, text.String()+"\n")
	return err
}

// markdown returns the table with names to the left and numbers to the right.
func (t table) markdown() string {
	var text strings.Builder
	for i, row := range t {
		text.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			text.WriteString("|---" + strings.Repeat("|---:", len(row)-1) + "|\n")
		}
	}
	return text.String()
}

func (t table) widths() []int {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

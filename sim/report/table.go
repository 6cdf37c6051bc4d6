package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// Table is a table of estimates that can be printed in several forms. It holds
// no colour; what prints it may add some.
type Table struct {
	Title   string
	Columns []Column
	Rows    [][]Cell // each as long as Columns
	Notes   []string // what to know, printed below
}

// Column heads the cells below it.
type Column struct {
	Name string
	Unit string // of the numbers; Share is printed in per cent
}

// Cell is a text, a plain number or an estimate.
type Cell struct {
	kind  cellKind
	text  string
	value Estimate
}

type cellKind uint8

const (
	emptyCell cellKind = iota
	textCell
	numberCell
	estimateCell
)

// Text returns a cell of text.
func Text(s string) Cell { return Cell{kind: textCell, text: s} }

// Number returns a cell with an exact number, in the column's unit. It is for
// what has no spread: a parameter, a count by design.
func Number(v float64) Cell { return Cell{kind: numberCell, value: Estimate{N: 1, Mean: v}} }

// Value returns a cell with an estimate, in the column's unit. It is printed as
// mean ± half-width; without an interval it is marked "n=1".
func Value(e Estimate) Cell {
	if e.N == 0 {
		return Cell{}
	}
	return Cell{kind: estimateCell, value: e}
}

// Add appends a row. A row of another length than the columns is a mistake of the
// program and panics.
func (t *Table) Add(cells ...Cell) {
	if len(cells) != len(t.Columns) {
		panic(fmt.Sprintf("report: row of %d cells in table %q of %d columns", len(cells), t.Title, len(t.Columns)))
	}
	t.Rows = append(t.Rows, cells)
}

// column is one column ready to print: all cells as strings, those of numbers
// padded so that decimal points and plus-minus signs stand below each other.
type column struct {
	name, unit string
	numeric    bool
	cells      []string
}

func (t *Table) columns() []column {
	out := make([]column, len(t.Columns))
	for i, c := range t.Columns {
		factor, unit := shown(c.Unit)
		out[i] = column{name: printable(c.Name), unit: printable(unit)}
		decimals := t.decimals(i, factor)
		var means, halves []string
		for _, row := range t.Rows {
			mean, half := row[i].format(factor, decimals)
			means, halves = append(means, mean), append(halves, half)
			if row[i].kind >= numberCell {
				out[i].numeric = true
			}
		}
		out[i].cells = align(means, halves, out[i].numeric)
	}
	return out
}

// decimals is one number for the whole column, so that its cells compare: what
// the most precise cell needs, but no decimals beside five-digit numbers and one
// beside four-digit ones.
func (t *Table) decimals(i int, factor float64) int {
	var decimals int
	var largest float64
	for _, row := range t.Rows {
		if c := row[i]; c.kind >= numberCell {
			mean, half := c.value.Mean*factor, c.value.Half*factor
			decimals = max(decimals, decimalsFor(mean, half))
			largest = max(largest, math.Abs(mean))
		}
	}
	switch {
	case largest >= 10000:
		return 0
	case largest >= 1000:
		return min(decimals, 1)
	}
	return decimals
}

func (c Cell) format(factor float64, decimals int) (mean, half string) {
	switch c.kind {
	case textCell:
		return printable(c.text), ""
	case numberCell:
		return formatNumber(c.value.Mean*factor, decimals), ""
	case estimateCell:
		mean = formatNumber(c.value.Mean*factor, decimals)
		if !c.value.HasInterval() {
			return mean, "(n=1)"
		}
		return mean, "± " + formatNumber(c.value.Half*factor, decimals)
	}
	return "", ""
}

func align(means, halves []string, numeric bool) []string {
	var wideMean, wideHalf int
	for i := range means {
		wideMean, wideHalf = max(wideMean, width(means[i])), max(wideHalf, width(halves[i]))
	}
	out := make([]string, len(means))
	for i := range means {
		if !numeric {
			out[i] = means[i]
			continue
		}
		out[i] = pad(means[i], wideMean, true)
		if wideHalf > 0 {
			number := strings.TrimPrefix(halves[i], "± ")
			if number != halves[i] {
				number = "± " + pad(number, wideHalf-2, true)
			}
			out[i] += " " + pad(number, wideHalf, false)
		}
	}
	return out
}

// width counts runes. Names in wide scripts come out longer than that.
func width(s string) int { return strings.Count(s, "") - 1 }

func pad(s string, to int, left bool) string {
	fill := strings.Repeat(" ", max(0, to-width(s)))
	if left {
		return fill + s
	}
	return s + fill
}

// MarkdownTo writes the table in the form that GitHub and others read.
func (t *Table) MarkdownTo(w io.Writer) error {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`, `<`, `&lt;`, `>`, `&gt;`, `&`, `&amp;`, "`", "\\`",
		`*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`).Replace
	if t.Title != "" {
		fmt.Fprintf(&b, "**%s**\n\n", escape(printable(t.Title)))
	}
	cols := t.columns()
	var rule strings.Builder
	for _, c := range cols {
		head := escape(c.name)
		if c.unit != "" {
			head += " (" + escape(c.unit) + ")"
		}
		fmt.Fprintf(&b, "| %s ", head)
		if c.numeric {
			rule.WriteString("| ---: ")
		} else {
			rule.WriteString("| --- ")
		}
	}
	fmt.Fprintf(&b, "|\n%s|\n", rule.String())
	for i := range t.Rows {
		for _, c := range cols {
			fmt.Fprintf(&b, "| %s ", escape(strings.TrimSpace(c.cells[i])))
		}
		b.WriteString("|\n")
	}
	for _, n := range t.Notes {
		fmt.Fprintf(&b, "\n%s\n", escape(printable(n)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// MarshalJSON writes the columns and, cell by cell, unrounded values in the
// columns' own units: a string, a number, an estimate with its interval, or null.
func (t *Table) MarshalJSON() ([]byte, error) {
	type columnJSON struct {
		Name string `json:"name"`
		Unit string `json:"unit,omitempty"`
	}
	out := struct {
		Title   string       `json:"title"`
		Columns []columnJSON `json:"columns"`
		Rows    [][]any      `json:"rows"`
		Notes   []string     `json:"notes,omitempty"`
	}{Title: t.Title, Columns: []columnJSON{}, Rows: [][]any{}, Notes: t.Notes}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, columnJSON(c))
	}
	for _, row := range t.Rows {
		cells := make([]any, len(row))
		for i, c := range row {
			switch c.kind {
			case textCell:
				cells[i] = c.text
			case numberCell:
				cells[i] = c.value.Mean
			case estimateCell:
				cells[i] = c.value.forJSON()
			}
		}
		out.Rows = append(out.Rows, cells)
	}
	return json.Marshal(out)
}

package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// TerminalWidth is the width that tables fit unless told otherwise.
const TerminalWidth = 80

// columnGap is the space between columns.
const columnGap = "  "

// minText is the width below which a column of text isn't squeezed.
const minText = 8

// WriteTo writes the table for a terminal of 80 columns.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, t.Fit(TerminalWidth))
	return int64(n), err
}

// String returns the table for a terminal of 80 columns.
func (t *Table) String() string { return t.Fit(TerminalWidth) }

// Fit returns the table for a terminal of the given width, at least 40: units
// below the heads, numbers aligned, no colour. Columns of text are wrapped to
// fit. What still doesn't fit goes into further parts, each led by the columns of
// text before the first number.
func (t *Table) Fit(limit int) string {
	limit = max(40, limit)
	var b strings.Builder
	if t.Title != "" {
		for _, line := range wrap(printable(t.Title), limit) {
			fmt.Fprintln(&b, line)
		}
		b.WriteByte('\n')
	}
	for i, part := range split(t.columns(), limit) {
		if i > 0 {
			b.WriteByte('\n')
		}
		writePart(&b, part, limit, len(t.Rows))
	}
	for _, n := range t.Notes {
		for _, line := range wrap(printable(n), limit) {
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}

// split distributes columns over parts that fit.
func split(cols []column, limit int) [][]column {
	lead := slices.IndexFunc(cols, func(c column) bool { return c.numeric })
	if leastWidth(cols, limit) <= limit {
		return [][]column{cols}
	}
	if lead < 0 {
		lead = 1 // all text: the first column is the lead
	}
	var parts [][]column
	part := slices.Clone(cols[:lead])
	for _, c := range cols[lead:] {
		if len(part) > lead && leastWidth(append(slices.Clone(part), c), limit) > limit {
			parts = append(parts, part)
			part = slices.Clone(cols[:lead])
		}
		part = append(part, c)
	}
	return append(parts, part)
}

// leastWidth is the width of columns side by side, squeezed as far as may be.
func leastWidth(cols []column, limit int) int {
	return rowWidth(leastWidths(cols, limit))
}

func rowWidth(widths []int) int {
	total := len(columnGap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

// leastWidths is how far columns may be squeezed: those of text to their longest
// word unless that leaves no room for numbers, others not at all.
func leastWidths(cols []column, limit int) []int {
	var texts int
	for _, c := range cols {
		if !c.numeric {
			texts++
		}
	}
	least := make([]int, len(cols))
	for i, c := range cols {
		least[i] = c.width()
		if !c.numeric {
			word := min(longestWord(append([]string{c.name}, c.cells...)), limit/2/texts)
			least[i] = min(least[i], max(minText, word))
		}
	}
	return least
}

// width is that of the cells and the head; the head of a column of numbers may
// be broken between words.
func (c column) width() int {
	w := max(longestWord([]string{c.name}), width(c.unit))
	if !c.numeric {
		w = max(w, width(c.name))
	}
	for _, s := range c.cells {
		w = max(w, width(s))
	}
	return w
}

func longestWord(cells []string) int {
	var w int
	for _, s := range cells {
		for word := range strings.FieldsSeq(s) {
			w = max(w, width(word))
		}
	}
	return w
}

func writePart(b *strings.Builder, cols []column, limit, rows int) {
	widths := make([]int, len(cols))
	for i, c := range cols {
		widths[i] = c.width()
	}
	squeeze(widths, leastWidths(cols, limit), limit)

	heads := make([][]string, len(cols))
	var tallest int
	for i, c := range cols {
		heads[i] = wrap(c.name, widths[i])
		if c.unit != "" {
			heads[i] = append(heads[i], c.unit)
		}
		tallest = max(tallest, len(heads[i]))
	}
	for i := range heads { // heads stand on the rule
		heads[i] = append(make([]string, tallest-len(heads[i])), heads[i]...)
	}
	writeLines(b, cols, widths, heads)
	b.WriteString(strings.Repeat("─", min(rowWidth(widths), limit)) + "\n")
	for r := range rows {
		cells := make([][]string, len(cols))
		for i, c := range cols {
			if c.numeric {
				cells[i] = []string{c.cells[r]}
			} else {
				cells[i] = wrap(c.cells[r], widths[i])
			}
		}
		writeLines(b, cols, widths, cells)
	}
}

// squeeze narrows the widest column that may be narrower until all fit.
func squeeze(widths, least []int, limit int) {
	for rowWidth(widths) > limit {
		widest := -1
		for i, w := range widths {
			if w > least[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// writeLines writes one row whose cells may have several lines.
func writeLines(b *strings.Builder, cols []column, widths []int, cells [][]string) {
	var tallest int
	for _, c := range cells {
		tallest = max(tallest, len(c))
	}
	for n := range tallest {
		var line strings.Builder
		for i := range cols {
			var s string
			if n < len(cells[i]) {
				s = cells[i][n]
			}
			if i > 0 {
				line.WriteString(columnGap)
			}
			line.WriteString(pad(s, widths[i], cols[i].numeric))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// wrap breaks s at spaces, and words that are too long anywhere.
func wrap(s string, limit int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		for width(word) > limit {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			r := []rune(word)
			lines, word = append(lines, string(r[:limit])), string(r[limit:])
		}
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= limit:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

package report

import (
	"slices"
	"strconv"
)

// Lines returns the series of a [LineCI]: one for each value of the key series,
// with a point for each value of the swept key x, from the entries of a metric
// that have at least the labels with. Entries whose x is not a number are left
// out. Series come in the order of their first entry.
func (s *Summary) Lines(metric, x, series string, with Labels) []Series {
	var out []Series
	for _, e := range s.Select(metric, with) {
		text, _ := e.Get(x)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		name, _ := e.Get(series)
		i := slices.IndexFunc(out, func(s Series) bool { return s.Name == name })
		if i < 0 {
			i, out = len(out), append(out, Series{Name: name})
		}
		out[i].Points = append(out[i].Points, Point{v, e.Estimate})
	}
	return out
}

// Grid returns estimates of a metric by the values of two keys: a row for each of
// rows and a column for each of columns, from the entries that have at least the
// labels with. Where there is no entry the estimate is empty; where there are
// several it is the first. It fills the panel of a [Matrix], or, row by row, the
// series of [Bars].
func (s *Summary) Grid(metric string, with Labels, rowKey string, rows []string, columnKey string, columns []string) [][]Estimate {
	out := make([][]Estimate, len(rows))
	for i := range rows {
		out[i] = make([]Estimate, len(columns))
	}
	for _, e := range s.Select(metric, with) {
		row, _ := e.Get(rowKey)
		column, _ := e.Get(columnKey)
		i, j := slices.Index(rows, row), slices.Index(columns, column)
		if i >= 0 && j >= 0 && out[i][j].N == 0 {
			out[i][j] = e.Estimate
		}
	}
	return out
}

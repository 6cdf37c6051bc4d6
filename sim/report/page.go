package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed page.tmpl
var pageText string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template of report.html reads.
type page struct {
	Manifest
	Heading  string
	Style    template.CSS
	Modelled string // what the tag says; "" for none
	Summary  string
	Sections []pageSection
	Facts    []fact
}

type pageSection struct {
	ID     string
	Title  string
	Text   []string
	Table  *pageTable
	Figure *pageFigure
}

type pageFigure struct {
	Title, Caption, Note, File string
	Modelled                   bool
	SVG                        template.HTML
}

type pageTable struct {
	Title string
	Heads []pageHead
	Rows  [][]pageCell
	Notes []string
}

type pageHead struct {
	Name, Unit string
	Numeric    bool
	Halves     bool // has a second column for half-widths
}

type pageCell struct {
	Text, Half      string
	Numeric, Halves bool
}

type fact struct{ Name, Value string }

// page makes report.html: one file that needs no other, no script and no
// network.
func (r *Report) page(m Manifest) ([]byte, error) {
	p := page{
		Manifest: m,
		Heading:  firstOf(m.Question, m.Scenario.Title, m.Scenario.Name, "Results"),
		Style:    template.CSS(pageStyle + figureStyle()), // both are constants of this package
		Modelled: r.modelled(m),
		Summary:  runs(r.Replications) + ", " + intervalSummary(m),
		Facts:    facts(m),
	}
	for i, s := range r.Sections {
		ps := pageSection{ID: fmt.Sprintf("s%d", i+1), Title: s.Title, Text: paragraphs(s.Text)}
		if s.Table != nil {
			ps.Table = s.Table.page()
		}
		if s.Figure != nil {
			svg, err := s.Figure.render(false)
			switch {
			case undrawn(m, err):
				ps.Text = append(ps.Text, s.Figure.Title+": nothing to draw yet.")
			case err != nil:
				return nil, err
			default:
				ps.Figure = &pageFigure{
					Title: s.Figure.Title, Caption: s.Figure.Caption, Note: s.Figure.pageNote(),
					File: figurePath(s.Figure), Modelled: s.Figure.Modelled,
					SVG: template.HTML(svg), // every text in it was escaped by svgCanvas
				}
			}
		}
		p.Sections = append(p.Sections, ps)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, err
	}
	return bytes.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return printableRune(r)
	}, b.Bytes()), nil
}

func figurePath(f *Figure) string { return FigureFolder + "/" + f.Name + ".svg" }

// modelled says whether the results are of a model: all of them, or those of which
// sections. Figures mark the same one by one.
func (r *Report) modelled(m Manifest) string {
	real := slices.ContainsFunc(m.Adapters, func(a AdapterUsed) bool { return !a.Modelled })
	switch {
	case !m.modelled() && !r.Summary.modelled():
		return ""
	case !real:
		return "modelled"
	}
	var titles []string
	for _, s := range r.Sections {
		if s.Figure != nil && s.Figure.Modelled {
			titles = append(titles, lowerFirst(firstOf(s.Title, s.Figure.Title)))
		}
	}
	if len(titles) == 0 {
		return "partly modelled"
	}
	return "partly modelled: " + strings.Join(titles, ", ")
}

// lowerFirst makes a title go on within a line.
func lowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(first)) + s[size:]
}

// modelled reports whether any metric is.
func (s *Summary) modelled() bool {
	return s != nil && slices.ContainsFunc(s.Metrics, func(m Metric) bool { return m.Modelled })
}

func (t *Table) page() *pageTable {
	p := &pageTable{Title: t.Title, Notes: t.Notes}
	for i, c := range t.Columns {
		_, unit := shown(c.Unit)
		h := pageHead{Name: c.Name, Unit: unit}
		for _, row := range t.Rows {
			h.Numeric = h.Numeric || row[i].kind >= numberCell
			h.Halves = h.Halves || row[i].kind == estimateCell
		}
		p.Heads = append(p.Heads, h)
	}
	for _, row := range t.Rows {
		cells := make([]pageCell, len(row))
		for i, c := range row {
			factor, _ := shown(t.Columns[i].Unit)
			text, half := c.format(factor, t.decimals(i, factor))
			cells[i] = pageCell{text, half, p.Heads[i].Numeric, p.Heads[i].Halves}
		}
		p.Rows = append(p.Rows, cells)
	}
	return p
}

// runs counts the runs, and how they spread over the points of a sweep.
func runs(reps []*Replication) string {
	at := map[string]int{}
	for _, r := range reps {
		at[r.Point()]++
	}
	if len(at) < 2 {
		return counted(len(reps), "replication")
	}
	counts := slices.Sorted(maps.Values(at))
	least, most := counts[0], counts[len(counts)-1]
	each := counted(most, "replication")
	if least < most {
		each = fmt.Sprintf("%d to %s", least, each)
	}
	return fmt.Sprintf("%d runs (%d points, %s each)", len(reps), len(at), each)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// intervalSummary is what the line below the heading says of the intervals.
func intervalSummary(m Manifest) string {
	var how []string
	for _, method := range m.Intervals.Methods {
		switch method {
		case Replications:
			how = append(how, "Student's t over replications")
		case BatchMeans:
			how = append(how, "batch means")
		}
	}
	if len(how) == 0 {
		return "no intervals"
	}
	return fmt.Sprintf("%.0f\u00a0%% confidence intervals by %s", 100*m.Intervals.Level, strings.Join(how, " and "))
}

// facts are what the foot of the page says about where the results come from.
func facts(m Manifest) []fact {
	commit := m.Build.Commit
	if m.Build.Modified {
		commit += " with changes"
	}
	var adapters, drafts, seeds []string
	for _, a := range m.Adapters {
		name := a.Name
		if a.Modelled {
			name += " (modelled)"
		}
		adapters = append(adapters, name)
	}
	for _, d := range m.Drafts {
		drafts = append(drafts, d.Name+"-"+d.Revision)
	}
	for i, s := range m.Seeds {
		if i == 8 {
			seeds = append(seeds, fmt.Sprintf("and %d more", len(m.Seeds)-i))
			break
		}
		seeds = append(seeds, fmt.Sprint(s))
	}
	all := []fact{
		{"Scenario", strings.TrimSpace(m.Scenario.Name + " " + short(m.Scenario.SHA256))},
		{"Protocols", strings.Join(adapters, ", ")},
		{"Specifications", strings.Join(drafts, ", ")},
		{"Seeds", strings.Join(seeds, ", ")},
		{"Command", strings.Join(m.Command, " ")},
		{"Program", strings.TrimSpace(m.Build.Module + " " + m.Build.Version)},
		{"Commit", commit},
		{"Made with", fmt.Sprintf("%s on %s/%s, %d CPUs", m.Build.Go, m.Machine.OS, m.Machine.Arch, m.Machine.CPUs)},
	}
	if m.Took > 0 {
		all = append(all, fact{"Took", m.Took.Round(10 * time.Millisecond).String()})
	}
	return slices.DeleteFunc(all, func(f fact) bool { return f.Value == "" })
}

func short(hash string) string {
	if len(hash) > 12 {
		return "(SHA-256 " + hash[:12] + "…)"
	}
	return hash
}

func paragraphs(s string) []string {
	var out []string
	for p := range strings.SplitSeq(s, "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func firstOf(choices ...string) string {
	for _, s := range choices {
		if s != "" {
			return s
		}
	}
	return ""
}

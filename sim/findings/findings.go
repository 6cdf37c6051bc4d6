// Package findings turns the results of a DMA scenario into what people ask of them:
// who can reach whom, how long messages take, how many bytes they cost, and what each
// party learns. Each question gets one table and one figure.
//
// The questions are those of the debate on DMA Article 7 (Meta's engineering post of
// 6 March 2024 on proxies and metadata, matrix.org's of 16 September 2024 on opt-in
// and client addresses). The numbers come from sim/world by way of sim/report; this
// package measures and estimates nothing.
//
// A question that a summary has no numbers for gets no section, so every scenario can
// be asked.
package findings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
	"github.com/mimi-lab/mimi-lab/sim/report"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/world"
)

// Routes of a partner's devices to the gatekeeper, in the order of the tables.
var routes = []string{string(scenario.Direct), string(scenario.Proxied)}

// Sections returns the answers that a summary of sim/world's runs holds.
func Sections(s *report.Summary) []report.Section {
	var out []report.Section
	for _, ask := range []func(*report.Summary) (report.Section, bool){Reachability, Latency, Bytes, Learned, Messages} {
		if section, ok := ask(s); ok {
			out = append(out, section)
		}
	}
	return out
}

// points returns the points that have a metric, in order.
func points(s *report.Summary, metric string) []report.Labels {
	var out []report.Labels
	for _, e := range s.Select(metric, report.Labels{}) {
		if !slices.Contains(out, e.Point) {
			out = append(out, e.Point)
		}
	}
	return out
}

// describe names a point to readers: its place on the axes.
func describe(p report.Labels) string {
	var words []string
	for _, kv := range p.Without("study").Pairs() {
		words = append(words, kv[0]+" "+kv[1])
	}
	return strings.Join(words, ", ")
}

func modelled(s *report.Summary, metric string) bool {
	return slices.ContainsFunc(s.Metrics, func(m report.Metric) bool { return m.Name == metric && m.Modelled })
}

// Reachability answers which share of the pairs across providers can talk.
func Reachability(s *report.Summary) (report.Section, bool) {
	const x, by = "opt_in_rate", "default"
	title := "Who can reach whom"
	text := "A pair is a partner's user and a gatekeeper's user who know each other. It can talk if the agreement is in force, " +
		"the native user is eligible, and consent was given, one way or another, by the end of the measured span."
	lines := s.Lines(world.Reachable.Name, x, by, report.Labels{})
	if len(lines) == 0 || len(lines[0].Points) < 2 {
		entries := s.Select(world.Reachable.Name, report.Labels{})
		if len(entries) == 0 {
			return report.Section{}, false
		}
		t := &report.Table{Title: "Pairs that can talk", Columns: []report.Column{{Name: "point"}, {Name: "pairs", Unit: report.Share}}}
		for _, e := range entries {
			t.Add(report.Text(orAll(describe(e.Point))), report.Value(e.Estimate))
		}
		return report.Section{Title: title, Text: text, Table: t}, true
	}
	t := &report.Table{
		Title:   "Pairs across providers that can talk, by opt-in rate and default",
		Columns: []report.Column{{Name: "opt-in rate", Unit: report.Share}},
	}
	for _, l := range lines {
		t.Columns = append(t.Columns, report.Column{Name: l.Name, Unit: report.Share})
	}
	for i, p := range lines[0].Points {
		cells := []report.Cell{report.Number(p.X)}
		for _, l := range lines {
			cells = append(cells, report.Value(l.Points[i].Estimate))
		}
		t.Add(cells...)
	}
	chart := &report.LineCI{
		X:      report.Axis{Label: "native users who opt in by themselves", Unit: report.Share},
		Y:      report.Axis{Label: "pairs that can talk", Unit: report.Share},
		Series: lines,
	}
	return report.Section{Title: title, Text: text, Table: t, Figure: &report.Figure{
		Name: "reachability", Title: "Pairs across providers that can talk, by opt-in rate and default",
		Caption:  "Opting in is per app, so under opt_in fewer pairs can talk than users opted in. A ping reaches those who would not have decided by themselves; default_on leaves out who is not eligible or switched it off.",
		Modelled: modelled(s, world.Reachable.Name), Chart: chart,
	}}, true
}

func orAll(s string) string {
	if s == "" {
		return "all"
	}
	return s
}

// maxRows bounds the rows of a figure that has one for each point.
const maxRows = 16

// Latency answers how long messages take, direct and proxied.
func Latency(s *report.Summary) (report.Section, bool) {
	at := points(s, world.Latency.Name)
	if len(at) == 0 {
		return report.Section{}, false
	}
	t := &report.Table{
		Title: "From sending to showing, both sides connected",
		Columns: []report.Column{
			{Name: "route"}, {Name: "to"}, {Name: "p50", Unit: report.Milliseconds}, {Name: "p90", Unit: report.Milliseconds},
			{Name: "p99", Unit: report.Milliseconds}, {Name: "messages", Unit: report.One},
		},
		Notes: []string{"Messages that waited for an offline sender or recipient are not in this table."},
	}
	if len(at) > 1 {
		t.Columns = append([]report.Column{{Name: "point"}}, t.Columns...)
	}
	chart := &report.Percentiles{X: report.Axis{Label: "from sending to showing", Unit: report.Milliseconds}}
	for _, p := range at {
		for group, route := range routes {
			for _, to := range []string{"native", "partner"} {
				e, ok := s.Find(p, world.Latency.Name, report.NewLabels("route", route, "to", to))
				if !ok {
					continue
				}
				cells := []report.Cell{report.Text(route), report.Text(to)}
				for _, q := range []float64{0.5, 0.9, 0.99} {
					x, _ := e.Distribution.Quantile(q)
					cells = append(cells, report.Value(x.Estimate))
				}
				cells = append(cells, report.Number(float64(e.Distribution.Count)))
				name := route + ", to " + to
				if len(at) > 1 {
					cells = append([]report.Cell{report.Text(orAll(describe(p)))}, cells...)
					name = describe(p) + ": " + name
				}
				t.Add(cells...)
				if len(chart.Rows) < maxRows {
					chart.Rows = append(chart.Rows, report.PercentileRow{Name: name, Series: group, Distribution: e.Distribution})
				}
			}
		}
	}
	return report.Section{Title: "How long messages take", Table: t, Figure: &report.Figure{
		Name: "latency", Title: "Latency of messages between connected devices, direct and proxied",
		Caption:  "A proxied message crosses one link more, on the way to or from the partner's user. The tail is retransmission and the first message to somebody, which needs their keys.",
		Modelled: modelled(s, world.Latency.Name), Chart: chart,
	}}, true
}

// Bytes answers how many bytes a message costs, by its kind.
func Bytes(s *report.Summary) (report.Section, bool) {
	at := points(s, world.Size.Name)
	if len(at) == 0 {
		return report.Section{}, false
	}
	p := at[0]
	var kinds []string
	for _, k := range dma.ContentKinds {
		if _, ok := s.Find(p, world.Size.Name, report.NewLabels("kind", k.String(), "part", world.WholeMessage)); ok {
			kinds = append(kinds, k.String())
		}
	}
	t := &report.Table{
		Title:   "Mean bytes of a message by kind",
		Columns: []report.Column{{Name: "kind"}},
		Notes:   []string{"overhead: padding, end-to-end encryption, stanza and frame; media: the ciphertext beside the message."},
	}
	columns := []string{"content", world.Overhead, world.WholeMessage, world.MediaPart}
	for _, part := range columns {
		t.Columns = append(t.Columns, report.Column{Name: part, Unit: report.Bytes})
	}
	for _, k := range kinds {
		cells := []report.Cell{report.Text(k)}
		for _, part := range columns {
			if e, ok := s.Find(p, world.Size.Name, report.NewLabels("kind", k, "part", part)); ok {
				cells = append(cells, report.Value(e.Estimate))
			} else {
				cells = append(cells, report.Text("–"))
			}
		}
		t.Add(cells...)
	}
	if len(at) > 1 {
		t.Notes = append(t.Notes, "At the first of several points: "+describe(p)+".")
	}
	drawn, left := comparable(s, p, kinds)
	chart := &report.StackedBars{Y: report.Axis{Label: "bytes per message", Unit: report.Bytes}, Groups: drawn}
	for i, row := range s.Grid(world.Size.Name, p, "part", world.Parts, "kind", drawn) {
		chart.Series = append(chart.Series, report.BarSeries{Name: world.Parts[i], Values: row})
	}
	chart.Totals = s.Grid(world.Size.Name, p, "part", []string{world.WholeMessage}, "kind", drawn)[0]
	caption := "Short texts are mostly overhead."
	if len(left) > 0 {
		caption += " Left out, since a preview picture travels within the message and would dwarf the others: " + strings.Join(left, ", ") + "."
	}
	return report.Section{Title: "How many bytes messages cost", Table: t, Figure: &report.Figure{
		Name: "bytes", Title: "Bytes of a message by kind and part, without media",
		Caption:  caption,
		Modelled: modelled(s, world.Size.Name), Chart: chart,
	}}, true
}

// comparable parts the kinds into those whose bars can stand side by side and those
// that are more than five times as large as the smallest.
func comparable(s *report.Summary, p report.Labels, kinds []string) (drawn, left []string) {
	whole := s.Grid(world.Size.Name, p, "part", []string{world.WholeMessage}, "kind", kinds)[0]
	smallest := whole[0].Mean
	for _, e := range whole {
		smallest = min(smallest, e.Mean)
	}
	for i, e := range whole {
		if e.Mean > 5*smallest {
			left = append(left, kinds[i])
		} else {
			drawn = append(drawn, kinds[i])
		}
	}
	return drawn, left
}

// Learned answers what each party learns about the users, direct and proxied.
func Learned(s *report.Summary) (report.Section, bool) {
	at := points(s, world.Learned.Name)
	if len(at) == 0 {
		return report.Section{}, false
	}
	p := at[0]
	var parties, facts []string
	for _, r := range ledger.Roles {
		parties = append(parties, r.String())
	}
	for _, f := range ledger.Facts {
		facts = append(facts, f.String())
	}
	t := &report.Table{Title: "What each party learns: share and number of the facts", Columns: []report.Column{{Name: "route"}, {Name: "party"}}}
	for _, f := range facts {
		t.Columns = append(t.Columns, report.Column{Name: f})
	}
	chart := &report.Matrix{Rows: parties, Columns: facts}
	for _, route := range routes {
		with := p.With("route", route)
		grid := s.Grid(world.Learned.Name, with, "party", parties, "fact", facts)
		counts := s.Grid(world.LearnedCount.Name, with, "party", parties, "fact", facts)
		chart.Panels = append(chart.Panels, report.Panel{Title: route, Cells: grid})
		for i, party := range parties {
			if !slices.ContainsFunc(grid[i], func(e report.Estimate) bool { return e.N > 0 }) {
				continue
			}
			cells := []report.Cell{report.Text(route), report.Text(strings.TrimSuffix(party, " server"))}
			for j := range facts {
				cells = append(cells, report.Text(fmt.Sprintf("%.0f%% %.0f", 100*grid[i][j].Mean, counts[i][j].Mean)))
			}
			t.Add(cells...)
		}
	}
	t.Notes = []string{"Means over the replications; about the users of partners with that route and those they write to."}
	return report.Section{
		Title: "What each party learns", Table: t,
		Text: "Counted are facts that a party's position shows it: identities of users, contacts (who writes to whom), the time of each message, " +
			"the IP addresses of devices, and the size of each message. The network is an observer who sees every device's connections. " +
			"Nobody but the two devices ever holds a plaintext; the run checks that.",
		Figure: &report.Figure{
			Name: "learned", Title: "Share of all facts that each party learns, direct and proxied",
			Caption:  "The proxy learns all that the gatekeeper learns, and the gatekeeper no less than before: by the rules it is told the client's address.",
			Modelled: modelled(s, world.Learned.Name), Chart: chart,
		},
	}, true
}

// Messages says how many messages there were and what became of them.
func Messages(s *report.Summary) (report.Section, bool) {
	at := points(s, world.Messages.Name)
	at = slices.DeleteFunc(at, func(p report.Labels) bool {
		e, ok := s.Find(p, world.Messages.Name, report.NewLabels("what", "written"))
		return !ok || e.Mean == 0
	})
	if len(at) == 0 {
		return report.Section{}, false
	}
	t := &report.Table{Title: "Messages in a run", Columns: []report.Column{{Name: "point"}, {Name: "what"}, {Name: "messages", Unit: report.One}}}
	for _, p := range at {
		for _, what := range world.Fates {
			if e, ok := s.Find(p, world.Messages.Name, report.NewLabels("what", what)); ok {
				t.Add(report.Text(orAll(describe(p))), report.Text(what), report.Value(e.Estimate))
			}
		}
	}
	if len(at) == 1 {
		t.Columns = t.Columns[1:]
		for i := range t.Rows {
			t.Rows[i] = t.Rows[i][1:]
		}
	}
	return report.Section{Title: "Messages", Table: t}, true
}

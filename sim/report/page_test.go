package report

import (
	"bytes"
	"testing"
)

func TestRuns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		points []int // replications at each
		want   string
	}{
		{"one", []int{1}, "1 replication"},
		{"one point", []int{5}, "5 replications"},
		{"points", []int{5, 5, 5}, "15 runs (3 points, 5 replications each)"},
		{"points without spread", []int{1, 1}, "2 runs (2 points, 1 replication each)"},
		{"interrupted", []int{2, 1, 1}, "4 runs (3 points, 1 to 2 replications each)"},
		{"none", nil, "0 replications"},
	} {
		var reps []*Replication
		for p, n := range tt.points {
			for i := range n {
				reps = append(reps, NewReplication(NewLabels("x", string(rune('a'+p))).String(), i, uint64(i)))
			}
		}
		if got := runs(reps); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestModelledTag(t *testing.T) {
	t.Parallel()
	real, sized := AdapterUsed{Name: "signal-v3"}, AdapterUsed{Name: "signal-v3-sized", Modelled: true}
	reach := Section{Title: "Who can reach whom", Figure: &Figure{Modelled: true}}
	latency := Section{Title: "How long messages take", Figure: &Figure{}}
	for _, tt := range []struct {
		name     string
		adapters []AdapterUsed
		sections []Section
		want     string
	}{
		{"real", []AdapterUsed{real}, []Section{latency}, ""},
		{"modelled", []AdapterUsed{sized}, []Section{reach}, "modelled"},
		{"one section", []AdapterUsed{real, sized}, []Section{reach, latency}, "partly modelled: who can reach whom"},
		{"no figure", []AdapterUsed{real, sized}, []Section{{Title: "Messages"}}, "partly modelled"},
	} {
		r := Report{Summary: &Summary{}, Sections: tt.sections}
		if got := r.modelled(Manifest{Adapters: tt.adapters}); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestTextKeepsItsWidth demands that every text of a figure says how wide it is, for
// readers whose fonts are wider than the one that it was measured in.
func TestTextKeepsItsWidth(t *testing.T) {
	t.Parallel()
	for _, s := range demoReport().Sections {
		if s.Figure == nil {
			continue
		}
		svg, err := s.Figure.SVG()
		if err != nil {
			t.Fatal(err)
		}
		texts, sized := bytes.Count(svg, []byte("<text ")), bytes.Count(svg, []byte(` textLength="`))
		if texts == 0 || sized != texts {
			t.Errorf("%s: %d of %d texts say how wide they are", s.Figure.Name, sized, texts)
		}
		if !bytes.Contains(svg, []byte(`style="max-width:100%;height:auto"`)) {
			t.Errorf("%s: does not shrink to a narrow window", s.Figure.Name)
		}
	}
}

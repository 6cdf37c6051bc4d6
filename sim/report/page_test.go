package report

import "testing"

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

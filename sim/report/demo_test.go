package report

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// demo makes a set of runs that look like those of a small launch scenario. All
// values are made up.
func demo() []*Replication {
	var (
		delay   = Metric{Name: "delivery_latency", Unit: Milliseconds, Better: Lower, Help: "From send to delivery."}
		pairs   = Metric{Name: "reachable_pairs", Unit: Share, Better: Higher, Help: "Cross-provider pairs that can talk."}
		size    = Metric{Name: "bytes_per_message", Unit: Bytes, Better: Lower, Help: "On the wire, by kind."}
		all     = Metric{Name: "bytes_total", Unit: Bytes, Better: Lower, Help: "Of all layers."}
		learned = Metric{Name: "learned", Unit: Share, Better: Lower, Help: "Part of the truth that a party saw."}
	)
	var reps []*Replication
	for _, optIn := range []float64{5, 10, 20, 40, 60, 80, 100} {
		for i := range 10 {
			seed := uint64(1000 + i)
			rng := rand.New(rand.NewPCG(seed, uint64(optIn)))
			r := NewReplication(fmt.Sprintf("opt_in=%v", optIn), i, seed)
			share := optIn / 100
			for _, d := range []struct {
				policy string
				mean   float64
			}{{"opt_in", share * share}, {"ping_then_consent", share * (0.35 + 0.65*share)}, {"default_on", 0.86 + 0.1*share}} {
				v := d.mean + 0.025*rng.NormFloat64()*(1.2-share)
				r.Scalar(pairs, NewLabels("default", d.policy), min(1, max(0, v)))
			}
			for p, path := range []string{"direct", "proxied"} {
				for g, gatekeeper := range []string{"whatsapp", "messenger"} {
					h := r.Histogram(delay, NewLabels("gatekeeper", gatekeeper, "path", path))
					for range 300 {
						ms := math.Exp(4.4 + 0.15*float64(g) + 0.2*float64(p) + 0.35*rng.NormFloat64())
						if rng.Float64() < 0.07 { // the receiver was offline
							ms += 3.6e6 * rng.ExpFloat64()
						}
						h.Record(int64(ms * 1e6))
					}
				}
				for f, fact := range facts4 {
					for q, party := range parties4 {
						if v := truth4[p][q][f]; v >= 0 {
							noise := 0.01 * rng.NormFloat64()
							if v == 0 || v == 1 {
								noise = 0
							}
							r.Scalar(learned, NewLabels("party", party, "fact", fact, "route", path), min(1, max(0, v+noise)))
						}
					}
				}
			}
			for k, kind := range []string{"text", "reply", "reaction", "read receipt", "typing"} {
				var total float64
				for part, mean := range []float64{96, 142, 61} {
					v := mean * (1 + 0.15*float64(part)*float64(4-k)) * (1 + 0.02*rng.NormFloat64())
					r.Scalar(size, NewLabels("kind", kind, "layer", []string{"content", "Signal", "stanza"}[part]), v)
					total += v
				}
				r.Scalar(all, NewLabels("kind", kind), total)
			}
			r.Finish()
			reps = append(reps, r)
		}
	}
	return reps
}

var (
	parties4 = []string{"gatekeeper", "partner server", "proxy", "network observer"}
	facts4   = []string{"identities", "contact edges", "timestamps", "IP addresses", "sizes"}
	truth4   = [2][4][5]float64{
		{{1, 1, 1, 1, 1}, {1, 0.004, 0.12, 0, 0}, {-1, -1, -1, -1, -1}, {0, 0, 0.71, 0.71, 0.64}},
		{{1, 1, 1, 0, 1}, {1, 0.004, 0.12, 0, 0}, {1, 1, 1, 1, 1}, {0, 0, 0.71, 0.38, 0.64}},
	}
)

// demoReport is a report of the demo with one figure of each kind.
func demoReport() *Report {
	reps := demo()
	s, err := Collect(reps...)
	if err != nil {
		panic(err)
	}
	at := NewLabels("opt_in", "20")
	find := func(metric string, kv ...string) Entry {
		e, _ := s.Find(at, metric, NewLabels(kv...))
		return e
	}

	line := &LineCI{X: Axis{Label: "users who opt in", Unit: "%"}, Y: Axis{Label: "reachable cross-provider pairs", Unit: Share}}
	line.Series = s.Lines("reachable_pairs", "opt_in", "default", Labels{})

	latencyTable := &Table{
		Title:   "Delivery latency at 20 % opt-in",
		Columns: []Column{{Name: "gatekeeper"}, {Name: "path"}, {"p50", Milliseconds}, {"p90", Milliseconds}, {"mean", Milliseconds}, {"messages", One}},
	}
	percentiles := &Percentiles{X: Axis{Label: "from send to delivery", Unit: Milliseconds}}
	cdf := &CDF{X: Axis{Label: "from send to delivery", Unit: Milliseconds}}
	for g, gatekeeper := range []string{"whatsapp", "messenger"} {
		for _, path := range []string{"direct", "proxied"} {
			e := find("delivery_latency", "gatekeeper", gatekeeper, "path", path)
			p50, _ := e.Distribution.Quantile(0.5)
			p90, _ := e.Distribution.Quantile(0.9)
			latencyTable.Add(Text(gatekeeper), Text(path), Value(p50.Estimate), Value(p90.Estimate), Value(e.Estimate), Number(float64(e.Distribution.Count)))
			name := gatekeeper + ", " + path
			percentiles.Rows = append(percentiles.Rows, PercentileRow{name, g, e.Distribution})
			cdf.Series = append(cdf.Series, CDFSeries{name, e.Distribution})
		}
	}
	latencyTable.Notes = []string{"Mean ± half-width of the 95 % interval over 10 replications."}

	kinds := []string{"text", "reply", "reaction", "read receipt", "typing"}
	bars := &Bars{Y: Axis{Label: "bytes per message", Unit: Bytes}, Groups: kinds}
	stacked := &StackedBars{Y: Axis{Label: "bytes per message", Unit: Bytes}, Groups: kinds}
	layers := []string{"content", "Signal", "stanza"}
	for i, row := range s.Grid("bytes_per_message", at, "layer", layers, "kind", kinds) {
		bars.Series = append(bars.Series, BarSeries{layers[i], row})
	}
	stacked.Series = bars.Series
	for _, kind := range kinds {
		stacked.Totals = append(stacked.Totals, find("bytes_total", "kind", kind).Estimate)
	}

	matrix := &Matrix{Rows: parties4, Columns: facts4}
	for _, route := range []string{"direct", "proxied"} {
		with := at.With("route", route)
		matrix.Panels = append(matrix.Panels, Panel{route, s.Grid("learned", with, "party", parties4, "fact", facts4)})
	}

	return &Report{
		Manifest: Manifest{
			Complete: true, Replications: Progress{70, 70},
			Question: "Who can reach whom across providers, how fast, and who learns what?",
			Scenario: Scenario{Name: "demo", Title: "A made-up launch", SHA256: "9f2c4be0c1a7d35e"},
			Command:  []string{"mimi-lab", "sim", "run", "demo", "--set", "opt_in=${5,10,20}"},
			Replay:   "mimi-lab sim run demo --seed 1000 --set 'opt_in=${5,10,20,40,60,80,100}'",
			Seeds:    []uint64{1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009},
			Adapters: []AdapterUsed{{"signal-v3", false}, {"signal-v3-sized", true}},
			Drafts:   []Revision{{"draft-ietf-mimi-protocol", "06"}},
			Assumptions: []Assumption{
				{"opt_in", "5 to 100 %", "No gatekeeper publishes opt-in rates; the sweep covers them all."},
				{"offline.share", "7 %", "Made up."},
			},
			Build:   Build{Module: "github.com/mimi-lab/mimi-lab", Version: "(devel)", Commit: "0123456789abcdef0123456789abcdef01234567", Go: "go1.26"},
			Machine: Machine{"linux", "amd64", 2},
		},
		Replications: reps,
		Sections: []Section{
			{Title: "Reachability", Text: "A pair can talk if both sides have turned third-party chats on. All values on this page are made up to show what a report looks like.",
				Figure: &Figure{Name: "reachability", Title: "Reachable pairs by opt-in rate and default", Caption: "Asking first helps most where few opt in by themselves.", Chart: line}},
			{Title: "Latency", Table: latencyTable,
				Figure: &Figure{Name: "latency", Title: "Latency percentiles, direct and proxied", Caption: "The tail is offline time, not the path.", Modelled: true, Chart: percentiles}},
			{Figure: &Figure{Name: "latency-cdf", Title: "Distribution of latency", Chart: cdf}},
			{Title: "Bytes", Figure: &Figure{Name: "bytes", Title: "Bytes per message by kind and layer", Chart: bars}},
			{Figure: &Figure{Name: "bytes-stacked", Title: "Bytes per message by kind", Chart: stacked}},
			{Title: "Who learns what", Text: "A dash stands where the party is not on the path.",
				Figure: &Figure{Name: "learned", Title: "Share of the truth that each party learns", Chart: matrix}},
		},
	}
}

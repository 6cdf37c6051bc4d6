package report_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/sim/report"
)

// Three runs at one point of a sweep record a share and latencies; the summary
// has their means with 95 % intervals.
func Example() {
	reach := report.Metric{Name: "reachable_pairs", Unit: report.Share, Better: report.Higher}
	latency := report.Metric{Name: "latency", Unit: report.Milliseconds, Better: report.Lower}
	direct := report.NewLabels("path", "direct")

	var runs []*report.Replication
	for i, share := range []float64{0.21, 0.24, 0.22} {
		r := report.NewReplication("opt_in=0.5", i, uint64(42+i))
		r.Scalar(reach, report.Labels{}, share)
		h := r.Histogram(latency, direct) // resolved once, outside the hot path
		for n := range int64(1000) {
			h.Record((80 + n/10 + int64(i)) * 1_000_000) // nanoseconds
		}
		r.Finish()
		runs = append(runs, r)
	}
	summary, err := report.Collect(runs...)
	if err != nil {
		fmt.Println(err)
		return
	}
	t := report.Table{Columns: []report.Column{{Name: "opt-in"}, {Name: "reachable pairs", Unit: report.Share}, {Name: "p50", Unit: report.Milliseconds}}}
	point := report.NewLabels("opt_in", "0.5")
	share, _ := summary.Find(point, "reachable_pairs", report.Labels{})
	e, _ := summary.Find(point, "latency", direct)
	median, _ := e.Distribution.Quantile(0.5)
	t.Add(report.Text("0.5"), report.Value(share.Estimate), report.Value(median.Estimate))
	fmt.Print(&t)
	fmt.Println(share.Method, share.N)
	// Output:
	//          reachable
	//              pairs          p50
	// opt-in           %           ms
	// ───────────────────────────────
	// 0.5     22.3 ± 3.8  130.0 ± 2.5
	// replications 3
}

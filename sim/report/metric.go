package report

// Better says which direction of a metric is the good one.
type Better string

// The directions.
const (
	Neither Better = ""       // neither more nor less is better
	Lower   Better = "lower"  // less is better: latency, bytes
	Higher  Better = "higher" // more is better: reachability
)

// Units that tables and figures know how to write. Any other unit is fine too
// and is printed as it stands.
const (
	// Seconds, Milliseconds and Microseconds are units of virtual time. Whatever
	// the unit, [Replication.Observe] and [Histogram.Record] take such values as
	// integer nanoseconds, as sim/des counts them.
	Seconds      = "s"
	Milliseconds = "ms"
	Microseconds = "µs"
	// Share is a part of a whole, 0 to 1; it is printed in per cent.
	Share = "share"
	// Bytes are octets.
	Bytes = "B"
	// One is a plain number or count.
	One = ""
)

// Metric is what was measured. Its name identifies it: within one run the same
// name always means the same metric.
type Metric struct {
	Name   string `json:"name"`           // lower-case words joined by '_' or '.', unique
	Unit   string `json:"unit"`           // one of the units above or another word
	Help   string `json:"help,omitempty"` // one sentence for a reader of the report
	Better Better `json:"better,omitempty"`
	// Modelled marks what was made without real cryptography or with a cost
	// model. It is the same throughout a replication, but a sweep over adapters
	// has points of both kinds.
	Modelled bool `json:"modelled,omitempty"`
}

// timeScale returns how many nanoseconds one unit is, and whether the unit is
// one of time.
func timeScale(unit string) (float64, bool) {
	switch unit {
	case Seconds:
		return 1e9, true
	case Milliseconds:
		return 1e6, true
	case Microseconds:
		return 1e3, true
	}
	return 1, false
}

package chat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/sim/report"
)

// Table renders the result for a terminal of 80 columns.
func (r Result) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", r.load(), r.machine())
	fmt.Fprintf(&b, "%-6s %7s %8s %8s %6s %7s %7s %6s %7s %8s\n", "store", "devices", "messages", "echo", "ratio", "µs CPU", "echo", "ratio", "KB for", "KB after")
	fmt.Fprintf(&b, "%-6s %7s %8s %8s %6s %7s %7s %6s %7s %8s\n", "", "", "per s", "per s", "", "each", "µs CPU", "of CPU", "each", "load")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "%-6s %7d %8.0f %8.0f %6.2f %7.0f %7.0f %6.2f %7.1f %8.1f\n", row.Store, row.Devices,
			row.Rate, row.Echo, row.Ratio, row.CPU, row.EchoCPU, row.RatioCPU, row.Idle/1000, row.Quiet/1000)
	}
	fmt.Fprintf(&b, "\n%-6s %7s %15s %15s %15s %8s %6s\n", "ms", "devices", "accepted", "delivered", "echo", "messages", "sync")
	fmt.Fprintf(&b, "%-6s %7s %7s %7s %7s %7s %7s %7s %8s %6s\n", "", "", "p50", "p99", "p50", "p99", "p50", "p99", "a commit", "mean")
	for _, row := range r.Rows {
		a, d, e := row.AcceptedTimes, row.DeliveredTimes, row.EchoTimes
		per := "-"
		if row.Commits > 0 {
			per = fmt.Sprintf("%.1f", 1/row.Commits)
		}
		fmt.Fprintf(&b, "%-6s %7d %7.1f %7.1f %7.1f %7.1f %7.1f %7.1f %8s %6.1f\n", row.Store, row.Devices, a.P50, a.P99, d.P50, d.P99, e.P50, e.P99, per, row.CommitMS)
	}
	return b.String()
}

// load says what was measured.
func (r Result) load() string {
	return fmt.Sprintf("A gatekeeper's chat channel, %d messages of each sender under way, %d bytes each", r.UnderWay, r.Frame)
}

// machine says where.
func (r Result) machine() string {
	return fmt.Sprintf("wall clock, loopback, all parts on %d cores (%s, %s)", r.CPUs, r.Go, r.Arch)
}

// curve is one line of a figure.
type curve struct {
	name  string
	store Store // "" is the first that was measured
	y     func(*Row) float64
}

// figures are what is drawn by the number of devices.
var figures = []struct {
	name, title, says string
	y                 report.Axis
	curves            []curve
}{
	{
		"chat-rate", "What a gatekeeper passes on",
		"Messages with acknowledgements and receipts, seven frames each, and frames that an echo returns, two each, in turns. The echo is that beside the first store.",
		report.Axis{Label: "messages, or frames back", Unit: "1/s"}, []curve{
			{"bare Noise echo", "", func(r *Row) float64 { return r.Echo }},
			{"messages, not durable", None, func(r *Row) float64 { return r.Rate }},
			{"messages, records made", Memory, func(r *Row) float64 { return r.Rate }},
			{"messages, durable", SQLite, func(r *Row) float64 { return r.Rate }},
		},
	},
	{
		"chat-ratio", "A gatekeeper against a bare Noise echo",
		"Messages to frames that an echo returns, in turns; and CPU time for a frame there and back to CPU time for a message.",
		report.Axis{Label: "ratio"}, []curve{
			{"rate, not durable", None, func(r *Row) float64 { return r.Ratio }},
			{"CPU, not durable", None, func(r *Row) float64 { return r.RatioCPU }},
			{"rate, durable", SQLite, func(r *Row) float64 { return r.Ratio }},
			{"CPU, durable", SQLite, func(r *Row) float64 { return r.RatioCPU }},
		},
	},
	{
		"chat-time", "How long a message takes under load",
		"From the sender to the recipient, and of a frame to the echo and back.",
		report.Axis{Label: "time", Unit: "s", Log: true}, []curve{
			{"echo, p50", "", func(r *Row) float64 { return r.EchoTimes.P50 / 1000 }},
			{"echo, p99", "", func(r *Row) float64 { return r.EchoTimes.P99 / 1000 }},
			{"not durable, p50", None, func(r *Row) float64 { return r.DeliveredTimes.P50 / 1000 }},
			{"not durable, p99", None, func(r *Row) float64 { return r.DeliveredTimes.P99 / 1000 }},
			{"durable, p50", SQLite, func(r *Row) float64 { return r.DeliveredTimes.P50 / 1000 }},
			{"durable, p99", SQLite, func(r *Row) float64 { return r.DeliveredTimes.P99 / 1000 }},
		},
	},
}

// Figures draw rates, ratios and times by the number of devices, if there are several.
func (r Result) Figures() (list []*report.Figure) {
	if !slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Devices != r.Rows[0].Devices }) {
		return nil
	}
	for _, f := range figures {
		list = append(list, &report.Figure{
			Name: f.name, Title: f.title, Caption: f.says,
			Chart: &report.LineCI{
				X: report.Axis{Label: "connected devices"}, Y: f.y, Series: r.series(f.curves), Remark: f.says + " " + r.load() + ", " + r.machine() + ".",
			},
		})
	}
	return list
}

// series returns those curves that have points.
func (r Result) series(of []curve) (list []report.Series) {
	for _, c := range of {
		s := report.Series{Name: c.name}
		for i := range r.Rows {
			if row := &r.Rows[i]; row.Store == c.store || c.store == "" && row.Store == r.Rows[0].Store {
				s.Points = append(s.Points, report.Point{X: float64(row.Devices), Estimate: report.Estimate{N: 1, Mean: c.y(row)}})
			}
		}
		if len(s.Points) > 0 {
			list = append(list, s)
		}
	}
	return list
}

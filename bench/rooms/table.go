package rooms

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/sim/report"
)

// Table renders the result for a terminal of 80 columns.
func (r Result) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", r.load(), r.machine())
	fmt.Fprintf(&b, "%-6s %5s %7s %9s %9s %8s %7s %7s %7s %6s\n", "store", "foll-", "clients", "accepted", "delivered", "empty", "ratio", "ratio", "µs CPU", "empty")
	fmt.Fprintf(&b, "%-6s %5s %7s %9s %9s %8s %7s %7s %7s %6s\n", "", "owers", "each", "per s", "per s", "per s", "accept.", "deliv.", "each", "µs CPU")
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "%-6s %5d %7d %9.0f %9.0f %8.0f %7.2f %7.2f %7.0f %6.0f\n", row.Store, row.Followers, row.Clients,
			row.Accepted, row.Delivered, row.Empty, row.RatioAccepted, row.RatioDelivered, row.CPU, row.EmptyCPU)
	}
	fmt.Fprintf(&b, "\n%-6s %5s %7s %15s %15s %15s %5s %5s\n", "ms", "foll-", "clients", "accepted", "delivered", "empty", "batch", "sync")
	fmt.Fprintf(&b, "%-6s %5s %7s %7s %7s %7s %7s %7s %7s %5s %5s\n", "", "owers", "each", "p50", "p99", "p50", "p99", "p50", "p99", "mean", "mean")
	for _, row := range r.Rows {
		a, d, e := row.AcceptedTimes, row.DeliveredTimes, row.EmptyTimes
		fmt.Fprintf(&b, "%-6s %5d %7d %7.1f %7.1f %7.1f %7.1f %7.1f %7.1f %5.1f %5.1f\n", row.Store, row.Followers, row.Clients,
			a.P50, a.P99, d.P50, d.P99, e.P50, e.P99, row.Batch, row.CommitMS)
	}
	return b.String()
}

// load says what was measured.
func (r Result) load() string {
	rooms := "1 room"
	if r.Rooms > 1 {
		rooms = fmt.Sprintf("%d rooms", r.Rooms)
	}
	return fmt.Sprintf("MIMI hub, %s, rounds of %d messages, %d under way, %d bytes each", rooms, r.Messages, r.UnderWay, r.Body)
}

// machine says where.
func (r Result) machine() string {
	return fmt.Sprintf("wall clock, loopback, all parts on %d cores (%s, %s)", r.CPUs, r.Go, r.Arch)
}

// Figures draw the sweeps: rates and times, by the followers and by the clients of each.
func (r Result) Figures() (list []*report.Figure) {
	followers := func(row Row) (float64, bool) { return float64(row.Followers), row.Clients == r.first().Clients }
	usual := r.usual()
	clients := func(row Row) (float64, bool) { return float64(row.Clients), row.Followers == usual }
	for _, by := range []struct {
		name, label, also string
		x                 func(Row) (float64, bool)
		log               bool
	}{
		{"followers", "followers", fmt.Sprintf("Each follower has %s, and one who sends.", plural(r.first().Clients, "client")), followers, false},
		{"clients", "clients of each follower", fmt.Sprintf("%s.", plural(usual, "follower")), clients, true},
	} {
		if !r.varies(by.x) {
			continue
		}
		for _, f := range figures {
			list = append(list, &report.Figure{
				Name: f.name + "-by-" + by.name, Title: f.title + " by the " + by.label, Caption: f.says,
				Chart: &report.LineCI{
					X: report.Axis{Label: by.label, Log: by.log}, Y: f.y, Series: r.series(f.series, by.x),
					Remark: f.says + " " + r.load() + ", " + r.machine() + ". " + by.also,
				},
			})
		}
	}
	return list
}

// series is one curve.
type series struct {
	name  string
	store Store // "" is the first that was measured
	y     func(*Row) float64
}

// figures are what is drawn of each sweep.
var figures = []struct {
	name, title string
	says        string
	y           report.Axis
	series      []series
}{
	{
		"rooms-rate", "What a MIMI hub accepts and delivers",
		"Accepted: until the last response of a round. Delivered: until the last client of all followers has the last message.",
		report.Axis{Label: "messages", Unit: "1/s"}, []series{
			{"empty handler", "", func(r *Row) float64 { return r.Empty }},
			{"accepted, SQLite", SQLite, func(r *Row) float64 { return r.Accepted }},
			{"delivered, SQLite", SQLite, func(r *Row) float64 { return r.Delivered }},
			{"accepted, memory", Memory, func(r *Row) float64 { return r.Accepted }},
			{"delivered, memory", Memory, func(r *Row) float64 { return r.Delivered }},
		},
	},
	{
		"rooms-ratio", "A MIMI hub against an empty handler",
		"Delivered messages to requests of the empty handler, in turns; and CPU time for a request of that to CPU time for a message.",
		report.Axis{Label: "ratio"}, []series{
			{"delivered, SQLite", SQLite, func(r *Row) float64 { return r.RatioDelivered }},
			{"CPU, SQLite", SQLite, func(r *Row) float64 { return r.RatioCPU }},
			{"delivered, memory", Memory, func(r *Row) float64 { return r.RatioDelivered }},
			{"CPU, memory", Memory, func(r *Row) float64 { return r.RatioCPU }},
		},
	},
	{
		"rooms-time", "How long a message takes",
		"From the request until its response (accepted, empty handler), and until the last client of all followers has the message (delivered).",
		report.Axis{Label: "time", Unit: "s", Log: true}, []series{
			{"empty handler, p50", "", func(r *Row) float64 { return r.EmptyTimes.P50 / 1000 }},
			{"empty handler, p99", "", func(r *Row) float64 { return r.EmptyTimes.P99 / 1000 }},
			{"accepted, p50", "", func(r *Row) float64 { return r.AcceptedTimes.P50 / 1000 }},
			{"accepted, p99", "", func(r *Row) float64 { return r.AcceptedTimes.P99 / 1000 }},
			{"delivered, p50", "", func(r *Row) float64 { return r.DeliveredTimes.P50 / 1000 }},
			{"delivered, p99", "", func(r *Row) float64 { return r.DeliveredTimes.P99 / 1000 }},
		},
	},
}

// series returns those curves that have points.
func (r Result) series(of []series, x func(Row) (float64, bool)) (list []report.Series) {
	for _, s := range of {
		var c report.Series
		c.Name = s.name
		for i := range r.Rows {
			at, ok := x(r.Rows[i])
			if ok && r.Rows[i].Store == cmp.Or(s.store, r.first().Store) {
				c.Points = append(c.Points, report.Point{X: at, Estimate: report.Estimate{N: 1, Mean: s.y(&r.Rows[i])}})
			}
		}
		if len(c.Points) > 0 {
			list = append(list, c)
		}
	}
	return list
}

// varies reports whether there is more than one point on an axis.
func (r Result) varies(x func(Row) (float64, bool)) bool {
	seen := make(map[float64]bool)
	for _, row := range r.Rows {
		if at, ok := x(row); ok {
			seen[at] = true
		}
	}
	return len(seen) > 1
}

func (r Result) first() Row {
	if len(r.Rows) == 0 {
		return Row{}
	}
	return r.Rows[0]
}

// usual returns the number of followers of those rows in which the clients vary.
func (r Result) usual() int {
	for _, row := range r.Rows {
		if row.Clients != r.first().Clients {
			return row.Followers
		}
	}
	return r.first().Followers
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

package serve

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mimi-lab/mimi-lab/protocols/admin"
)

// Stats counts what a provider has done since it started.
type Stats struct {
	Requests   uint64 `json:"requests"`   // from peers
	Refused    uint64 `json:"refused"`    // of them, with a status code that is no success
	Accepted   uint64 `json:"accepted"`   // messages, by the hub
	Notified   uint64 `json:"notified"`   // events that followers have accepted
	Notifies   uint64 `json:"notifies"`   // requests that they came in
	Failed     uint64 `json:"failed"`     // requests to notify that are made again
	GivenUp    uint64 `json:"given_up"`   // events for followers that accepted too little for too long
	Missed     uint64 `json:"missed"`     // events that other hubs say they have given up
	Deliveries uint64 `json:"deliveries"` // to own clients
	Reports    uint64 `json:"reports"`    // of abuse
	Commits    uint64 `json:"commits"`    // transactions of the store
	Records    uint64 `json:"records"`    // written in them
	// Waiting is what followers have not accepted, by their domains.
	Waiting map[string]Waiting `json:"waiting"`
}

// Waiting is what a follower has not accepted.
type Waiting struct {
	Rooms    int `json:"rooms"`
	Events   int `json:"events"`
	Bytes    int `json:"bytes"`
	Dropped  int `json:"dropped"`  // given up, since there were too many
	Failures int `json:"failures"` // one after the other, of the room that has most
}

// waiting adds up what the hub has for each follower.
func (p *Provider) waiting() map[string]Waiting {
	p.hub.mu.Lock()
	list := p.hub.hub.Backlogs()
	p.hub.mu.Unlock()
	sum := make(map[string]Waiting)
	for _, b := range list {
		w := sum[b.To]
		sum[b.To] = Waiting{w.Rooms + 1, w.Events + b.Messages, w.Bytes + b.Bytes, w.Dropped + b.Dropped, max(w.Failures, b.Failures)}
	}
	return sum
}

// counters are what Stats is made of.
type counters struct {
	requests, refused, accepted, notified, notifies, failed, givenUp, missed, deliveries, reports atomic.Uint64

	reporting sync.Mutex // held during Config.Reported
}

// Stats returns the counts so far.
func (p *Provider) Stats() Stats {
	c := &p.stats
	commits, records := p.journal.Counts()
	return Stats{
		Requests: c.requests.Load(), Refused: c.refused.Load(), Accepted: c.accepted.Load(), Notified: c.notified.Load(),
		Notifies: c.notifies.Load(), Failed: c.failed.Load(), GivenUp: c.givenUp.Load(), Missed: c.missed.Load(), Deliveries: c.deliveries.Load(), Reports: c.reports.Load(),
		Commits: commits, Records: records, Waiting: p.waiting(),
	}
}

// Admin returns what is for the operator alone, on a listener of its own: /healthz,
// /stats, its [Stats] in JSON, and /metrics (package admin).
func (p *Provider) Admin() http.Handler {
	return admin.Handler(admin.Source{Healthy: p.Healthy, Stats: func() any { return p.Stats() }, Metrics: p.metrics})
}

// Healthy returns nil while the provider works and its store answers.
func (p *Provider) Healthy(ctx context.Context) error {
	if err := p.Err(); err != nil {
		return err
	}
	return admin.Answers(ctx, p.store)
}

// metrics are the Stats with names in the style of Prometheus.
func (p *Provider) metrics() (list []admin.Metric) {
	s := p.Stats()
	for _, c := range []struct {
		name, help string
		value      uint64
	}{
		{"requests", "Requests from peers.", s.Requests},
		{"refused", "Requests from peers with a status code that is no success.", s.Refused},
		{"accepted", "Messages that the hub has accepted.", s.Accepted},
		{"notified", "Events that followers have accepted.", s.Notified},
		{"notifies", "Requests that they came in.", s.Notifies},
		{"failed", "Requests to notify that are made again.", s.Failed},
		{"deliveries", "Deliveries to own clients.", s.Deliveries},
		{"reports", "Reports of abuse.", s.Reports},
		{"commits", "Transactions of the store.", s.Commits},
		{"records", "Records that were written in them.", s.Records},
	} {
		list = append(list, admin.Metric{Name: "mimi_provider_" + c.name + "_total", Help: c.help, Value: float64(c.value)})
	}
	for _, domain := range slices.Sorted(maps.Keys(s.Waiting)) {
		list = append(list, admin.Metric{
			Name: "mimi_provider_waiting", Help: "Events that a follower has not accepted.", Gauge: true,
			Label: "follower", Which: domain, Value: float64(s.Waiting[domain].Events),
		})
	}
	return list
}

package serve

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/admin"
)

// Admin returns what is for the operator alone, on a listener of its own: /healthz,
// /stats, its [Stats] in JSON, and /metrics (package admin).
func (g *Gatekeeper) Admin() http.Handler {
	return admin.Handler(admin.Source{Healthy: g.Healthy, Stats: func() any { return g.Stats() }, Metrics: g.metrics})
}

// Healthy returns nil while the gatekeeper takes connections and its store answers.
func (g *Gatekeeper) Healthy(ctx context.Context) error {
	if err := g.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed {
		return ErrStopped
	}
	return admin.Answers(ctx, g.store)
}

// metrics are the Stats with names in the style of Prometheus.
func (g *Gatekeeper) metrics() []admin.Metric {
	s := g.Stats()
	list := []admin.Metric{
		{Name: "mimi_gatekeeper_connected", Help: "Clients that are connected to the chat channel.", Gauge: true, Value: float64(s.Connected)},
	}
	if g.media != nil {
		kept := g.cfg.Media.Store.Kept()
		list = append(list,
			admin.Metric{Name: "mimi_gatekeeper_media_kept", Help: "Ciphertexts that are kept.", Gauge: true, Value: float64(kept.Media)},
			admin.Metric{Name: "mimi_gatekeeper_media_kept_bytes", Help: "Their bytes.", Gauge: true, Value: float64(kept.Bytes)},
			admin.Metric{Name: "mimi_gatekeeper_media_transfers", Help: "Transfers of media under way.", Gauge: true, Value: float64(g.media.transfers.count())},
		)
	}
	for _, c := range []struct {
		name, help string
		value      uint64
	}{
		{"refused", "Connections that ended before their client was authenticated.", s.Refused},
		{"enlisted", "Enlistments and registrations that went well.", s.Enlisted},
		{"rejected", "Enlistments and registrations that were refused.", s.Rejected},
		{"routed", "Messages that were accepted.", s.Routed},
		{"settled", "Messages that their recipient has.", s.Settled},
		{"dropped", "Messages that left their mailbox undelivered.", s.Dropped},
		{"pushes_due", "Pushes that were due, several for one user perhaps.", s.Pushes},
		{"pushes_taken", "Pushes that a partner has taken.", s.Pushed},
		{"media_uploaded", "Media that native users have sent.", s.Uploaded},
		{"media_handed", "Transfers of those that began.", s.Handed},
		{"media_fetched", "Media of partners that were passed on.", s.Fetched},
		{"media_unfetched", "Media of partners that were not, or not to the end.", s.Unfetched},
		{"commits", "Transactions of the store.", s.Commits},
		{"records", "Records that were written in them.", s.Records},
	} {
		list = append(list, admin.Metric{Name: "mimi_gatekeeper_" + c.name + "_total", Help: c.help, Value: float64(c.value)})
	}
	counts := g.refusals.counts()
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, admin.Metric{
			Name: "mimi_gatekeeper_refusals_total", Help: "What was refused before its client was authenticated, by the reason.",
			Label: "reason", Which: reason, Value: float64(counts[reason]),
		})
	}
	return list
}

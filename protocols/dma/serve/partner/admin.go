package partner

import (
	"context"
	"net/http"

	"github.com/mimi-lab/mimi-lab/protocols/admin"
)

// Admin returns what is for the operator alone, on a listener of its own: /healthz,
// /stats, its [Stats] in JSON, and /metrics (package admin).
func (s *Server) Admin() http.Handler {
	return admin.Handler(admin.Source{Healthy: s.Healthy, Stats: func() any { return s.Stats() }, Metrics: s.metrics})
}

// Healthy returns nil while the server works and its store answers.
func (s *Server) Healthy(ctx context.Context) error {
	if err := s.Err(); err != nil {
		return err
	}
	return admin.Answers(ctx, s.store)
}

// metrics are the Stats with names in the style of Prometheus.
func (s *Server) metrics() []admin.Metric {
	st := s.Stats()
	return []admin.Metric{
		{Name: "mimi_partner_users", Help: "Users that have joined.", Gauge: true, Value: float64(st.Users)},
		{Name: "mimi_partner_keys", Help: "Keys of tokens that are published.", Gauge: true, Value: float64(len(st.Keys))},
		{Name: "mimi_partner_tokens_total", Help: "Tokens that were given to devices.", Value: float64(st.Tokens)},
		{Name: "mimi_partner_refused_total", Help: "Requests without the right credential or invitation.", Value: float64(st.Refused)},
		{Name: "mimi_partner_pushes_total", Help: "Pushes of the gatekeeper for users.", Value: float64(st.Pushes)},
		{Name: "mimi_partner_forged_total", Help: "Pushes without a good token of the gatekeeper.", Value: float64(st.Forged)},
	}
}

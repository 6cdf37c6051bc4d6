package proxy

import (
	"context"
	"net/http"

	"github.com/mimi-lab/mimi-lab/protocols/admin"
)

// Admin returns what is for the operator alone, on a listener of its own: /healthz,
// /stats, its [Stats] in JSON, and /metrics (package admin).
func (s *Server) Admin() http.Handler {
	return admin.Handler(admin.Source{
		Healthy: func(context.Context) error { return s.Err() }, Stats: func() any { return s.Stats() }, Metrics: s.metrics,
	})
}

// metrics are the Stats with names in the style of Prometheus.
func (s *Server) metrics() []admin.Metric {
	st := s.Stats()
	return []admin.Metric{
		{Name: "mimi_proxy_connected", Help: "Clients that are connected.", Gauge: true, Value: float64(st.Connected)},
		{Name: "mimi_proxy_clients_total", Help: "Clients that have connected.", Value: float64(st.Clients)},
		{Name: "mimi_proxy_refused_total", Help: "Connections for which there was no room.", Value: float64(st.Refused)},
		{Name: "mimi_proxy_up_bytes_total", Help: "Bytes of clients that went to the gatekeeper.", Value: float64(st.Up)},
		{Name: "mimi_proxy_down_bytes_total", Help: "Bytes of the gatekeeper that went to clients.", Value: float64(st.Down)},
	}
}

// Package admin is what a server has for its operator alone, on a listener of its own:
//
//	GET /healthz   200 "ok" while the server works and its store answers, else 503 and why
//	GET /stats     counts, in JSON
//	GET /metrics   the same counts, and those of Go's runtime and the process, in the text
//	               format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/)
//
// Start with [Handler]. It asks nobody who they are: whoever reaches the listener is the
// operator.
package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// Source is a server that works. Its functions are called by several goroutines at once.
type Source struct {
	Healthy func(context.Context) error // nil while it works; it is called with a bound
	Stats   func() any                  // counts, which encoding/json takes
	Metrics func() []Metric
}

// Metric is a number, or one of several of a name that a label tells apart.
type Metric struct {
	Name, Help   string // in the style of Prometheus: a counter's name ends with _total
	Gauge        bool   // it may become less
	Label, Which string // "" without
	Value        float64
}

// healthTimeout bounds how long the operator waits to hear that the server is not well.
const healthTimeout = 2 * time.Second

// Handler serves what the operator asks for.
func Handler(s Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(snapshot(s.Metrics), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		if err := s.Healthy(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Stats())
	})
	return mux
}

// snapshot collects all metrics of one moment.
type snapshot func() []Metric

// Describe sends nothing, as which metrics there are depends on what has happened.
func (s snapshot) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s snapshot) Collect(to chan<- prometheus.Metric) {
	for _, m := range s() {
		var labels, which []string
		if m.Label != "" {
			labels, which = []string{m.Label}, []string{m.Which}
		}
		kind := prometheus.CounterValue
		if m.Gauge {
			kind = prometheus.GaugeValue
		}
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(m.Name, m.Help, labels, nil), kind, m.Value, which...)
	}
}

// healthKey is the prefix of no record.
const healthKey = "health/"

// Answers returns nil if a store answers.
func Answers(ctx context.Context, s store.Store) error {
	if err := s.Load(ctx, healthKey, func(protocols.Record) error { return nil }); err != nil {
		return fmt.Errorf("admin: the store does not answer: %w", err)
	}
	return nil
}

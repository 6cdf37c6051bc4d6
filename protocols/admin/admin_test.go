package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/admin"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

func get(s admin.Source, path string) (int, string) {
	w := httptest.NewRecorder()
	admin.Handler(s).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

// slow is a store that does not answer.
type slow struct{ store.Store }

func (slow) Load(ctx context.Context, _ string, _ func(protocols.Record) error) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestHandler(t *testing.T) {
	t.Parallel()
	memory := store.NewMemory()
	failed := errors.New("serve: stopped")
	s := admin.Source{
		Healthy: func(ctx context.Context) error { return admin.Answers(ctx, memory) },
		Stats:   func() any { return map[string]int{"routed": 7} },
		Metrics: func() []admin.Metric {
			return []admin.Metric{
				{Name: "lab_routed_total", Help: "Messages.", Value: 7},
				{Name: "lab_connected", Help: "Clients.", Gauge: true, Value: 2},
				{Name: "lab_refused_total", Help: "Refusals.", Label: "reason", Which: `of "a"`, Value: 1},
				{Name: "lab_refused_total", Help: "Refusals.", Label: "reason", Which: "b", Value: 3},
			}
		},
	}
	if code, body := get(s, "/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %q", code, body)
	}
	if code, body := get(s, "/stats"); code != 200 || body != "{\"routed\":7}\n" {
		t.Errorf("stats: %d %q", code, body)
	}
	code, body := get(s, "/metrics")
	for _, want := range []string{
		"# HELP lab_routed_total Messages.\n# TYPE lab_routed_total counter\nlab_routed_total 7\n",
		"# TYPE lab_connected gauge\nlab_connected 2\n",
		"lab_refused_total{reason=\"b\"} 3\n", `lab_refused_total{reason="of \"a\""} 1`, "\ngo_goroutines ",
	} {
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("metrics: %d, without %q in\n%s", code, want, body)
		}
	}
	if code, _ := get(s, "/"); code != 404 {
		t.Errorf("elsewhere: %d", code)
	}
	for name, healthy := range map[string]func(context.Context) error{
		"stopped":      func(context.Context) error { return failed },
		"closed store": func(ctx context.Context) error { m := store.NewMemory(); _ = m.Close(); return admin.Answers(ctx, m) },
		"slow store":   func(ctx context.Context) error { return admin.Answers(ctx, slow{}) },
	} {
		s.Healthy = healthy
		if code, body := get(s, "/healthz"); code != 503 || body == "" {
			t.Errorf("%s: %d %q, want 503 and why", name, code, body)
		}
	}
}

func ExampleHandler() {
	s := admin.Source{
		Healthy: func(context.Context) error { return nil },
		Stats:   func() any { return map[string]int{"connected": 2} },
		Metrics: func() []admin.Metric { return nil },
	}
	w := httptest.NewRecorder()
	admin.Handler(s).ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
	fmt.Print(w.Body)
	// Output: ok
}

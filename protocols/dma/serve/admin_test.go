package serve

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.enlist(number, w.own)
	get := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRecorder()
		w.gk.Admin().ServeHTTP(r, httptest.NewRequest("GET", path, nil))
		return r
	}
	if r := get("/healthz"); r.Code != 200 || r.Body.String() != "ok\n" {
		t.Errorf("healthz: got %d %q", r.Code, r.Body)
	}
	var s Stats
	if r := get("/stats"); r.Code != 200 || json.Unmarshal(r.Body.Bytes(), &s) != nil || s.Enlisted != 1 {
		t.Errorf("stats: got %d %q", r.Code, r.Body)
	}
	if r := get("/metrics"); r.Code != 200 || !strings.Contains(r.Body.String(), "\nmimi_gatekeeper_enlisted_total 1\n") {
		t.Errorf("metrics: got %d %q", r.Code, r.Body)
	}
	w.dial().write([]byte("GET / HTTP/1.1\r\n")...).hungUp("HTTP")
	if r := get("/metrics"); !strings.Contains(r.Body.String(), "\nmimi_gatekeeper_refusals_total{reason=\"noise: other prologue\"} 1\n") {
		t.Errorf("metrics after a refusal: got %q", r.Body)
	}
	must(t, w.store.Close())
	if r := get("/healthz"); r.Code != 503 || !strings.Contains(r.Body.String(), "the store does not answer") {
		t.Errorf("healthz without a store: got %d %q", r.Code, r.Body)
	}
	must(t, w.gk.Close())
	if r := get("/healthz"); r.Code != 503 {
		t.Errorf("healthz of one that has stopped: got %d %q", r.Code, r.Body)
	}
}

package serve

import (
	"encoding/json"
	"net/http/httptest"
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
	must(t, w.gk.Close())
	if r := get("/healthz"); r.Code != 503 {
		t.Errorf("healthz of one that has stopped: got %d %q", r.Code, r.Body)
	}
}

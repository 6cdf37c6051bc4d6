package partner

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// FuzzHandler: whatever is asked, the server answers, and lets in nobody who has proved
// nothing.
func FuzzHandler(f *testing.F) {
	s, err := New(f.Context(), Config{Issuer: issuer, Audience: audience, Opened: store.NewMemory(), Invitation: "come in"})
	must(f, err)
	f.Cleanup(func() { _ = s.Close() })
	f.Add("POST", serve.PushPath, "Bearer e30.e30.e30", `{"to":"bob"}`)
	f.Add("POST", TokenPath, "Basic Ym9iOng=", "")
	f.Add("POST", JoinPath, "Bearer come", `{"user":"bob"}`)
	f.Add("GET", WaitPath, "Basic Og==", "")
	f.Add("GET", token.WellKnown, "", "")
	f.Fuzz(func(t *testing.T, method, path, authorization, body string) {
		if authorization == "Bearer come in" {
			return
		}
		r, err := http.NewRequestWithContext(t.Context(), method, "https://partner.example", strings.NewReader(body))
		if err != nil {
			return
		}
		r.URL.Path = path
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code == http.StatusOK && path != token.WellKnown {
			t.Errorf("%s %q with %q: status 200 %q", method, path, authorization, w.Body)
		}
		if s.Stats().Users != 0 {
			t.Errorf("%s %q with %q: somebody has joined", method, path, authorization)
		}
	})
}

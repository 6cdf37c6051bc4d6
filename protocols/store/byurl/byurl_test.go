package byurl_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/store/byurl"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"memory:", "sqlite:" + filepath.Join(t.TempDir(), "a.db")} {
		s, err := byurl.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, url := range []string{"", "a.db", "sqlite:", "mysql://host/db", "memory:x"} {
		if _, err := byurl.Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "want memory:, sqlite:PATH") {
			t.Errorf("%q: got error %v, want one that lists the URLs", url, err)
		}
	}
}

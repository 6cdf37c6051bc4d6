package serve

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// TestShortBodies holds that a body which would be read as very many short elements is
// not read at all.
func TestShortBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "a.example")
	for _, tt := range []struct {
		name  mimi.EndpointName
		value string
		most  int
	}{
		{mimi.EndpointKeyMaterial, "mimi://a.example/u/alice", 64 << 10},
		{mimi.EndpointGroupInfo, clubhouse.String(), 64 << 10},
		{mimi.EndpointRequestConsent, "a.example", 64 << 10},
		{mimi.EndpointUpdateConsent, "a.example", 1 << 20},
		{mimi.EndpointIdentifierQuery, "a.example", 64 << 10},
		{mimi.EndpointNotify, lounge.String(), 16 << 20},
		{mimi.EndpointUpdate, clubhouse.String(), 16 << 20},
		{mimi.EndpointSubmitMessage, clubhouse.String(), 16 << 20},
		{mimi.EndpointReportAbuse, clubhouse.String(), 16 << 20},
	} {
		if got := w.askBytes("a.example", "b.example", tt.name, tt.value, make([]byte, tt.most+1)).Code; got != 413 {
			t.Errorf("%s of %d bytes: got %d, want 413", tt.name, tt.most+1, got)
		}
		if got := w.askBytes("a.example", "b.example", tt.name, tt.value, make([]byte, tt.most)).Code; got == 413 {
			t.Errorf("%s of %d bytes: got 413", tt.name, tt.most)
		}
	}
}

package demo

import (
	"slices"
	"strings"
	"testing"
)

// TestDMA: the story's promises hold, and everything in it is told.
func TestDMA(t *testing.T) {
	t.Parallel()
	s, err := playDMA(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.verdict {
		if !f.Holds {
			t.Errorf("%s: %q", f.Promise, f.Broken)
		}
	}
	var told []string
	for _, sec := range s.sections {
		if len(sec.moments) == 0 {
			t.Errorf("nothing happens in %q", sec.Title)
		}
		for _, m := range sec.moments {
			told = append(told, m.What+m.Sees)
		}
	}
	for _, want := range []string{
		"POST /3p/interop_reg", "iq key", "message text", "receipt read", "notification chatstate", "message reaction", "POST /push",
		"ack", "iq delete", "POST /media", "GET /media/{storage_ref}", "message media", "iq create", `alice reads: "Hello across!"`, `bob reads: "Are you there?"`, "alice reads: the reaction is taken back",
	} {
		if !slices.Contains(told, want) {
			t.Errorf("nobody is told of %s", want)
		}
	}
	if _, err := s.diagram().SVG(); err != nil {
		t.Error(err)
	}
}

// TestDMAVerdict: what breaks a promise is found.
func TestDMAVerdict(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*stage){
		"shown once":   func(s *stage) { s.alice.read = append(s.alice.read, s.alice.read[0]) },
		"refused":      func(s *stage) { s.alice.read = append(s.alice.read, refusedText) },
		"removed":      func(s *stage) { s.carol.read = append(s.carol.read, laterText) },
		"as it was":    func(s *stage) { s.spoiled = append(s.spoiled, "a photo") },
		"waits":        func(s *stage) { s.pushes = nil },
		"in the clear": func(s *stage) { s.wire = append(s.wire, s.secrets[0]...) },
		"gone":         func(s *stage) { s.deleted = false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st, err := newStage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer st.close()
			if st.adapter.Claims().Modelled && name == "in the clear" {
				return // there is no cryptography to be judged
			}
			for _, act := range st.acts() {
				if err := act(); err != nil {
					t.Fatal(err)
				}
			}
			spoil(st)
			st.judge()
			found := false
			for _, f := range st.story.verdict {
				found = found || !f.Holds && strings.Contains(f.Promise, name)
			}
			if !found {
				t.Errorf("not found: %+v", st.story.verdict)
			}
		})
	}
}

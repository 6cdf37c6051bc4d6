package dma

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// partnerStore is a partner whose records are kept as a shell would.
type partnerStore struct {
	t       *testing.T
	p       *Partner
	records map[string][]byte
}

func (s *partnerStore) step(now time.Time, in Input) (Output, error) {
	s.t.Helper()
	out, err := s.p.Step(now, in)
	for _, r := range out.Persist {
		if r.Value == nil {
			delete(s.records, r.Key)
			continue
		}
		s.records[r.Key] = slices.Clone(r.Value)
	}
	return out, err
}

func (s *partnerStore) must(now time.Time, in Input) Output {
	s.t.Helper()
	out, err := s.step(now, in)
	if err != nil {
		s.t.Fatalf("%T: %v", in, err)
	}
	return out
}

// restart makes the partner of its records.
func (s *partnerStore) restart() {
	s.t.Helper()
	var list []protocols.Record
	for k, v := range s.records {
		list = append(list, protocols.Record{Key: k, Value: v})
	}
	p, err := RestorePartner(list)
	if err != nil {
		s.t.Fatal(err)
	}
	s.p = p
}

func (s *partnerStore) ids() (list []string) {
	for _, k := range s.p.Keys() {
		list = append(list, k.ID)
	}
	return list
}

// TestPartnerKeys: a new key is published before it signs, and the one before until the
// tokens that it signed are over, also across a restart.
func TestPartnerKeys(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	s := &partnerStore{t: t, p: NewPartner(), records: map[string][]byte{}}
	if _, ok := s.p.Signing(start); ok {
		t.Error("a partner without keys signs")
	}
	s.must(start, AddKey{ID: "k1", Private: []byte("one"), Ahead: time.Hour, Keep: time.Hour})
	if k, ok := s.p.Signing(start); !ok || k.ID != "k1" || string(k.Private) != "one" {
		t.Errorf("the first key: got %v, %v, want k1 at once", k, ok)
	}
	at := start.Add(24 * time.Hour)
	out := s.must(at, AddKey{ID: "k2", Private: []byte("two"), Ahead: time.Hour, Keep: 2 * time.Hour})
	if want := at.Add(3 * time.Hour); !out.WakeAt.Equal(want) {
		t.Errorf("wake at %v, want %v", out.WakeAt, want)
	}
	if _, err := s.step(at, AddKey{ID: "k3", Private: []byte("x")}); err == nil {
		t.Error("a third key before the second one signs: no error")
	}
	for _, tt := range []struct {
		after time.Duration
		ids   string
		signs string
	}{
		{0, "k1 k2", "k1"},
		{time.Hour - 1, "k1 k2", "k1"},
		{time.Hour, "k1 k2", "k2"},
		{3*time.Hour - 1, "k1 k2", "k2"},
		{3 * time.Hour, "k2", "k2"},
	} {
		s.must(at.Add(tt.after), Wake{})
		s.restart()
		k, _ := s.p.Signing(at.Add(tt.after))
		if got := strings.Join(s.ids(), " "); got != tt.ids || k.ID != tt.signs {
			t.Errorf("after %v: %s are published and %s signs, want %s and %s", tt.after, got, k.ID, tt.ids, tt.signs)
		}
	}
	if len(s.records) != 1 {
		t.Errorf("%d records, want that of k2 alone", len(s.records))
	}
}

// TestPartnerUsers: who joins has a credential until it leaves, and pushes for others are
// refused.
func TestPartnerUsers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	s := &partnerStore{t: t, p: NewPartner(), records: map[string][]byte{}}
	s.must(now, Join{Visible: "bob@partner.example", Credential: []byte("first")})
	s.must(now, Join{Visible: "bob@partner.example", Credential: []byte("secret")})
	s.must(now, Join{Visible: "Zoë"})
	s.restart()
	if c, ok := s.p.Credential("bob@partner.example"); !ok || string(c) != "secret" {
		t.Errorf("got %q, %v, want the credential", c, ok)
	}
	if c, ok := s.p.Credential("Zoë"); !ok || len(c) != 0 {
		t.Errorf("got %q, %v, want a user without a credential", c, ok)
	}
	if out := s.must(now, PushRequest{To: "Zoë"}); !slices.Equal(out.Wakes, []string{"Zoë"}) {
		t.Errorf("woke %q, want Zoë", out.Wakes)
	}
	s.must(now, Leave{Visible: "bob@partner.example"})
	s.restart()
	for name, in := range map[string]Input{
		"push for who left":   PushRequest{To: "bob@partner.example"},
		"leaving twice":       Leave{Visible: "bob@partner.example"},
		"joining twice":       Join{Visible: "Zoë"},
		"no name":             Join{},
		"too long a name":     Join{Visible: strings.Repeat("x", 257)},
		"no UTF-8":            Join{Visible: "\xff"},
		"key of no ID":        AddKey{Private: []byte("x")},
		"key of a strange ID": AddKey{ID: "a/b", Private: []byte("x")},
		"key without itself":  AddKey{ID: "a"},
		"another's input":     Typing{},
	} {
		before := len(s.records)
		if _, err := s.step(now, in); err == nil || len(s.records) != before {
			t.Errorf("%s: got %v and %d records, want an error and %d", name, err, len(s.records), before)
		}
	}
}

func TestRestorePartnerRefuses(t *testing.T) {
	t.Parallel()
	for _, r := range []protocols.Record{
		{Key: "else/1", Value: []byte("x")},
		{Key: "user/zz", Value: []byte("x")},
		{Key: "key/a", Value: []byte("{")},
		{Key: "key/a", Value: []byte(`{"id":"b"}`)},
	} {
		if _, err := RestorePartner([]protocols.Record{r}); !errors.Is(err, protocols.ErrState) {
			t.Errorf("%s %q: got %v, want %v", r.Key, r.Value, err, protocols.ErrState)
		}
	}
}

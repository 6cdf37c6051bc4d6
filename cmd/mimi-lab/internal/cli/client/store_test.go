package client

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/storetest"
)

// TestPart: a part of a store is a store.
func TestPart(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) func() (store.Store, error) {
		return func() (store.Store, error) {
			whole := store.NewMemory()
			if err := whole.Commit(t.Context(), []protocols.Record{{Key: "other/x", Value: []byte("kept")}}); err != nil {
				return nil, err
			}
			return closing{part{whole, "part/"}}, nil
		}
	})
}

// closing is a part that closes its store, as the suite of tests wants it.
type closing struct{ part }

func (c closing) Close() error { return c.Store.Close() }

// TestSent: what was sent is there again, and apart from what is kept beside it.
func TestSent(t *testing.T) {
	t.Parallel()
	whole := store.NewMemory()
	sent, said := Sent{part{whole, "sent/"}}, Said{part{whole, "said/"}}
	a, b := content.MessageID{1, 2}, content.MessageID{1, 3}
	for _, id := range []content.MessageID{a, b} {
		if err := sent.Put(t.Context(), id, []byte(id.String())); err != nil {
			t.Fatal(err)
		}
	}
	if err := said.Put(t.Context(), "alice bob ", []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := said.Put(t.Context(), "alice bob ", []byte("new")); err != nil {
		t.Fatal(err)
	}
	got, err := sent.All(t.Context())
	if want := map[content.MessageID][]byte{a: []byte(a.String()), b: []byte(b.String())}; err != nil || !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("sent: %q, %v; want %q", got, err, want)
	}
	var words []string
	err = said.All(t.Context(), func(b []byte) error {
		words = append(words, string(b))
		return nil
	})
	if want := []string{"new"}; err != nil || !slices.Equal(words, want) {
		t.Errorf("said: %q, %v; want %q", words, err, want)
	}
}

// TestInUse: a store that another has is waited for, and not for ever.
func TestInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "main.db")
	other, err := open(t.Context(), path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), path, 100*time.Millisecond); !errors.Is(err, store.ErrInUse) {
		t.Errorf("while another has it: %v, want %v", err, store.ErrInUse)
	}
	ended := time.AfterFunc(100*time.Millisecond, func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
	defer ended.Stop()
	mine, err := open(t.Context(), path, time.Minute)
	if err != nil {
		t.Fatalf("when the other has ended: %v", err)
	}
	if err := mine.Close(); err != nil {
		t.Error(err)
	}
}

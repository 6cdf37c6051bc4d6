package store_test

import (
	"reflect"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) func() (store.Store, error) {
		return func() (store.Store, error) { return store.NewMemory(), nil }
	})
}

// TestUnder: machines that share a store have their keys for themselves.
func TestUnder(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	a := []protocols.Record{{Key: "k", Value: []byte("of a")}, {Key: "l", Value: []byte{}}}
	b := []protocols.Record{{Key: "k", Value: []byte("of b")}}
	if err := s.Commit(t.Context(), append(store.Under("a/", a), store.Under("b/", b)...)); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]protocols.Record{"a/": a, "b/": b, "c/": nil} {
		if got, err := store.LoadUnder(t.Context(), s, prefix); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v, want %v", prefix, got, err, want)
		}
	}
}

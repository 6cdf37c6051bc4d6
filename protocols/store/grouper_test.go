package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// slow is a store whose commits wait for a token each and note what they hold.
type slow struct {
	store.Store
	tokens chan error // what the commit is to return
	groups [][]string // keys by transaction
}

func (s *slow) Commit(ctx context.Context, records []protocols.Record) error {
	var keys []string
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	s.groups = append(s.groups, keys)
	if err := <-s.tokens; err != nil {
		return err
	}
	return s.Store.Commit(ctx, records)
}

func one(key string) []protocols.Record {
	return []protocols.Record{{Key: key, Value: []byte{1}}}
}

func TestGroupSharesTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: store.NewMemory(), tokens: make(chan error)}
		g := store.Group(s)
		broken := errors.New("disk full")
		results := map[string]error{}
		var mu sync.Mutex
		start := func(ctx context.Context, key string) {
			go func() {
				err := g.Commit(ctx, one(key))
				mu.Lock()
				defer mu.Unlock()
				results[key] = err
			}()
			synctest.Wait() // so that they queue in this order
		}
		leaving, leave := context.WithCancel(t.Context())
		start(t.Context(), "a") // begins alone
		start(t.Context(), "b") // these wait for it, and share the next
		start(leaving, "c")
		start(t.Context(), "d")
		leave() // c goes; its records are on their way nonetheless
		synctest.Wait()
		if err := results["c"]; !errors.Is(err, context.Canceled) {
			t.Errorf("c left with %v, want %v", err, context.Canceled)
		}
		s.tokens <- nil
		synctest.Wait()
		start(t.Context(), "e")
		s.tokens <- broken
		synctest.Wait()
		s.tokens <- nil
		synctest.Wait()
		want := [][]string{{"a"}, {"b", "c", "d"}, {"e"}}
		if !slices.EqualFunc(s.groups, want, slices.Equal) {
			t.Errorf("transactions %q, want %q", s.groups, want)
		}
		for key, want := range map[string]error{"a": nil, "b": broken, "d": broken, "e": nil} {
			if got := results[key]; got != want {
				t.Errorf("%s: got %v, want %v", key, got, want)
			}
		}
	})
}

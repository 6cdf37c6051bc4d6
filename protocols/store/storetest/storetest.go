// Package storetest is the suite of tests that every implementation of
// [store.Store] passes.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// Opener prepares a place for a store. The function it returns opens an empty one
// there the first time and, after that one was closed, what it left.
type Opener func(t *testing.T) (open func() (store.Store, error))

// Run runs the suite on one kind of store.
func Run(t *testing.T, o Opener) {
	for name, test := range map[string]func(*testing.T, func() (store.Store, error)){
		"values":      testValues,
		"order":       testOrder,
		"prefix":      testPrefix,
		"last counts": testLastCounts,
		"callback":    testCallback,
		"context":     testContext,
		"closed":      testClosed,
		"concurrent":  testConcurrent,
		"large":       testLarge,
		"model":       testModel,
	} {
		t.Run(name, func(t *testing.T) { test(t, o(t)) })
	}
}

// Durable runs those tests that a store has to pass that outlives its process.
func Durable(t *testing.T, o Opener) {
	t.Run("reopened", func(t *testing.T) {
		open := o(t)
		s := mustOpen(t, open)
		commit(t, s, put("a", "1"), put("b", "2"), del("a"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, open)
		defer s.Close()
		want(t, s, "", put("b", "2"))
	})
	t.Run("in use", func(t *testing.T) {
		open := o(t)
		s := mustOpen(t, open)
		if _, err := open(); !errors.Is(err, store.ErrInUse) {
			t.Errorf("opened twice: got error %v, want %v", err, store.ErrInUse)
		}
		commit(t, s, put("a", "1")) // the first is not disturbed
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, open)
		want(t, s, "", put("a", "1"))
		s.Close()
	})
}

func put(key, value string) protocols.Record {
	return protocols.Record{Key: key, Value: []byte(value)}
}

func del(key string) protocols.Record { return protocols.Record{Key: key} }

func mustOpen(t *testing.T, open func() (store.Store, error)) store.Store {
	t.Helper()
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(t *testing.T, s store.Store, records ...protocols.Record) {
	t.Helper()
	if err := s.Commit(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// load returns all records under a prefix.
func load(t testing.TB, s store.Store, prefix string) []protocols.Record {
	t.Helper()
	var out []protocols.Record
	err := s.Load(context.Background(), prefix, func(r protocols.Record) error {
		out = append(out, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func equal(a, b protocols.Record) bool {
	return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil)
}

// want compares what is stored under a prefix.
func want(t *testing.T, s store.Store, prefix string, records ...protocols.Record) {
	t.Helper()
	if got := load(t, s, prefix); !slices.EqualFunc(got, records, equal) {
		t.Errorf("records under %q: got %q, want %q", prefix, got, records)
	}
}

func testValues(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	defer s.Close()
	want(t, s, "")
	value := []byte{0, 1, 0xff, '\'', 0}
	commit(t, s, protocols.Record{Key: "bytes", Value: value}, put("empty", ""), put("gone", "x"))
	value[0] = 9 // a store keeps copies
	commit(t, s, del("gone"), del("never there"))
	want(t, s, "", protocols.Record{Key: "bytes", Value: []byte{0, 1, 0xff, '\'', 0}}, put("empty", ""))
	commit(t, s)
}

func testOrder(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	defer s.Close()
	commit(t, s, put("b", "1"), put("a/2", "2"), put("a/10", "3"), put("B", "4"), put("a", "5"), put("_", "6"))
	want(t, s, "", put("B", "4"), put("_", "6"), put("a", "5"), put("a/10", "3"), put("a/2", "2"), put("b", "1"))
}

func testPrefix(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	defer s.Close()
	commit(t, s, put("a", "1"), put("a%", "2"), put("a%b", "3"), put("ab", "4"), put("a_", "5"), put("b", "6"))
	want(t, s, "a%", put("a%", "2"), put("a%b", "3"))
	want(t, s, "a_", put("a_", "5"))
	want(t, s, "b", put("b", "6"))
	want(t, s, "c")
}

func testLastCounts(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	defer s.Close()
	commit(t, s, put("a", "1"), del("a"), put("a", "2"), put("b", "1"), del("b"), put("c", "1"), put("c", "2"))
	want(t, s, "", put("a", "2"), put("c", "2"))
}

func testCallback(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	defer s.Close()
	commit(t, s, put("a", "1"), put("b", "2"))
	mine := errors.New("enough")
	calls := 0
	err := s.Load(t.Context(), "", func(protocols.Record) error {
		calls++
		return mine
	})
	if err != mine || calls != 1 {
		t.Errorf("got error %v after %d calls, want the callback's after 1", err, calls)
	}
	want(t, s, "", put("a", "1"), put("b", "2")) // it can be used again
}

func testContext(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Commit(ctx, []protocols.Record{put("a", "1")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: got error %v, want %v", err, context.Canceled)
	}
	if err := s.Load(ctx, "", func(protocols.Record) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Load: got error %v, want %v", err, context.Canceled)
	}
	want(t, s, "")
}

func testClosed(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	for range 2 { // closing twice is no error
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(t.Context(), []protocols.Record{put("a", "1")}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Commit: got error %v, want %v", err, store.ErrClosed)
	}
	if err := s.Load(t.Context(), "", nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Load: got error %v, want %v", err, store.ErrClosed)
	}
}

// testConcurrent has several writers whose transactions must not mix: each writes
// one number under two keys.
func testConcurrent(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	defer s.Close()
	const writers, commits = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range commits {
				n := fmt.Sprint(w*commits + i)
				err := s.Commit(t.Context(), []protocols.Record{put("x", n), put("y", n), put(fmt.Sprintf("w/%d", w), n)})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range commits {
			if r := load(t, s, ""); len(r) >= 2 && !bytes.Equal(r[len(r)-2].Value, r[len(r)-1].Value) {
				t.Errorf("half a transaction: x is %s, y is %s", r[len(r)-2].Value, r[len(r)-1].Value)
			}
		}
	})
	wg.Wait()
	for w, r := range load(t, s, "w/") {
		if last := fmt.Sprint(w*commits + commits - 1); string(r.Value) != last {
			t.Errorf("writer %d: %s stays, want its last, %s", w, r.Value, last)
		}
	}
}

func testLarge(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	defer s.Close()
	big := protocols.Record{Key: "big", Value: bytes.Repeat([]byte{7}, 4<<20)}
	many := make([]protocols.Record, 3000)
	for i := range many {
		many[i] = put(fmt.Sprintf("many/%06d", i), strings.Repeat("v", i%50))
	}
	commit(t, s, append(slices.Clone(many), big)...)
	want(t, s, "many/", many...)
	want(t, s, "big", big)
}

// testModel compares a store with a map over random commits.
func testModel(t *testing.T, open func() (store.Store, error)) {
	s := mustOpen(t, open)
	defer s.Close()
	model := map[string]string{}
	key := rapid.SampledFrom([]string{"a", "a/", "a/b", "a0", "b", "~"})
	rapid.Check(t, func(t *rapid.T) {
		var records []protocols.Record
		for range rapid.IntRange(0, 6).Draw(t, "records") {
			k := key.Draw(t, "key")
			if rapid.Bool().Draw(t, "delete") {
				records = append(records, del(k))
				delete(model, k)
				continue
			}
			v := rapid.StringN(0, 8, -1).Draw(t, "value")
			records = append(records, put(k, v))
			model[k] = v
		}
		if err := s.Commit(context.Background(), records); err != nil {
			t.Fatal(err)
		}
		prefix := rapid.SampledFrom([]string{"", "a", "a/", "c"}).Draw(t, "prefix")
		got := map[string]string{}
		err := s.Load(context.Background(), prefix, func(r protocols.Record) error {
			got[r.Key] = string(r.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range model {
			if strings.HasPrefix(k, prefix) && got[k] != v {
				t.Fatalf("under %q: key %q is %q, want %q", prefix, k, got[k], v)
			}
			if strings.HasPrefix(k, prefix) {
				delete(got, k)
			}
		}
		if len(got) > 0 {
			t.Fatalf("under %q: %q are too many", prefix, got)
		}
	})
}

package sqlite

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/storetest"
)

// openSmall opens a store whose log holds few bytes.
func openSmall(path string, most int) (*Store, error) {
	s, err := Open(path)
	if err == nil {
		s.log.most = most
	}
	return s, err
}

// TestSmallLog runs the suite on stores whose log holds nothing, a record or a few, so
// that rows leave it at every commit.
func TestSmallLog(t *testing.T) {
	t.Parallel()
	for _, most := range []int{0, 8, 40} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			opener := func(t *testing.T) func() (store.Store, error) {
				path := filepath.Join(t.TempDir(), "store.db")
				return func() (store.Store, error) {
					s, err := openSmall(path, most)
					if err != nil {
						return nil, err
					}
					return s, nil
				}
			}
			storetest.Run(t, opener)
			storetest.Durable(t, opener)
		})
	}
}

// all returns what a store holds.
func all(t *testing.T, s store.Store, prefix string) (list []protocols.Record) {
	t.Helper()
	err := s.Load(t.Context(), prefix, func(r protocols.Record) error { list = append(list, r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func same(a, b protocols.Record) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }

// TestLogAfterLoss compares a store with one in memory, after random commits, and opens
// again and again what a process that ended at once would have left, with a log of
// another size.
func TestLogAfterLoss(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		s, err := openSmall(filepath.Join(dir, "0"), 300)
		if err != nil {
			t.Fatal(err)
		}
		model := store.NewMemory()
		for i := range 120 {
			var records []protocols.Record
			for range 1 + rnd.IntN(6) {
				r := protocols.Record{Key: strings.Repeat("k", rnd.IntN(3)) + fmt.Sprint(rnd.IntN(30))}
				if rnd.IntN(3) > 0 {
					r.Value = make([]byte, rnd.IntN(60))
				}
				if len(r.Value) > 0 {
					r.Value[0] = byte(i)
				}
				records = append(records, r)
			}
			for _, s := range []store.Store{s, model} {
				if err := s.Commit(t.Context(), records); err != nil {
					t.Fatal(err)
				}
			}
			if rnd.IntN(10) == 0 {
				s = afterLoss(t, s, filepath.Join(dir, fmt.Sprint(i+1)), rnd.IntN(600))
			}
			for _, prefix := range []string{"", "k", "k1"} {
				if got, want := all(t, s, prefix), all(t, model, prefix); !slices.EqualFunc(got, want, same) {
					t.Fatalf("seed %d, commit %d, under %q: got %q, want %q", seed, i, prefix, got, want)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// afterLoss closes a store and opens a copy of its files from before it was closed.
func afterLoss(t *testing.T, s *Store, path string, most int) *Store {
	t.Helper()
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.path + end)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+end, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := openSmall(path, most)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// TestLogLeaves holds that the log stays within its bounds, and that what was overruled
// in it does not reach the table by key.
func TestLogLeaves(t *testing.T) {
	t.Parallel()
	const most = 1000
	s, err := openSmall(filepath.Join(t.TempDir(), "store.db"), most)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 500 { // events that are gone after three commits, and one head
		records := []protocols.Record{{Key: fmt.Sprintf("event/%03d", i), Value: make([]byte, 50)}, {Key: "head", Value: []byte(fmt.Sprint(i))}}
		if i >= 3 {
			records = append(records, protocols.Record{Key: fmt.Sprintf("event/%03d", i-3)})
		}
		if err := s.Commit(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]int{"SELECT coalesce(sum(length(records)), 0) FROM log": most, "SELECT count(*) FROM records": 0} {
			if got, err := number(s.conn, query); err != nil || got > want {
				t.Fatalf("commit %d: %s: got %d, %v, want at most %d", i, query, got, err, want)
			}
		}
		if s.log.size > most {
			t.Fatalf("commit %d: %d bytes are in the log, want at most %d", i, s.log.size, most)
		}
	}
	if got := len(all(t, s, "")); got != 4 {
		t.Errorf("%d records, want 3 events and the head", got)
	}
}

// TestFirstVersion holds that a file from before there was a log is opened.
func TestFirstVersion(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("DROP TABLE log; INSERT INTO records (key, value) VALUES ('a', x'01'), ('b', x'02'), ('c', x'03'); PRAGMA user_version = %d", len(migrations)-1)
	if err := sqlitex.ExecuteScript(s.conn, script, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Commit(t.Context(), []protocols.Record{{Key: "b"}, {Key: "bb", Value: []byte{4}}, {Key: "c", Value: []byte{5}}}); err != nil {
		t.Fatal(err)
	}
	want := []protocols.Record{{Key: "a", Value: []byte{1}}, {Key: "bb", Value: []byte{4}}, {Key: "c", Value: []byte{5}}}
	if got := all(t, s, ""); !slices.EqualFunc(got, want, same) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDamagedLog holds that a row which can't be read is an error.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), []protocols.Record{{Key: "key", Value: []byte("value")}}); err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteScript(s.conn, "UPDATE log SET records = substr(records, 1, 6)", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path); err == nil || !strings.Contains(err.Error(), "row 1 of the log: it ends within a record") {
		if err == nil {
			s.Close()
		}
		t.Errorf("got %v, want an error about the row", err)
	}
}

// FuzzRow holds that a row is read or refused, and that what was read is written again
// such that it reads the same.
func FuzzRow(f *testing.F) {
	for _, records := range [][]protocols.Record{nil, {{Key: "a"}}, {{Key: "", Value: []byte{}}, {Key: "b", Value: []byte("value")}}} {
		b, _ := marshalRow(records)
		f.Add(b)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := parseRow(b)
		if err != nil {
			return
		}
		written, own := marshalRow(records)
		again, err := parseRow(written)
		equal := func(a, b protocols.Record) bool { return same(a, b) && (a.Value == nil) == (b.Value == nil) }
		if err != nil || !slices.EqualFunc(records, again, equal) || !slices.EqualFunc(records, own, equal) {
			t.Errorf("%x reads as %q, and again as %q, %v", b, records, again, err)
		}
	})
}

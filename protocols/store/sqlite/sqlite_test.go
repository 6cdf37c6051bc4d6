package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sqlite3 "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
	"github.com/mimi-lab/mimi-lab/protocols/store/storetest"
)

func opener(t *testing.T) func() (store.Store, error) {
	path := filepath.Join(t.TempDir(), "store.db")
	return func() (store.Store, error) { return sqlite.Open(path) }
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, opener)
	storetest.Durable(t, opener)
}

func TestGrouped(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) func() (store.Store, error) {
		open := opener(t)
		return func() (store.Store, error) {
			s, err := open()
			if err != nil {
				return nil, err
			}
			return store.Group(s), nil
		}
	})
}

// script makes a database of its own at path.
func script(t *testing.T, path, sql string) {
	t.Helper()
	conn, err := sqlite3.OpenConn(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, sql, nil); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		make func(t *testing.T, path string)
		is   error
		says string
	}{
		"another application's database": {
			make: func(t *testing.T, path string) { script(t, path, "CREATE TABLE t (x)") },
			says: "another application",
		},
		"a later version's": {
			make: func(t *testing.T, path string) {
				script(t, path, "PRAGMA application_id = 0x6d696d69; PRAGMA user_version = 99")
			},
			is:   store.ErrVersion,
			says: "its version is 99",
		},
		"no database": {
			make: func(t *testing.T, path string) {
				if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			says: "file is not a database",
		},
		"a folder": {
			make: func(t *testing.T, path string) {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			},
			says: "store.db",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			row.make(t, path)
			s, err := sqlite.Open(path)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if row.is != nil && !errors.Is(err, row.is) {
				t.Errorf("got error %v, want %v", err, row.is)
			}
			if !strings.Contains(err.Error(), row.says) {
				t.Errorf("got error %q, want it to say %q", err, row.says)
			}
		})
	}
}

// BenchmarkCommit measures a durable commit of one record of 1 KiB and, grouped,
// those of n callers at once, per commit.
func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s, err := sqlite.Open(filepath.Join(b.TempDir(), "store.db"))
			if err != nil {
				b.Fatal(err)
			}
			g := store.Group(s)
			defer g.Close()
			value := make([]byte, 1024)
			b.SetParallelism(callers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					r := protocols.Record{Key: fmt.Sprintf("room/%d", i), Value: value}
					if err := g.Commit(b.Context(), []protocols.Record{r}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

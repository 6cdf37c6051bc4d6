package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
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
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPrivate holds that a store, which has keys in it, is its owner's alone, with the
// files that SQLite keeps beside it.
func TestPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), []protocols.Record{{Key: "k", Value: []byte("v")}}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v, want the log beside the store", len(files), err)
	}
	for _, f := range files {
		if i, err := f.Info(); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want 0600", f.Name(), i.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o640: false, 0o644: true, 0o602: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(path)
		if err == nil {
			s.Close()
		}
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "chmod o= "+path) {
			t.Errorf("%o: got %v, want refused %t", mode, err, refused)
		}
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
			is:   store.ErrDamaged,
			says: "file is not a database",
		},
		"a part of one": {
			make: func(t *testing.T, path string) {
				s, err := sqlite.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(path, 100); err != nil {
					t.Fatal(err)
				}
			},
			is:   store.ErrDamaged,
			says: "malformed",
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

// Package sqlite is a store of records in one SQLite file, without a server and
// without cgo.
//
// The file belongs to one process at a time. It is written through a write-ahead
// log that is synced at every commit (journal_mode=WAL, synchronous=FULL), so that
// a commit that has returned survives the loss of power if the disk does what it
// says. A commit is a row of a log, whose oldest rows leave it for a table by key as new
// ones come, so that what is soon overwritten or deleted never gets there.
//
// The file is made for its owner alone, and not opened if others may read it: what it
// holds is not encrypted, keys among it. The format is SQLite's
// (https://www.sqlite.org/fileformat2.html) with the tables that [migrations] makes.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// applicationID marks a file as one of ours (PRAGMA application_id): "mimi".
const applicationID = 0x6d696d69

// migrations are the steps from an empty file to today's tables. The number of
// those that were done is the file's user_version. Steps are only ever added.
var migrations = []string{
	`CREATE TABLE records (
		key   TEXT NOT NULL PRIMARY KEY,
		value BLOB NOT NULL
	) WITHOUT ROWID, STRICT;`,
	`CREATE TABLE log (
		n       INTEGER NOT NULL PRIMARY KEY,
		records BLOB NOT NULL
	) STRICT;`,
}

// Store is an open file. It implements [store.Store].
type Store struct {
	path string
	mu   sync.Mutex // guards what follows
	conn *sqlite.Conn
	log  *recent
}

var _ store.Store = (*Store)(nil)

// Open opens the file at path, which is made if it does not exist, and brings its
// tables up to date. It returns [store.ErrInUse] while another process has it open,
// [store.ErrVersion] if a later version of this program has written it, and
// [store.ErrDamaged] if it can't be read.
func Open(path string) (*Store, error) {
	if err := private(path); err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	s := &Store{path: path, conn: conn}
	if err = prepare(conn); err == nil {
		s.log, err = readLog(conn)
	}
	if err != nil {
		if code := sqlite.ErrCode(err).ToPrimary(); code == sqlite.ResultCorrupt || code == sqlite.ResultNotADB {
			err = fmt.Errorf("%w: %w", store.ErrDamaged, err)
		}
		return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", path, err), conn.Close())
	}
	return s, nil
}

// private makes the file if it does not exist, for its owner alone, and refuses one that
// others may read or write: it holds keys that are not encrypted. SQLite gives the files
// beside it the same permissions. A system without permissions has none to refuse.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return f.Close()
	}
	i, err := os.Stat(path)
	if err != nil {
		return nil // it is for SQLite to say what is wrong
	}
	if p := i.Mode().Perm(); i.Mode().IsRegular() && p&0o007 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("others may read or write it (its permissions are %#o), and it holds keys: take that from them by chmod o= %s", p, path)
	}
	return nil
}

// prepare takes the file for this process, checks whose it is and migrates it.
func prepare(conn *sqlite.Conn) error {
	conn.SetBusyTimeout(0) // another process keeps the file for as long as it runs
	for _, pragma := range []string{
		"PRAGMA locking_mode = EXCLUSIVE",
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
	} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return explain(err)
		}
	}
	return explain(migrate(conn))
}

// migrate does the migrations that the file has not seen, all or none.
func migrate(conn *sqlite.Conn) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	id, err := number(conn, "PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := number(conn, "PRAGMA user_version")
	if err != nil {
		return err
	}
	tables, err := number(conn, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	if id != applicationID && tables > 0 {
		return errors.New("it is an SQLite database of another application; name a file of its own for the store")
	}
	if version > len(migrations) {
		return fmt.Errorf("%w: its version is %d, this program knows %d", store.ErrVersion, version, len(migrations))
	}
	for _, step := range migrations[version:] {
		if err := sqlitex.ExecuteTransient(conn, step, nil); err != nil {
			return err
		}
	}
	if err := sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA application_id = %d", applicationID), nil); err != nil {
		return err
	}
	return sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA user_version = %d", len(migrations)), nil)
}

// number returns the one number that a query gives.
func number(conn *sqlite.Conn, query string) (int, error) {
	var n int
	err := sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			n = stmt.ColumnInt(0)
			return nil
		},
	})
	return n, err
}

// explain gives errors that callers branch on their names.
func explain(err error) error {
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy {
		return store.ErrInUse
	}
	return err
}

// Load implements [store.Store].
func (s *Store) Load(ctx context.Context, prefix string, f func(protocols.Record) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	s.conn.SetInterrupt(ctx.Done())
	defer s.conn.SetInterrupt(nil)
	var failed error // the callback's, given back as it is
	changes := s.log.under(prefix)
	// logged calls f with what the log has before a key, or with all the rest.
	logged := func(key string, rest bool) error {
		for ; len(changes) > 0 && (rest || changes[0].Key < key); changes = changes[1:] {
			if r := changes[0]; r.Value != nil {
				r.Value = slices.Clone(r.Value)
				if failed = f(r); failed != nil {
					return failed
				}
			}
		}
		return nil
	}
	err := sqlitex.Execute(s.conn, "SELECT key, value FROM records WHERE key >= ?1 ORDER BY key", &sqlitex.ExecOptions{
		Args: []any{prefix},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			r := protocols.Record{Key: stmt.ColumnText(0)}
			if !strings.HasPrefix(r.Key, prefix) {
				return errPassed
			}
			if err := logged(r.Key, false); err != nil {
				return err
			}
			if len(changes) > 0 && changes[0].Key == r.Key {
				return nil // the log overrules it
			}
			r.Value = make([]byte, stmt.ColumnLen(1))
			stmt.ColumnBytes(1, r.Value)
			failed = f(r)
			return failed
		},
	})
	if err == nil || errors.Is(err, errPassed) {
		err = logged("", true)
	}
	switch {
	case failed != nil:
		return failed
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("sqlite: read %s: %w", s.path, err)
	}
	return nil
}

// errPassed ends a query at the first key after those under the prefix.
var errPassed = errors.New("past the prefix")

// Commit implements [store.Store].
func (s *Store) Commit(ctx context.Context, records []protocols.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	if len(records) == 0 {
		return nil
	}
	if err := s.log.commit(s.conn, records); err != nil {
		return fmt.Errorf("sqlite: write %d records to %s: %w", len(records), s.path, err)
	}
	return nil
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	conn := s.conn
	s.conn = nil
	if err := conn.Close(); err != nil {
		return fmt.Errorf("sqlite: close %s: %w", s.path, err)
	}
	return nil
}

// usable says why the store cannot be used, if so. The caller holds s.mu.
func (s *Store) usable(ctx context.Context) error {
	if s.conn == nil {
		return store.ErrClosed
	}
	return ctx.Err()
}

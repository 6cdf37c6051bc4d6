// Package postgres is a store of records in a schema of a PostgreSQL database,
// version 12 or later.
//
// A schema belongs to one process at a time: the store holds a session-level
// advisory lock on its name for as long as it is open. Durability is the server's
// (synchronous_commit, on by default and demanded here).
package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// DefaultSchema is the schema of a URL that names none.
const DefaultSchema = "mimi_lab"

// migrations are the steps from an empty schema to today's tables, which the
// table "version" counts. Steps are only ever added.
var migrations = []string{
	`CREATE TABLE records (
		key   text COLLATE "C" PRIMARY KEY,
		value bytea NOT NULL
	)`,
}

// Store is a connection to a schema. It implements [store.Store].
type Store struct {
	cfg    *pgx.ConnConfig
	schema string

	mu     sync.Mutex // guards what follows: a connection does one thing at a time
	conn   *pgx.Conn  // made anew when it was lost
	closed bool
}

var _ store.Store = (*Store)(nil)

// Open connects to a database by a URL (postgres://USER@HOST/DATABASE?schema=NAME)
// and brings the schema up to date; it is made if it does not exist. All
// parameters but schema are PostgreSQL's own. It returns [store.ErrInUse] if another
// process still has the schema open after two seconds, and [store.ErrVersion] if a later
// version of this program has written it.
func Open(ctx context.Context, url string) (*Store, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err) // pgx leaves the password out
	}
	schema := cfg.RuntimeParams["schema"]
	delete(cfg.RuntimeParams, "schema")
	if schema == "" {
		schema = DefaultSchema
	}
	cfg.RuntimeParams["synchronous_commit"] = "on"
	s := &Store{cfg: cfg, schema: schema}
	if s.conn, err = s.connect(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// connect returns a connection that holds the schema's lock.
func (s *Store) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, s.cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := prepare(ctx, conn, s.schema); err != nil {
		err = fmt.Errorf("postgres: open schema %q of %s: %w", s.schema, s.cfg.Host, err)
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}

// prepare takes the schema for this process and migrates it.
func prepare(ctx context.Context, conn *pgx.Conn, schema string) error {
	if err := take(ctx, conn, schema); err != nil {
		return err
	}
	name := pgx.Identifier{schema}.Sanitize()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // does nothing once committed
	for _, statement := range []string{
		"CREATE SCHEMA IF NOT EXISTS " + name,
		"SET search_path TO " + name,
		"CREATE TABLE IF NOT EXISTS version (number integer NOT NULL)",
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := migrate(ctx, tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// patience is how long a lock that is held is waited for: the server may notice only after
// a while that who held it is gone, be it a process that was killed or a connection of
// this one that was lost.
const patience = 2 * time.Second

// take locks the schema for as long as the connection is there.
func take(ctx context.Context, conn *pgx.Conn, schema string) error {
	if _, err := conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", patience.Milliseconds())); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended('mimi-lab ' || $1, 0))", schema)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == lockNotAvailable {
		return store.ErrInUse
	}
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "RESET lock_timeout")
	return err
}

// lockNotAvailable is the server's code for a lock that was waited for too long
// (PostgreSQL, Appendix A).
const lockNotAvailable = "55P03"

// migrate does the migrations that the schema has not seen.
func migrate(ctx context.Context, tx pgx.Tx) error {
	var version int
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(number), 0) FROM version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("%w: its version is %d, this program knows %d", store.ErrVersion, version, len(migrations))
	}
	for i, step := range migrations[version:] {
		if _, err := tx.Exec(ctx, step); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO version VALUES ($1)", version+i+1); err != nil {
			return err
		}
	}
	return nil
}

// Load implements [store.Store].
func (s *Store) Load(ctx context.Context, prefix string, f func(protocols.Record) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	rows, err := s.conn.Query(ctx, "SELECT key, value FROM records WHERE key >= $1 AND starts_with(key, $1) ORDER BY key", prefix)
	if err != nil {
		return fmt.Errorf("postgres: read: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r protocols.Record
		if err := rows.Scan(&r.Key, &r.Value); err != nil {
			return fmt.Errorf("postgres: read: %w", err)
		}
		if err := f(r); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("postgres: read: %w", err)
	}
	return nil
}

// Commit implements [store.Store].
func (s *Store) Commit(ctx context.Context, records []protocols.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	var keys, gone []string
	var values [][]byte
	for _, r := range store.Latest(records) {
		if r.Value == nil {
			gone = append(gone, r.Key)
			continue
		}
		keys, values = append(keys, r.Key), append(values, r.Value)
	}
	if err := s.write(ctx, keys, values, gone); err != nil {
		return fmt.Errorf("postgres: write %d records: %w", len(records), err)
	}
	return nil
}

// write sets and deletes in one transaction, which a batch without a begin is.
func (s *Store) write(ctx context.Context, keys []string, values [][]byte, gone []string) error {
	batch := &pgx.Batch{}
	if len(keys) > 0 {
		batch.Queue(`INSERT INTO records SELECT * FROM unnest($1::text[], $2::bytea[])
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, keys, values)
	}
	if len(gone) > 0 {
		batch.Queue("DELETE FROM records WHERE key = ANY($1::text[])", gone)
	}
	if batch.Len() == 0 {
		return nil
	}
	return s.conn.SendBatch(ctx, batch).Close()
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.conn.IsClosed() {
		return nil
	}
	// The server ends the connection only after this returns, and its locks with it.
	_, err := s.conn.Exec(context.Background(), "SELECT pg_advisory_unlock_all()")
	return errors.Join(err, s.conn.Close(context.Background()))
}

// usable makes sure of a connection or says why the store cannot be used. A
// connection is lost with its server, or when a context ended in the middle of a
// statement. The caller holds s.mu.
func (s *Store) usable(ctx context.Context) error {
	if s.closed {
		return store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.conn.IsClosed() {
		return nil
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	s.conn = conn
	return nil
}

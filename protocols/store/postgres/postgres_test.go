package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/postgres"
	"github.com/mimi-lab/mimi-lab/protocols/store/storetest"
)

// database returns the URL of a database for tests with a schema that is new. It
// skips without one, and fails where everything is to be tested.
func database(t *testing.T) string {
	t.Helper()
	base := os.Getenv("MIMI_LAB_POSTGRES")
	if base == "" && os.Getenv("CI") == "true" {
		t.Fatal("MIMI_LAB_POSTGRES is not set; it is the URL of a PostgreSQL database for tests")
	}
	if base == "" {
		t.Skip("MIMI_LAB_POSTGRES, the URL of a PostgreSQL database for tests, is not set")
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	schema := "test_" + strings.ToLower(rand.Text())
	q := u.Query()
	q.Set("schema", schema)
	u.RawQuery = q.Encode()
	t.Cleanup(func() { sql(t, base, "DROP SCHEMA IF EXISTS "+schema+" CASCADE") })
	return u.String()
}

// sql runs a statement on a connection of its own.
func sql(t *testing.T, url, statement string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

func opener(t *testing.T) func() (store.Store, error) {
	url := database(t)
	return func() (store.Store, error) { return postgres.Open(t.Context(), url) }
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, opener)
	storetest.Durable(t, opener)
}

func TestLaterVersion(t *testing.T) {
	t.Parallel()
	address := database(t)
	s, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	sql(t, os.Getenv("MIMI_LAB_POSTGRES"), "INSERT INTO "+u.Query().Get("schema")+".version VALUES (99)")
	if _, err := postgres.Open(t.Context(), address); !errors.Is(err, store.ErrVersion) {
		t.Errorf("got error %v, want %v", err, store.ErrVersion)
	}
}

// A server that ends a session is reconnected to; what it had committed stays.
func TestReconnects(t *testing.T) {
	t.Parallel()
	address := database(t)
	s, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write := func(key string) error {
		return s.Commit(t.Context(), []protocols.Record{{Key: key, Value: []byte("1")}})
	}
	if err := write("before"); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	sql(t, os.Getenv("MIMI_LAB_POSTGRES"), `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND query LIKE '%`+u.Query().Get("schema")+`%' OR pid IN (
			SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND ((classid::bigint << 32) | objid::bigint) =
				hashtextextended('mimi-lab ' || '`+u.Query().Get("schema")+`', 0))`)
	if err := write("lost"); err == nil {
		t.Error("the commit on a lost connection succeeded")
	}
	if err := write("after"); err != nil {
		t.Errorf("no reconnection: %v", err)
	}
	var keys []string
	err = s.Load(t.Context(), "", func(r protocols.Record) error {
		keys = append(keys, r.Key)
		return nil
	})
	if err != nil || strings.Join(keys, " ") != "after before" {
		t.Errorf("got keys %q, error %v, want after and before", keys, err)
	}
}

// The server notices some time after it that a process is gone, which may be back by
// then.
func TestOpenWaits(t *testing.T) {
	t.Parallel()
	address := database(t)
	first, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { first.Close() })
	second, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"no URL":    "postgres://host:port:more/",
		"no server": "postgres://127.0.0.1:1/none?password=secret",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := postgres.Open(t.Context(), url)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// Package byurl opens a store of records by its URL.
//
//	sqlite:PATH                 a file; the store of a server unless another is named
//	postgres://HOST/DATABASE    a schema of a database: see package postgres
//	memory:                     nothing is kept
//
// URLs are those of RFC 3986 and, after the colon, of the database concerned.
package byurl

import (
	"context"
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/postgres"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
)

// Open opens the store that url names.
func Open(ctx context.Context, url string) (store.Store, error) {
	scheme, rest, ok := strings.Cut(url, ":")
	switch {
	case ok && scheme == "sqlite" && rest != "":
		s, err := sqlite.Open(rest)
		if err != nil {
			return nil, err
		}
		return s, nil
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		s, err := postgres.Open(ctx, url)
		if err != nil {
			return nil, err
		}
		return s, nil
	case url == "memory:":
		return store.NewMemory(), nil
	}
	return nil, fmt.Errorf("store %q: want memory:, sqlite:PATH or postgres://USER@HOST/DATABASE", url)
}

package store_test

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) func() (store.Store, error) {
		return func() (store.Store, error) { return store.NewMemory(), nil }
	})
}

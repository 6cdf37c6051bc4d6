//go:build !nogpl

package sized_test

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/adaptertest"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	v3 "github.com/mimi-lab/mimi-lab/protocols/signal/v3"
)

// TestTwin holds the adapter to the sizes and outcomes of signal-v3.
func TestTwin(t *testing.T) {
	t.Parallel()
	adaptertest.RunTwin(t, v3.Adapter{}, sized.Adapter{}, adaptertest.Options{})
}

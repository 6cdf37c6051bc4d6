package adapter_test

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/adaptertest"
	"github.com/mimi-lab/mimi-lab/protocols/mls/adapter"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adapter.Adapter{}, adaptertest.Options{})
}

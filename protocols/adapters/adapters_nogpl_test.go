//go:build nogpl

package adapters_test

import (
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/adapters"
)

func TestByNameLeftOut(t *testing.T) {
	t.Parallel()
	_, err := adapters.ByName("signal-v3")
	if err == nil || !strings.Contains(err.Error(), "left out") || !strings.Contains(err.Error(), "nogpl") {
		t.Errorf("error %v, want one that says that nogpl left it out", err)
	}
}

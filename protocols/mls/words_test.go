package mls

import (
	"math"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// TestLifetimeInWords: who reads that a lifetime is over reads dates.
func TestLifetimeInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		lifetime message.Lifetime
		want     string
	}{
		{"over", message.Lifetime{NotBefore: 0, NotAfter: 3600},
			"mls: KeyPackage of the add by leaf 1 has a lifetime from 1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z, it is 2026-11-01T12:00:00Z (check 7.3-5)"},
		{"beyond all calendars", message.Lifetime{NotBefore: lastTime, NotAfter: math.MaxUint64},
			"mls: KeyPackage of the add by leaf 1 has a lifetime from 9999-12-31T23:59:59Z to second 18446744073709551615, want 8784h0m0s at most (check 7.2-2)"},
	} {
		x := newScene(t, new(row))
		err := x.add(func(k *message.KeyPackage) { k.LeafNode.Lifetime = c.lifetime })
		if got := err.Error(); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

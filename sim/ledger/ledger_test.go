package ledger_test

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/ledger"
)

func TestShare(t *testing.T) {
	t.Parallel()
	var l ledger.Ledger
	for i := range 4 {
		l.True("direct", ledger.Contact, fmt.Sprint(i))
	}
	l.Learn("direct", ledger.Proxy, ledger.Contact, "1")
	l.Learn("direct", ledger.Proxy, ledger.Contact, "1") // known already
	l.Learn("direct", ledger.Proxy, ledger.Contact, "3")
	l.Learn("direct", ledger.Proxy, ledger.Contact, "false")
	if got, want := l.Share("direct", ledger.Proxy, ledger.Contact), (ledger.Share{Known: 2, Truth: 4}); got != want {
		t.Errorf("share %+v, want %+v", got, want)
	}
	if r, ok := l.Share("direct", ledger.Proxy, ledger.Contact).Ratio(); r != 0.5 || !ok {
		t.Errorf("ratio %v, %v, want 0.5, true", r, ok)
	}
	for _, other := range []ledger.Share{
		l.Share("proxied", ledger.Proxy, ledger.Contact),
		l.Share("direct", ledger.Proxy, ledger.Size),
		(*ledger.Ledger)(nil).Share("direct", ledger.Proxy, ledger.Contact),
	} {
		if r, ok := other.Ratio(); r != 0 || ok {
			t.Errorf("share %+v has ratio %v, %v, want 0, false", other, r, ok)
		}
	}
	if got, want := l.Share("direct", ledger.Network, ledger.Contact), (ledger.Share{Truth: 4}); got != want {
		t.Errorf("share %+v, want %+v", got, want)
	}
}

func TestNilLedgerTakesNothingDown(t *testing.T) {
	t.Parallel()
	var l *ledger.Ledger
	l.True("direct", ledger.Size, "x")
	l.Learn("direct", ledger.Network, ledger.Size, "x")
}

func Example() {
	var l ledger.Ledger
	l.True("proxied", ledger.Address, "192.0.2.1")
	l.True("proxied", ledger.Address, "192.0.2.2")
	l.Learn("proxied", ledger.Gatekeeper, ledger.Address, "192.0.2.1")
	s := l.Share("proxied", ledger.Gatekeeper, ledger.Address)
	fmt.Printf("the %v knows %d of %d %v\n", ledger.Gatekeeper, s.Known, s.Truth, ledger.Address)
	// Output: the gatekeeper knows 1 of 2 addresses
}

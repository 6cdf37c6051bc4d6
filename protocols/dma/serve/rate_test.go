package serve

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := meter[string]{rate: Rate{3, 3 * time.Second}}
		take := func(key string, want ...bool) {
			t.Helper()
			for i, w := range want {
				if got := m.take(key, time.Now()); got != w {
					t.Errorf("%s, %d: got %t, want %t", key, i, got, w)
				}
			}
		}
		take("a", true, true, true, false, false)
		take("b", true)
		time.Sleep(time.Second)
		take("a", true, false)
		time.Sleep(time.Hour)
		take("a", true, true, true, false)
		none := meter[string]{}
		for range 100 {
			if !none.take("a", time.Now()) {
				t.Fatal("no rate, and it is refused")
			}
		}
	})
}

// TestMeterForgets: a meter does not grow with each address that there is, and forgets
// those first who may come again in any case.
func TestMeterForgets(t *testing.T) {
	t.Parallel()
	m := meter[int]{rate: Rate{1, time.Minute}}
	now := time.Now()
	for i := range maxKeys {
		m.take(i, now.Add(-time.Hour))
	}
	m.take(-1, now)
	if len(m.state) != 1 {
		t.Errorf("%d keys, want the last alone", len(m.state))
	}
	for i := range 2 * maxKeys {
		m.take(i, now)
	}
	if len(m.state) > maxKeys {
		t.Errorf("%d keys, want at most %d", len(m.state), maxKeys)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	y := tally[string]{most: 2}
	for i, want := range []bool{true, true, false} {
		if got := y.enter("a"); got != want {
			t.Errorf("a, %d: got %t, want %t", i, got, want)
		}
	}
	if !y.enter("b") {
		t.Error("b is refused for what a has")
	}
	y.leave("a")
	if !y.enter("a") || y.enter("a") {
		t.Error("want one more after one has left")
	}
	for _, k := range []string{"a", "a", "b"} {
		y.leave(k)
	}
	if len(y.now) != 0 {
		t.Errorf("%v is left", y.now)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	g := newGate(&Rates{Exempt: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8:1::/48")}})
	for _, tt := range []struct {
		address, want string // "" if it is not counted
	}{
		{"198.51.100.7:99", "198.51.100.7"},
		{"[::ffff:198.51.100.7]:99", "198.51.100.7"},
		{"192.0.2.200:1", ""},
		{"[::ffff:192.0.2.200]:1", ""},
		{"[2001:db8::1:2:3:4]:5", "2001:db8::"},
		{"[2001:db8::ffff:2:3:4]:6", "2001:db8::"},
		{"[fe80::1%eth0]:7", "fe80::"},
		{"[2001:db8:1::9]:5", ""},
		{"pipe", ""},
	} {
		got, counted := g.origin(textAddr(tt.address))
		if counted != (tt.want != "") || counted && got.String() != tt.want {
			t.Errorf("%s: got %v, %t; want %q", tt.address, got, counted, tt.want)
		}
	}
}

func TestRatesAreChecked(t *testing.T) {
	t.Parallel()
	for _, r := range []Rates{
		{Connections: -1}, {Handshakes: -1}, {Connects: Rate{-1, 1}}, {Enlistments: Rate{1, 0}},
		{PartnerEnlistments: Rate{1, -1}}, {Stanzas: Rate{10, 5}},
	} {
		if r.check() == nil {
			t.Errorf("%+v is taken", r)
		}
	}
	if err := (&Rates{Stanzas: Rate{5, 5}}).check(); err != nil {
		t.Error(err)
	}
}

// TestPace: a client that sends faster than it may is read later, and loses nothing.
func TestPace(t *testing.T) {
	t.Parallel()
	const burst, per = 5, 500 * time.Millisecond
	w := newWorld(t, func(c *Config) { c.Rates.Stanzas = Rate{burst, per} })
	r := w.enlist("bob@partner.example", w.partner).login()
	begin := time.Now()
	for range 2 * burst {
		r.ask(stanza.Get, stanza.KeepAlive{})
	}
	if took := time.Since(begin); took < per-per/burst {
		t.Errorf("%d stanzas were taken in %v, want that at least %v", 2*burst, took, per)
	}
	// A long stanza counts as many short ones.
	r.ask(stanza.Get, stanza.BlocklistQuery{})
	begin = time.Now()
	r.stanza(&stanza.IQ{ID: "long", Type: stanza.Set, Payload: &stanza.KeyUpload{Keys: stanza.Keys{Static: make([]byte, 4*StanzaUnit)}}})
	r.ask(stanza.Get, stanza.KeepAlive{})
	if took := time.Since(begin); took < 4*per/burst {
		t.Errorf("a stanza of %d units was taken in %v", 5, took)
	}
}

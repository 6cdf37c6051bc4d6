package serve

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestWatch: who watches is told of forms, connections and stanzas.
func TestWatch(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []string
	tell := func(s string, a ident.Address) {
		mu.Lock()
		defer mu.Unlock()
		if a.Server == ident.Interop {
			told = append(told, s)
		}
	}
	w := newWorld(t, func(c *Config) {
		c.Watch = Watch{
			Enlisted: func(f *enlist.Form, a ident.Address, err error) { tell("enlisted "+f.Identifier, a) },
			Connected: func(a ident.Address, err error) {
				if errors.Is(err, stanza.NotAuthorized) {
					a.Server = ident.Interop
					tell("refused", a)
					return
				}
				tell("connected", a)
			},
			Frame: func(a ident.Address, sent bool, frame []byte) {
				n, err := stanza.ParseBinary(frame)
				if err == nil && n.Tag == "message" {
					tell(map[bool]string{true: "to", false: "from"}[sent], a)
				}
			},
			Gone: func(a ident.Address, err error) { tell("gone", a) },
		}
	})
	alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner).connect()
	bob.send(alice, "one")
	alice.want(bob, "one")
	alice.send(bob, "two")
	bob.want(alice, "two")
	bob.disconnect()
	for { // the gatekeeper learns of it later
		mu.Lock()
		n := len(told)
		mu.Unlock()
		if n == 5 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	other := *bob
	pair, err := w.suite.GenerateKeyPair()
	must(t, err)
	other.open()
	other.account.Private, other.account.Public = pair.Private, pair.Public
	other.connect()
	_ = other.gone()
	w.stop()
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"enlisted bob@partner.example", "connected", "from", "to", "gone", "refused"}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q", told, want)
	}
}

package dma

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// askMedia has a device ask, and returns what it is told.
func askMedia(t *testing.T, n *network, d *node) (m *stanza.MediaConn, refused string) {
	t.Helper()
	d.media, d.mediaRefused = nil, ""
	n.step(d, AskMedia{})
	n.run()
	return d.media, d.mediaRefused
}

// TestMediaToken: a token is of the user who asked for it, until it expires, the agreement
// ends, the device is replaced, the account is deleted or the key is another.
func TestMediaToken(t *testing.T) {
	t.Parallel()
	hosts := MediaHosts{Hosts: []string{"media.example:8443"}, Key: [32]byte{7}, Lifetime: time.Minute}
	n, alice, bob := pair(t, GatekeeperConfig{Media: hosts})
	tokens := map[*node]string{}
	for _, d := range []*node{alice, bob} {
		m, refused := askMedia(t, n, d)
		if m == nil || refused != "" || len(m.Hosts) != 1 || m.Hosts[0] != hosts.Hosts[0] || m.AuthTTL != 60 {
			t.Fatalf("%s: told %+v, %q", d.name, m, refused)
		}
		tokens[d] = m.Auth
		if a, err := n.gk.MediaUser(n.now, m.Auth); err != nil || a != d.addr {
			t.Errorf("%s: the token is of %v, %v, want %v", d.name, a, err, d.addr)
		}
	}
	flip := func(i int) string {
		b, err := base64.RawURLEncoding.DecodeString(tokens[alice])
		if err != nil {
			t.Fatal(err)
		}
		b[(i+len(b))%len(b)] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	other := n.gkCfg
	other.Media.Key[0]++
	another, err := NewGatekeeper(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token string
		at          time.Duration
		gk          *Gatekeeper
	}{
		{"none", "", 0, n.gk},
		{"no base64", "!" + tokens[alice][1:], 0, n.gk},
		{"padded", tokens[alice] + "=", 0, n.gk},
		{"cut", tokens[alice][:40], 0, n.gk},
		{"another MAC", flip(0), 0, n.gk},
		{"another expiry", flip(39), 0, n.gk},
		{"another user", flip(40), 0, n.gk},
		{"another end", flip(-1), 0, n.gk},
		{"huge", string(make([]byte, 1<<20)), 0, n.gk},
		{"expired", tokens[alice], time.Minute, n.gk},
		{"another key", tokens[alice], 0, another},
	} {
		if a, err := tt.gk.MediaUser(n.now.Add(tt.at), tt.token); !errors.Is(err, stanza.NotAuthorized) || !a.IsZero() {
			t.Errorf("%s: got %v, %v, want %v", tt.name, a, err, stanza.NotAuthorized)
		}
	}
	n.gatekeeper(Agree{Integrator: 1})
	if _, err := n.gk.MediaUser(n.now, tokens[bob]); !errors.Is(err, stanza.AgreementRevoked) {
		t.Errorf("after the agreement: got %v, want %v", err, stanza.AgreementRevoked)
	}
	n.gatekeeper(Agree{Integrator: 1, Active: true})
	n.connect(bob)
	n.step(bob, Delete{})
	n.run()
	if _, err := n.gk.MediaUser(n.now, tokens[bob]); !errors.Is(err, stanza.NotAuthorized) {
		t.Errorf("after the account: got %v, want %v", err, stanza.NotAuthorized)
	}
	if _, err := n.gk.MediaUser(n.now, tokens[alice]); err != nil {
		t.Errorf("alice, whom nothing of it concerns: %v", err)
	}
}

// TestMediaTokenReplaced: the token of a device that was replaced is worth nothing.
func TestMediaTokenReplaced(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, GatekeeperConfig{Media: MediaHosts{Hosts: []string{"media.example"}}})
	enlist := func(key byte) *account {
		out := n.gatekeeper(Enlist{Integrator: 1, Visible: "bob", Device: enlistedDevice(key)})
		return n.gk.accounts[out.Account]
	}
	a := enlist(1)
	token := n.gk.mediaAuth(a, n.now.Unix()+60)
	if _, err := n.gk.MediaUser(n.now, token); err != nil {
		t.Fatal(err)
	}
	enlist(2)
	if _, err := n.gk.MediaUser(n.now, token); !errors.Is(err, stanza.NotAuthorized) {
		t.Errorf("got %v, want %v", err, stanza.NotAuthorized)
	}
}

// TestNoMediaHost: a gatekeeper without one says so.
func TestNoMediaHost(t *testing.T) {
	t.Parallel()
	n, alice, _ := pair(t, GatekeeperConfig{})
	if m, refused := askMedia(t, n, alice); m != nil || refused != stanza.FeatureNotImplemented.Sentence() {
		t.Errorf("told %+v, %q", m, refused)
	}
	wantSettled(t, n)
	if _, err := NewGatekeeper(GatekeeperConfig{Native: "s.whatsapp.net", Media: MediaHosts{Lifetime: -1}}); err == nil {
		t.Error("a negative lifetime is taken")
	}
}

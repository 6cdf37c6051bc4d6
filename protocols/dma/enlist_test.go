package dma

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// enlistedDevice returns the keys of a device as a form has them, told apart by b.
func enlistedDevice(b byte) *EnlistedDevice {
	fill := func(n int) []byte { return bytes.Repeat([]byte{b}, n) }
	return &EnlistedDevice{AuthKey: fill(32), Keys: stanza.Keys{
		Registration: uint32(b), Identity: fill(32), Signed: &stanza.SignedKey{ID: 1, Value: fill(32), Signature: fill(64)},
	}}
}

func TestEnlistDevice(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, GatekeeperConfig{Reach: DefaultOn})
	bob := n.gatekeeper(Enlist{Integrator: 1, Visible: "bob", Device: enlistedDevice(1)}).Account
	alice := n.gatekeeper(Register{User: "4915100000001", Eligible: true, Device: enlistedDevice(2)}).Account
	for range 2 { // before a restart and after it
		a, ok := n.gk.Account(bob)
		if !ok || a.Visible != "bob" || !bytes.Equal(a.AuthKey, enlistedDevice(1).AuthKey) || a.Connected {
			t.Errorf("bob: got %+v, %t", a, ok)
		}
		if a, ok := n.gk.Account(alice); !ok || a.Visible != "4915100000001" || !bytes.Equal(a.AuthKey, enlistedDevice(2).AuthKey) {
			t.Errorf("alice: got %+v, %t", a, ok)
		}
		if !bytes.Equal(n.gk.accounts[bob].keys.static[4:36], enlistedDevice(1).Keys.Identity) {
			t.Errorf("bob's keys: %x", n.gk.accounts[bob].keys.static)
		}
		n.crashGatekeeper()
	}
	if _, ok := n.gk.Account(n.gatekeeper(Enlist{Integrator: 1, Visible: "carol"}).Account); !ok {
		t.Error("an account without a device is not there")
	}
	if other := n.gatekeeper(Enlist{Integrator: 1, Visible: "carol", Device: enlistedDevice(3)}).Account; other == bob {
		t.Error("carol got bob's account")
	}
}

// TestEnlistAgain: a user who enlists again keeps the account, and the device before is
// out.
func TestEnlistAgain(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, GatekeeperConfig{Reach: DefaultOn})
	n.gatekeeper(Agree{Integrator: 2, Active: true})
	bob := n.gatekeeper(Enlist{Integrator: 1, Visible: "bob", Device: enlistedDevice(1)}).Account
	n.gatekeeper(Connect{Conn: 7, Account: bob})
	out := n.gatekeeper(Enlist{Integrator: 1, Visible: "bob", Device: enlistedDevice(2)})
	if out.Account != bob || len(out.Sends) != 1 || out.Sends[0].Conn != 7 || !out.Sends[0].Close {
		t.Errorf("again: account %v, sends %+v", out.Account, out.Sends)
	}
	n.crashGatekeeper()
	if a, _ := n.gk.Account(bob); !bytes.Equal(a.AuthKey, enlistedDevice(2).AuthKey) || a.Connected {
		t.Errorf("got %+v", a)
	}
	if got := n.gatekeeper(Enlist{Integrator: 1, Visible: "bob", Device: enlistedDevice(3)}).Account; got != bob {
		t.Errorf("after a restart: got %v, want %v", got, bob)
	}
	if got := n.gatekeeper(Enlist{Integrator: 2, Visible: "bob", Device: enlistedDevice(3)}).Account; got == bob {
		t.Error("another partner's bob got the account")
	}
	alice := n.gatekeeper(Register{User: "4915100000001", Device: enlistedDevice(2)}).Account
	if got := n.gatekeeper(Register{User: "4915100000001", Device: enlistedDevice(4)}).Account; got != alice {
		t.Errorf("native: got %v, want %v", got, alice)
	}
}

func TestEnlistRefused(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, GatekeeperConfig{})
	bad := func(set func(*EnlistedDevice)) *EnlistedDevice {
		d := enlistedDevice(1)
		set(d)
		return d
	}
	for _, tt := range []struct {
		name string
		in   Input
		says string
	}{
		{"no agreement", Enlist{Integrator: 9, Visible: "bob", Device: enlistedDevice(1)}, "463"},
		{"no identifier", Enlist{Integrator: 1}, "identifier of 0 bytes"},
		{"long identifier", Enlist{Integrator: 1, Visible: strings.Repeat("x", 257)}, "identifier of 257 bytes"},
		{"auth key", Enlist{Integrator: 1, Visible: "bob", Device: bad(func(d *EnlistedDevice) { d.AuthKey = d.AuthKey[1:] })}, "auth key of 31 bytes"},
		{"identity", Register{User: "4915100000001", Device: bad(func(d *EnlistedDevice) { d.Keys.Identity = nil })}, "wrong size"},
		{"signed prekey", Enlist{Integrator: 1, Visible: "bob", Device: bad(func(d *EnlistedDevice) { d.Keys.Signed = nil })}, "wrong size"},
		{"other form", Enlist{Integrator: 1, Visible: "bob", Device: bad(func(d *EnlistedDevice) { d.Keys.Static = []byte{1} })}, "another form"},
		{"one-time key", Enlist{Integrator: 1, Visible: "bob", Device: bad(func(d *EnlistedDevice) {
			d.Keys.OneTime = []stanza.OneTimeKey{{ID: 1, Value: []byte{1}}}
		})}, "one-time keys"},
	} {
		out, err := n.gk.Step(n.now, tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.says) || len(out.Persist) != 0 {
			t.Errorf("%s: got %v, %d records, want %q", tt.name, err, len(out.Persist), tt.says)
		}
	}
	if len(n.gk.accounts) != 0 {
		t.Errorf("%d accounts, want none", len(n.gk.accounts))
	}
}

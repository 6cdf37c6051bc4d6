package adaptertest

import (
	"bytes"
	"regexp"

	"github.com/mimi-lab/mimi-lab/protocols"
)

var metadataChecks = []check{
	{"name is stable and well formed", func(h *harness) {
		name := h.adapter.Name()
		if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(name) {
			h.Errorf("name %q, want lower-case letters, digits and dashes", name)
		}
		if again := h.adapter.Name(); again != name {
			h.Errorf("name was %q and is %q", name, again)
		}
	}},
	{"config without address or suite is refused", func(h *harness) {
		full := h.config("a")
		for what, cfg := range map[string]protocols.Config{
			"address": {Suite: full.Suite},
			"suite":   {Address: full.Address},
		} {
			if _, err := h.adapter.New(cfg); err == nil {
				h.Errorf("New without %s succeeded", what)
			}
			if _, err := h.adapter.Restore(cfg, h.client("a").State()); err == nil {
				h.Errorf("Restore without %s succeeded", what)
			}
		}
	}},
}

var publishChecks = []check{
	{"publish gives as many one-time keys as asked for, with unique ids", func(h *harness) {
		a := h.client("a")
		seen := make(map[uint32]bool)
		for _, n := range []int{0, 1, 7, 0, 100, 3, protocols.MaxOneTime} {
			for _, k := range a.publish(n).OneTime {
				if k.ID == 0 || seen[k.ID] {
					h.Fatalf("one-time key id %d is zero or was used before", k.ID)
				}
				seen[k.ID] = true
			}
		}
	}},
	{"publish refuses a count out of range", func(h *harness) {
		a := h.client("a")
		for _, n := range []int{-1, protocols.MaxOneTime + 1} {
			before := a.State()
			if _, err := a.Publish(now, n); err == nil {
				h.Errorf("publishing %d one-time keys succeeded", n)
			}
			if diff := diffRecords(before, a.State()); diff != "" {
				h.Errorf("publishing %d one-time keys failed and changed the state: %s", n, diff)
			}
		}
	}},
	{"the reusable part stays until it is rotated", func(h *harness) {
		a := h.client("a")
		first := a.publish(2).Static
		if again := a.publish(0).Static; !bytes.Equal(first, again) {
			h.Error("two calls of Publish gave different reusable parts")
		}
		a.rotate()
		second := a.publish(0).Static
		if bytes.Equal(first, second) {
			h.Error("Rotate did not replace the reusable part")
		}
	}},
	{"key material belongs to the caller", func(h *harness) {
		a, b := h.client("a"), h.client("b")
		k := b.publish(1)
		bundle := protocols.Bundle{
			Static:  bytes.Clone(k.Static),
			OneTime: &protocols.OneTimeKey{ID: k.OneTime[0].ID, Value: bytes.Clone(k.OneTime[0].Value)},
		}
		clear(k.Static)
		clear(k.OneTime[0].Value)
		if bytes.Equal(b.publish(0).Static, k.Static) {
			h.Fatal("clearing published key material cleared it in the client")
		}
		a.establishWith(b, bundle)
		clear(bundle.Static)
		clear(bundle.OneTime.Value)
		a.exchange(b)
	}},
	{"a one-time key serves once", func(h *harness) {
		a, b, c := h.client("a"), h.client("b"), h.client("c")
		bundle := b.bundle(true)
		a.establishWith(b, bundle)
		c.establishWith(b, bundle)
		n := b.open(a, a.seal(b, "first"), "first")
		if !n.Has(protocols.OneTimeKeyUsed) {
			h.Errorf("notice %b of a first message lacks OneTimeKeyUsed", n)
		}
		b.refusesPayload(c, c.seal(b, "second"), "a message to a used one-time key", protocols.ErrKeyUnknown)
		a.establishWith(b, bundle)
		b.refusesPayload(a, a.seal(b, "third"), "a message to a used one-time key", protocols.ErrKeyUnknown)
		a.establish(b, true)
		a.exchange(b)
	}},
	{"one-time keys serve in any order", func(h *harness) {
		b := h.client("b")
		k := b.publish(130)
		for i := range k.OneTime {
			one := k.OneTime[(i*37)%len(k.OneTime)]
			a := h.client(protocols.Address("a" + string(rune('0'+i))))
			a.establishWith(b, protocols.Bundle{Static: k.Static, OneTime: &one})
			if i%3 == 0 {
				continue // never used
			}
			if n := b.open(a, a.seal(b, "-"), "-"); !n.Has(protocols.OneTimeKeyUsed | protocols.SessionStarted) {
				h.Fatalf("notice %b, want a new session and a used key", n)
			}
		}
	}},
	{"a session needs no one-time key", func(h *harness) {
		a, b, c := h.client("a"), h.client("b"), h.client("c")
		bundle := b.bundle(false)
		for _, d := range []*device{a, c} {
			d.establishWith(b, bundle)
			n := b.open(d, d.seal(b, "-"), "-")
			if n.Has(protocols.OneTimeKeyUsed) || !n.Has(protocols.SessionStarted) {
				h.Errorf("notice %b, want a new session and no used key", n)
			}
			d.exchange(b)
		}
	}},
	{"a replaced reusable part serves until the next rotation", func(h *harness) {
		a, b, c := h.client("a"), h.client("b"), h.client("c")
		old := b.bundle(false)
		b.rotate()
		a.establishWith(b, old)
		a.exchange(b)
		b.rotate()
		c.establishWith(b, old)
		b.refusesPayload(c, c.seal(b, "-"), "a message to a part that was replaced twice", protocols.ErrKeyUnknown)
		a.exchange(b)
		c.establish(b, false)
		c.exchange(b)
	}},
	{"altered key material gives no session with another plaintext", func(h *harness) {
		b := h.client("b")
		a := h.client("a")
		bundle := b.bundle(true)
		for i := range bundle.Static {
			a.tamperedBundle(b, i, protocols.Bundle{Static: flip(bundle.Static, i, 0)})
		}
		for i := range bundle.OneTime.Value {
			k := &protocols.OneTimeKey{ID: bundle.OneTime.ID, Value: flip(bundle.OneTime.Value, i, 0)}
			a.tamperedBundle(b, i, protocols.Bundle{Static: bundle.Static, OneTime: k})
		}
	}},
	{"truncated key material is refused", func(h *harness) {
		a, b := h.client("a"), h.client("b")
		bundle := b.bundle(true)
		refuse := func(what string, n int, p protocols.Bundle) {
			h.Helper()
			a.refuses(what, protocols.ErrMalformed, func() error {
				_, err := a.Establish(now, "b", p)
				return err
			})
			if a.Established("b") {
				h.Fatalf("a session was established with %s of %d bytes", what, n)
			}
		}
		for n := range bundle.Static {
			refuse("a truncated reusable part", n, protocols.Bundle{Static: bundle.Static[:n], OneTime: bundle.OneTime})
		}
		for n := range bundle.OneTime.Value {
			k := &protocols.OneTimeKey{ID: bundle.OneTime.ID, Value: bundle.OneTime.Value[:n]}
			refuse("a truncated one-time key", n, protocols.Bundle{Static: bundle.Static, OneTime: k})
		}
		refuse("nothing", 0, protocols.Bundle{})
	}},
}

func (d *device) rotate() {
	d.h.Helper()
	if err := d.Rotate(now); err != nil {
		d.h.Fatalf("%s rotates: %v", d.address, err)
	}
}

// tamperedBundle establishes a session from a bundle that was altered at byte i.
// If that works and the message opens, the alteration was of no consequence and
// the plaintext is right.
func (d *device) tamperedBundle(peer *device, i int, b protocols.Bundle) {
	d.h.Helper()
	if _, err := d.Establish(now, peer.address, b); err != nil {
		if sentinel(err) == nil {
			d.h.Errorf("byte %d altered: error %q wraps no sentinel of package protocols", i, err)
		}
		return
	}
	s := d.seal(peer, "to whom?")
	before := peer.State()
	o, err := peer.Open(d.address, s)
	switch {
	case err == nil && string(o.Plaintext) != "to whom?":
		d.h.Fatalf("byte %d altered: opened %q, want the text that was sent or an error", i, o.Plaintext)
	case err != nil && sentinel(err) == nil:
		d.h.Errorf("byte %d altered: error %q wraps no sentinel of package protocols", i, err)
	case err != nil:
		if diff := diffRecords(before, peer.State()); diff != "" {
			d.h.Fatalf("byte %d altered: refused with %q but changed the state: %s", i, err, diff)
		}
	}
}

// flip returns b with one bit changed.
func flip(b []byte, i, bit int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1 << bit
	return b
}

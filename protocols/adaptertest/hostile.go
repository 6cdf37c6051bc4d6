package adaptertest

import (
	"bytes"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// sample is a genuine payload on its way.
type sample struct {
	kind     string
	to, from *device
	sealed   protocols.Sealed
	text     string
	first    bool // it begins a session
}

// samples returns payloads of all kinds, each of its own pair of devices.
func (h *harness) samples() []sample {
	h.Helper()
	const text = "some words to protect"
	var all []sample
	add := func(kind string, first bool, to, from *device) {
		all = append(all, sample{kind, to, from, from.seal(to, text), text, first})
	}

	a, b := h.pair()
	add("the first message", true, b, a)

	a, b = h.client("a"), h.client("b")
	a.establish(b, false)
	add("the first message without a one-time key", true, b, a)

	a, b = h.pair()
	b.open(a, a.seal(b, "-"), "-")
	add("the second message", false, b, a)
	add("the first reply", false, a, b)

	a, b = h.talking()
	add("a message of a running conversation", false, b, a)

	a, b = h.talking()
	late := a.seal(b, text)
	b.open(a, a.seal(b, "-"), "-")
	all = append(all, sample{"a skipped message", b, a, late, text, false})

	a, b = h.talking()
	a.exchange(b)
	a.establish(b, true)
	add("the first message of a second session", true, b, a)

	a, b = h.talking()
	late = a.seal(b, text)
	a.establish(b, true)
	a.exchange(b)
	all = append(all, sample{"a message of the session before", b, a, late, text, false})
	return all
}

func (s sample) with(payload []byte) protocols.Sealed {
	return protocols.Sealed{Type: s.sealed.Type, Version: s.sealed.Version, Payload: payload}
}

// opens demands that the genuine payload still opens and the conversation goes
// on, whatever was refused before.
func (s sample) opens() {
	s.to.h.Helper()
	s.to.open(s.from, s.sealed, s.text)
	s.from.exchange(s.to)
}

// alteredAt tries the payload with another byte at i. It reports whether it was
// opened all the same, as it may be within what the protocol leaves without
// authentication.
func (s sample) alteredAt(h *harness, i int, payload []byte) (opened bool) {
	h.Helper()
	for _, r := range h.opt.Unauthenticated(s.sealed) {
		if !s.first || i < r.From || i >= r.To {
			continue
		}
		d := s.to.restored(s.to.State()) // s.to itself has yet to open the genuine one
		if o, err := d.Open(s.from.address, s.with(payload)); err == nil && string(o.Plaintext) != s.text {
			h.Fatalf("%s, byte %d altered: opened %q, want %q or an error", s.kind, i, o.Plaintext, s.text)
		}
		return true
	}
	s.to.refusesPayload(s.from, s.with(payload), fmt.Sprintf("%s, byte %d of %d altered", s.kind, i, len(payload)), nil)
	return false
}

var hostileChecks = []check{
	{"a payload altered at any byte is refused", func(h *harness) {
		for _, s := range h.samples() {
			exempt := 0
			for i := range s.sealed.Payload {
				altered := bytes.Clone(s.sealed.Payload)
				altered[i] ^= byte(1 + h.rand.IntN(255))
				if s.alteredAt(h, i, altered) {
					exempt++
				}
			}
			if exempt > len(s.sealed.Payload)/16 {
				h.Errorf("%s: %d of %d bytes are exempt from authentication", s.kind, exempt, len(s.sealed.Payload))
			}
			s.opens()
		}
	}},
	{"a payload altered at any bit is refused", func(h *harness) {
		for _, s := range h.samples()[:4] {
			for i := range s.sealed.Payload {
				for bit := range 8 {
					s.alteredAt(h, i, flip(s.sealed.Payload, i, bit))
				}
			}
			s.opens()
		}
	}},
	{"a payload cut short or drawn out is refused", func(h *harness) {
		for _, s := range h.samples() {
			p := s.sealed.Payload
			for n := range p {
				s.to.refusesPayload(s.from, s.with(p[:n]), fmt.Sprintf("%s, cut to %d of %d bytes", s.kind, n, len(p)), nil)
			}
			for _, n := range []int{1, 8, 16, 64} {
				longer := append(bytes.Clone(p), make([]byte, n)...)
				s.to.refusesPayload(s.from, s.with(longer), fmt.Sprintf("%s with %d zeros behind", s.kind, n), nil)
			}
			s.to.refusesPayload(s.from, s.with(nil), s.kind+" without payload", protocols.ErrMalformed)
			s.to.refusesPayload(s.from, s.with(p[1:]), s.kind+" without its first byte", nil)
			s.opens()
		}
	}},
	{"a payload under another type or version is refused", func(h *harness) {
		all := h.samples()
		types := map[string]bool{"": true, "none-such": true}
		for _, s := range all {
			types[s.sealed.Type] = true
		}
		for _, s := range all {
			for name := range types {
				if name == s.sealed.Type {
					continue
				}
				other := s.sealed
				other.Type = name
				s.to.refusesPayload(s.from, other, fmt.Sprintf("%s as type %q", s.kind, name), protocols.ErrMalformed)
			}
			for _, version := range []int{-1, s.sealed.Version + 1} {
				other := s.sealed
				other.Version = version
				s.to.refusesPayload(s.from, other, fmt.Sprintf("%s as version %d", s.kind, version), protocols.ErrMalformed)
			}
			s.opens()
		}
	}},
	{"a payload does not open at another client", func(h *harness) {
		a, b := h.talking()
		c := h.client("c")
		c.establish(a, true)
		c.exchange(a)
		s := a.seal(b, "for b")
		c.refusesPayload(a, s, "another client's message", nil)
		b.open(a, s, "for b")
		b.establish(a, true) // a first message, too
		s = b.seal(a, "for a")
		c.refusesPayload(b, s, "another client's first message", nil)
		a.open(b, s, "for a")
	}},
	{"a payload does not open at its sender", func(h *harness) {
		a, b := h.talking()
		s := a.seal(b, "for b")
		a.refusesPayload(b, s, "its own message", nil)
		b.open(a, s, "for b")
	}},
	{"random bytes are refused and never panic", func(h *harness) {
		for _, s := range h.samples() {
			before := s.to.State()
			for range 400 {
				p := make([]byte, h.rand.IntN(2*len(s.sealed.Payload)))
				for i := range p {
					p[i] = byte(h.rand.Uint32())
				}
				if h.rand.IntN(2) == 0 { // begin like a genuine one
					copy(p, s.sealed.Payload[:h.rand.IntN(min(len(p), len(s.sealed.Payload))+1)])
				}
				if o, err := s.to.Open(s.from.address, s.with(p)); err == nil && !bytes.Equal(p, s.sealed.Payload) {
					h.Fatalf("%s: random bytes %x opened to %q", s.kind, p, o.Plaintext)
				}
			}
			if diff := diffRecords(before, s.to.State()); diff != "" {
				h.Fatalf("%s: random bytes changed the state: %s", s.kind, diff)
			}
			s.opens()
		}
	}},
	{"a mixture of two payloads is refused", func(h *harness) {
		a, b := h.talking()
		x, y := a.seal(b, "some text of mine"), a.seal(b, "some other text..")
		for n := 1; n < min(len(x.Payload), len(y.Payload)); n++ {
			mixed := append(bytes.Clone(x.Payload[:n]), y.Payload[n:]...)
			if bytes.Equal(mixed, x.Payload) || bytes.Equal(mixed, y.Payload) {
				continue
			}
			b.refusesPayload(a, protocols.Sealed{Type: x.Type, Version: x.Version, Payload: mixed},
				fmt.Sprintf("a mixture of two messages, cut at %d", n), nil)
		}
		b.open(a, y, "some other text..")
		b.open(a, x, "some text of mine")
	}},
}

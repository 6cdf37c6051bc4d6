package adaptertest

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// groupChecks are on who reads what, and on payloads that come altered, in
// disorder or in a group they are not of.
var groupChecks = []check{
	{"group: there is none before it is made", func(h *harness) {
		p := h.party("a", "b")
		outsider := h.client("c")
		p.devices["c"] = outsider
		for what, op := range map[string]func() error{
			"members of no group":      func() error { _, err := outsider.group().Members(p.g); return err },
			"sealing to no group":      func() error { _, err := outsider.group().SealGroup(p.g, nil); return err },
			"changing no group":        func() error { _, err := outsider.group().Change(now, p.g, nil, []protocols.Address{"a"}); return err },
			"a group's message to one": func() error { return openEnvelope(outsider, p, "a", p.content("a", "not for c")) },
		} {
			outsider.refuses(what, protocols.ErrNoSession, op)
		}
	}},
	{"group: one member alone", func(h *harness) {
		p := h.party("a")
		p.agree()
		p.say("a", "to myself")
		if err := p.devices["a"].group().CreateGroup(now, p.g); err == nil {
			h.Error("a group was made twice")
		}
		p.agree()
	}},
	{"group: everybody reads everybody", func(h *harness) {
		p := h.party("a", "b", "c", "d")
		for i := range 3 {
			p.everybody(fmt.Sprint(i))
		}
		for _, n := range []int{0, 1, 15, 16, 17, 300, 70000} {
			p.say("b", h.text(n))
		}
	}},
	{"group: a payload hides its plaintext", func(h *harness) {
		p := h.party("a", "b")
		text := "a sentence that the hub should not be able to read"
		for range 2 {
			e := p.content("a", text)
			if bytes.Contains(e.Payload, []byte(text[:8])) {
				h.Fatal("payload contains plaintext")
			}
			p.open("b", "a", e, text)
		}
	}},
	{"group: who is added reads what follows and nothing before", func(h *harness) {
		p := h.party("a", "b")
		p.everybody("early")
		early := p.content("a", "before c")
		p.open("b", "a", early, "before c")
		p.devices["c"] = h.client("c")
		p.change("b", []protocols.Address{"c"}, nil)
		p.everybody("with c")
		p.refuses("c", "a", early.Sealed, "a message from before it was added", nil)
	}},
	{"group: who is removed reads nothing that follows", func(h *harness) {
		p := h.party("a", "b", "c", "d")
		p.everybody("with c")
		spy := p.devices["c"].restored(clone(p.devices["c"].State())) // who never hears of it
		p.change("a", nil, []protocols.Address{"c"})
		for range 2 {
			for _, from := range p.members {
				envelopes := p.seal(from, "without c")
				for _, e := range envelopes {
					if slices.Contains(e.To, "c") {
						h.Errorf("%s sends to the removed member", from)
					}
					for _, c := range []*device{p.devices["c"], spy} {
						if o, err := c.group().OpenGroup(now, p.g, from, e.Sealed); err == nil && o.Plaintext != nil {
							h.Fatalf("the removed member read %q from %s", o.Plaintext, from)
						}
					}
				}
				p.deliver(from, envelopes, "without c")
			}
		}
		if _, err := p.devices["c"].group().SealGroup(p.g, []byte("still here")); err == nil {
			h.Error("the removed member can seal to the group")
		}
	}},
	{"group: who was removed can come back", func(h *harness) {
		p := h.party("a", "b", "c")
		p.everybody("first")
		p.change("a", nil, []protocols.Address{"c"})
		missed := p.content("b", "without c")
		p.open("a", "b", missed, "without c")
		p.change("b", []protocols.Address{"c"}, nil)
		p.everybody("again")
		p.refuses("c", "b", missed.Sealed, "a message from between", nil)
	}},
	{"group: add and remove in one change", func(h *harness) {
		p := h.party("a", "b", "c")
		p.everybody("first")
		p.devices["d"] = h.client("d")
		p.change("b", []protocols.Address{"d"}, []protocols.Address{"c"})
		p.everybody("second")
	}},
	{"group: messages open in any order, each once", func(h *harness) {
		p := h.party("a", "b", "c")
		var sent []protocols.Envelope
		for i := range 20 {
			sent = append(sent, p.content("a", fmt.Sprint(i)))
		}
		for i, k := range h.rand.Perm(len(sent)) {
			if i%5 == 4 {
				continue // lost
			}
			p.open("b", "a", sent[k], fmt.Sprint(k))
			p.refuses("b", "a", sent[k].Sealed, "a group message again", protocols.ErrReplayed)
			if i == 10 {
				p.restart("b")
				p.refuses("b", "a", sent[k].Sealed, "a group message again after a restart", protocols.ErrReplayed)
			}
		}
		p.everybody("and on")
	}},
	{"group: an altered payload is refused", func(h *harness) {
		p := h.party("a", "b")
		p.everybody("hello")
		e := p.content("a", "some words to protect")
		for i := range e.Payload {
			for bit := range 8 {
				if bit != i%8 && i > 40 {
					continue
				}
				s := e.Sealed
				s.Payload = flip(s.Payload, i, bit)
				p.refuses("b", "a", s, fmt.Sprintf("a group message, bit %d of byte %d of %d altered", bit, i, len(s.Payload)), nil)
			}
		}
		for n := range e.Payload {
			s := e.Sealed
			s.Payload = s.Payload[:n]
			p.refuses("b", "a", s, fmt.Sprintf("a group message cut to %d bytes", n), nil)
		}
		for _, n := range []int{1, 16, 64} {
			s := e.Sealed
			s.Payload = append(bytes.Clone(s.Payload), make([]byte, n)...)
			p.refuses("b", "a", s, "a group message with zeros behind", nil)
		}
		for range 300 {
			s := e.Sealed
			s.Payload = []byte(h.text(h.rand.IntN(200)))
			p.refuses("b", "a", s, "random bytes as a group message", nil)
		}
		s := e.Sealed
		s.Version++
		p.refuses("b", "a", s, "a group message of another version", protocols.ErrMalformed)
		s = e.Sealed
		s.Type = "none-such"
		p.refuses("b", "a", s, "a group message of another type", protocols.ErrMalformed)
		p.open("b", "a", e, "some words to protect")
		p.everybody("bye")
	}},
	{"group: a payload is of its sender and its group", func(h *harness) {
		p := h.party("a", "b", "c")
		other := &party{h: h, g: "other", devices: p.devices, members: []protocols.Address{"a"}}
		if err := p.devices["a"].group().CreateGroup(now, other.g); err != nil {
			h.Fatal(err)
		}
		other.change("a", []protocols.Address{"b", "c"}, nil)
		p.everybody("one")
		other.everybody("other")
		e := p.content("a", "from a")
		p.refuses("b", "c", e.Sealed, "one member's message as another's", nil)
		other.refuses("b", "a", e.Sealed, "one group's message as another's", nil)
		p.refuses("a", "b", e.Sealed, "its own message", nil)
		p.open("b", "a", e, "from a")
		for _, e := range p.devices["a"].setUp(p) {
			for _, to := range e.To {
				other.refuses(to, "a", e.Sealed, "one group's envelope in another", nil)
			}
		}
	}},
	{"group: state survives export and import at every step", func(h *harness) {
		p := h.party("a", "b", "c")
		p.devices["d"] = h.client("d")
		restart := func() {
			for name := range p.devices {
				p.restart(name)
			}
		}
		restart()
		late := p.content("a", "late")
		restart()
		p.everybody("1")
		restart()
		p.change("c", []protocols.Address{"d"}, nil)
		restart()
		p.open("b", "a", late, "late")
		p.everybody("2")
		restart()
		p.refuses("b", "a", late.Sealed, "a late message again", protocols.ErrReplayed)
		p.change("b", nil, []protocols.Address{"a"})
		restart()
		p.everybody("3")
	}},
	{"group: changes add up to the state", func(h *harness) {
		p := h.party("a", "b")
		p.devices["c"] = h.client("c")
		var stores []*store
		for _, d := range p.devices {
			stores = append(stores, &store{d: d, records: clone(d.State())})
		}
		sync := func(after string) {
			h.Helper()
			for _, s := range stores {
				s.sync(h, after)
			}
		}
		p.everybody("1")
		sync("messages")
		p.change("a", []protocols.Address{"c"}, nil)
		sync("an addition")
		p.everybody("2")
		sync("more messages")
		p.change("c", nil, []protocols.Address{"b"})
		sync("a removal")
		p.everybody("3")
		sync("the last messages")
		if _, err := p.propose("a", []protocols.Address{"b"}, nil); err != nil {
			h.Fatal(err)
		}
		sync("a proposal")
		if err := p.devices["a"].group().Settle(p.g, false); err != nil {
			h.Fatal(err)
		}
		sync("its end")
	}},
	{"group: messages sealed at once all open, each once", func(h *harness) {
		p := h.party("a", "b")
		p.everybody("hello")
		const workers, each = 4, 10
		sent := make([][]protocols.Envelope, workers)
		concurrently(workers, func(w int) {
			for range each {
				e, err := p.devices["a"].group().SealGroup(p.g, []byte("at once"))
				if err != nil {
					h.Errorf("seal: %v", err)
					return
				}
				sent[w] = append(sent[w], e...)
			}
		})
		var opened atomic.Int32
		concurrently(workers, func(w int) {
			for v := range workers {
				for _, e := range sent[(w+v)%workers] {
					if _, err := p.devices["b"].group().OpenGroup(now, p.g, "a", e.Sealed); err == nil {
						opened.Add(1)
					}
				}
			}
		})
		if got := opened.Load(); got != workers*each {
			h.Errorf("%d messages opened, want each of %d once", got, workers*each)
		}
		p.everybody("bye")
	}},
}

func openEnvelope(d *device, p *party, from protocols.Address, e protocols.Envelope) error {
	_, err := d.group().OpenGroup(now, p.g, from, e.Sealed)
	return err
}

// setUp returns the envelopes by which the next message's readers are set up,
// after all sessions were made anew. There may be none.
func (d *device) setUp(p *party) []protocols.Envelope {
	d.h.Helper()
	for _, a := range p.members {
		if a != d.address {
			d.establish(p.devices[a], true)
		}
	}
	return slices.DeleteFunc(p.seal(d.address, "-"), func(e protocols.Envelope) bool { return e.To == nil })
}

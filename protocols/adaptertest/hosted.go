package adaptertest

import (
	"errors"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// hostedChecks are on groups whose members a server names.
var hostedChecks = []check{
	{"hosted group: the server's list is what holds", func(h *harness) {
		p := h.hosted("a", "b", "c")
		p.everybody("first")
		p.name("a", "b", "c", "d")
		p.everybody("with d")
		p.name("b", "c", "d")
		p.everybody("without a")
		if _, err := p.devices["a"].group().SealGroup(p.g, []byte("still here")); !errors.Is(err, protocols.ErrNoSession) {
			h.Errorf("who is named no more seals to the group: %v, want %v", err, protocols.ErrNoSession)
		}
		for _, name := range p.members {
			p.restart(name)
		}
		p.everybody("after a restart")
	}},
	{"hosted group: who comes and goes reads nothing before and after", func(h *harness) {
		p := h.hosted("a", "b", "c")
		p.everybody("first")
		early := p.content("a", "before d")
		p.open("b", "a", early, "before d")
		p.name("a", "b", "c", "d")
		p.everybody("with d")
		p.refuses("d", "a", early.Sealed, "a message from before it was named", nil)
		spy := p.devices["d"].restored(clone(p.devices["d"].State())) // who keeps the list of before
		p.name("a", "b", "c")
		for _, from := range p.members {
			for _, e := range p.seal(from, "without d") {
				if o, err := spy.group().OpenGroup(now, p.g, from, e.Sealed); err == nil && o.Plaintext != nil {
					h.Fatalf("who is named no more read %q from %s", o.Plaintext, from)
				}
			}
		}
	}},
	{"hosted group: no member changes it", func(h *harness) {
		p := h.hosted("a", "b", "c")
		p.everybody("first")
		if _, err := p.devices["a"].group().Change(now, p.g, nil, []protocols.Address{"b"}); err == nil {
			h.Error("a member changed a hosted group")
		}
		evil := h.party("a", "b", "c") // of the same name, but not hosted
		envelopes, err := evil.propose("a", nil, []protocols.Address{"c"})
		if err != nil {
			h.Fatal(err)
		}
		p.devices["b"].establish(evil.devices["a"], true)
		for _, e := range envelopes {
			if slices.Contains(e.To, "b") {
				p.refuses("b", "a", e.Sealed, "a member's change of a hosted group", nil)
			}
		}
		p.agree()
		if err := evil.devices["a"].hosted().SetMembers(p.g, p.members); err == nil {
			h.Error("a group of its members became hosted")
		}
	}},
	{"hosted group: a distribution for one, and once more for all", func(h *harness) {
		p := h.hosted("a", "b", "c")
		lost := p.seal("a", "the distributions of this are lost")
		content := lost[len(lost)-1]
		p.refuses("b", "a", content.Sealed, "a message whose key was lost", protocols.ErrNoSession)
		if n := len(p.seal("a", "so is this")); n != 1 {
			h.Fatalf("%d envelopes, want the message alone: the others hold the key as far as a knows", n)
		}
		one, err := p.devices["a"].hosted().Distribute(p.g, "b")
		if err != nil || !slices.Equal(one.To, []protocols.Address{"b"}) {
			h.Fatalf("distribution for b: %q, %v", one.To, err)
		}
		p.hand("a", []protocols.Envelope{one}, p.members)
		e := p.content("a", "b can read it")
		p.open("b", "a", e, "b can read it")
		p.refuses("c", "a", e.Sealed, "a message whose key was lost", protocols.ErrNoSession)
		if err := p.devices["a"].hosted().Redistribute(p.g, []protocols.Address{"b", "c", "nobody"}); err != nil {
			h.Fatal(err)
		}
		p.restart("a")
		p.say("a", "everybody can")
		if _, err := p.devices["a"].hosted().Distribute(p.g, "nobody"); err == nil {
			h.Error("a distribution for who is no member")
		}
	}},
	{"hosted group: a list that is so already changes nothing", func(h *harness) {
		p := h.hosted("a", "b")
		p.everybody("first")
		p.devices["a"].Changes()
		p.name("b", "a")
		if n := len(p.devices["a"].Changes()); n != 0 {
			h.Errorf("%d records changed, want none", n)
		}
		if n := len(p.seal("a", "still under the same key")); n != 1 {
			h.Errorf("%d envelopes, want the message alone", n)
		}
	}},
	{"hosted group: an impossible list is refused", func(h *harness) {
		p := h.hosted("a", "b")
		for what, list := range map[string][]protocols.Address{
			"nobody's address": {"a", "b", ""}, "an address twice": {"a", "b", "b"},
			"an address too long": {"a", "b", protocols.Address(make([]byte, 1000))},
		} {
			if err := p.devices["a"].hosted().SetMembers(p.g, list); err == nil {
				h.Errorf("%s: no error", what)
			}
		}
		p.agree()
		p.everybody("still")
		if err := h.client("x").hosted().SetMembers(p.g, []protocols.Address{"y"}); err != nil {
			h.Errorf("a list without x, who knows no such group: %v", err)
		}
	}},
}

func (d *device) hosted() protocols.HostedGroupClient { return d.Client.(protocols.HostedGroupClient) }

// hosted makes a hosted group of the named devices.
func (h *harness) hosted(names ...protocols.Address) *party {
	h.Helper()
	p := &party{h: h, g: theGroup, devices: make(map[protocols.Address]*device)}
	p.name(names...)
	return p
}

// name is the server naming the members.
func (p *party) name(names ...protocols.Address) {
	p.h.Helper()
	for _, a := range names {
		if p.devices[a] == nil {
			p.devices[a] = p.h.client(a)
		}
	}
	for a, d := range p.devices {
		if err := d.hosted().SetMembers(p.g, names); err != nil {
			p.h.Fatalf("%s: SetMembers: %v", a, err)
		}
	}
	p.members = slices.Clone(names)
	slices.Sort(p.members)
	p.agree()
}

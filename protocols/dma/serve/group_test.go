package serve

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// make has a device make a group, and returns its address.
func (p *phone) makeGroup(others ...*phone) ident.Address {
	p.w.t.Helper()
	var members []ident.Address
	for _, o := range others {
		members = append(members, o.Account())
	}
	before := len(p.Groups())
	_, err := p.Do(p.w.ctx, dma.CreateGroup{Subject: "Trip to Lisbon", Members: members})
	must(p.w.t, err)
	must(p.w.t, p.Settled(p.w.ctx, false))
	groups := p.Groups()
	if len(groups) != before+1 {
		p.w.t.Fatalf("%v is in %d groups, want %d", p.Account(), len(groups), before+1)
	}
	return groups[len(groups)-1].Address
}

func (p *phone) do(in dma.Input) {
	p.w.t.Helper()
	_, err := p.Do(p.w.ctx, in)
	must(p.w.t, err)
	must(p.w.t, p.Settled(p.w.ctx, false))
}

func (p *phone) say(group ident.Address, text string) {
	p.w.t.Helper()
	p.do(dma.Compose{To: group, Content: dma.Content{Kind: dma.Text, Text: text}})
}

// read takes messages of a group from the inbox.
func (p *phone) read(group ident.Address, from *phone, texts ...string) {
	p.w.t.Helper()
	for _, text := range texts {
		m, err := p.Receive(p.w.ctx)
		must(p.w.t, err)
		if m.Content.Text != text || m.From != from.Account() || m.Group != group {
			p.w.t.Errorf("%v got %q from %v in %v, want %q from %v in %v", p.Account(), m.Content.Text, m.From, m.Group, text, from.Account(), group)
		}
		must(p.w.t, p.Taken(p.w.ctx, m))
	}
}

// TestGroups: users of the gatekeeper and of two partners in one group, over sockets:
// somebody away, somebody new, somebody removed, and a gatekeeper that begins anew.
func TestGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, carol := w.enlist(number, w.own).connect(), w.enlist("4915112345679", w.own).connect()
	bob, dora := w.enlist("bob@partner.example", w.partner).connect(), w.enlist("dora@other.example", w.other)
	dora.connect()
	for _, p := range []*phone{alice, bob, carol, dora} {
		must(t, p.Settled(w.ctx, false)) // its keys are there
	}
	group := alice.makeGroup(bob, dora)
	alice.say(group, "hello")
	bob.read(group, alice, "hello")
	dora.read(group, alice, "hello")
	bob.say(group, "hello from a partner")
	alice.read(group, bob, "hello from a partner")
	dora.read(group, bob, "hello from a partner")

	dora.disconnect()
	alice.do(dma.AddMembers{Group: group, Members: []ident.Address{carol.Account()}})
	bob.say(group, "dora is away, carol is here")
	alice.read(group, bob, "dora is away, carol is here")
	carol.read(group, bob, "dora is away, carol is here")
	w.stop()
	w.start()
	must(t, dora.Close())
	dora.open()
	dora.connect()
	dora.read(group, bob, "dora is away, carol is here")
	dora.say(group, "back again")
	for _, p := range []*phone{alice, bob, carol} {
		p.read(group, dora, "back again")
	}

	alice.do(dma.RemoveMembers{Group: group, Members: []ident.Address{bob.Account()}})
	carol.say(group, "without bob")
	alice.read(group, carol, "without bob")
	dora.read(group, carol, "without bob")
	must(t, carol.Settled(w.ctx, true))
	must(t, alice.Settled(w.ctx, true))
	bob.send(alice, "why?") // not in the group
	alice.want(bob, "why?")
	must(t, bob.Settled(w.ctx, true))
	if g := bob.Groups(); len(g) != 0 {
		t.Errorf("bob is in %v", g)
	}
	var members []ident.Address
	for _, m := range dora.Groups()[0].Members {
		members = append(members, m.Address)
	}
	if len(members) != 3 || !slices.Contains(members, carol.Account()) || dora.Groups()[0].Subject != "Trip to Lisbon" {
		t.Errorf("dora sees %+v, want alice, carol and herself", dora.Groups()[0])
	}

	// The other partner's agreement ends: its user is out.
	must(t, w.gk.Agree(w.ctx, 2, false))
	if err := dora.gone(); err == nil {
		t.Error("dora is still connected")
	}
	carol.say(group, "two are left")
	alice.read(group, carol, "two are left")
	for i := range 10 {
		alice.say(group, fmt.Sprint(i))
	}
	for i := range 10 {
		carol.read(group, alice, fmt.Sprint(i))
	}
	must(t, alice.Settled(w.ctx, true))
	must(t, carol.Settled(w.ctx, true))
}

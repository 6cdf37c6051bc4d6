package adaptertest

import (
	"errors"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols"
)

const theGroup protocols.GroupID = "group"

// party is some devices and the hub between them, which knows who is a member.
type party struct {
	h       *harness
	g       protocols.GroupID
	devices map[protocols.Address]*device
	members []protocols.Address // sorted
}

func (d *device) group() protocols.GroupClient { return d.Client.(protocols.GroupClient) }

// party makes a group of which the first of the named devices is the creator and
// the others are members.
func (h *harness) party(names ...protocols.Address) *party {
	h.Helper()
	p := &party{h: h, g: theGroup, devices: make(map[protocols.Address]*device), members: names[:1:1]}
	for _, name := range names {
		p.devices[name] = h.client(name)
	}
	if err := p.devices[names[0]].group().CreateGroup(now, p.g); err != nil {
		h.Fatalf("CreateGroup: %v", err)
	}
	if len(names) > 1 {
		p.change(names[0], names[1:], nil)
	}
	return p
}

func (p *party) member(name protocols.Address) protocols.Member {
	return protocols.Member{Address: name, Bundle: p.devices[name].bundle(true)}
}

// propose is Change by one member.
func (p *party) propose(by protocols.Address, add, remove []protocols.Address) ([]protocols.Envelope, error) {
	members := make([]protocols.Member, len(add))
	for i, name := range add {
		members[i] = p.member(name)
	}
	return p.retry(by, func() ([]protocols.Envelope, error) {
		return p.devices[by].group().Change(now, p.g, members, remove)
	})
}

// retry establishes the sessions that op misses, if it says which, and does it
// again.
func (p *party) retry(by protocols.Address, op func() ([]protocols.Envelope, error)) ([]protocols.Envelope, error) {
	p.h.Helper()
	envelopes, err := op()
	var missing *protocols.MissingSessionsError
	if !errors.As(err, &missing) {
		return envelopes, err
	}
	for _, peer := range missing.Peers {
		p.devices[by].establish(p.devices[peer], true)
	}
	return op()
}

// change makes an accepted change and delivers it.
func (p *party) change(by protocols.Address, add, remove []protocols.Address) {
	p.h.Helper()
	envelopes, err := p.propose(by, add, remove)
	if err != nil {
		p.h.Fatalf("%s adds %q, removes %q: %v", by, add, remove, err)
	}
	if err := p.devices[by].group().Settle(p.g, true); err != nil {
		p.h.Fatalf("%s settles: %v", by, err)
	}
	before := p.members
	p.members = slices.DeleteFunc(slices.Concat(before, add), func(a protocols.Address) bool { return slices.Contains(remove, a) })
	slices.Sort(p.members)
	told := p.hand(by, envelopes, before)
	if len(before)+len(add) > 1 && !told.Has(protocols.MembersChanged) {
		p.h.Error("nobody heard that the members changed")
	}
	p.agree()
}

// hand gives the members their envelopes of a change or of a sender's set-up, in
// which there is nothing to read, and returns what they heard.
func (p *party) hand(from protocols.Address, envelopes []protocols.Envelope, members []protocols.Address) protocols.Notice {
	p.h.Helper()
	heard := protocols.Notice(0)
	for _, e := range envelopes {
		for _, to := range recipients(e, from, members) {
			o, err := p.devices[to].group().OpenGroup(now, p.g, from, e.Sealed)
			if err != nil {
				p.h.Fatalf("%s takes %s from %s: %v", to, describe(e.Sealed), from, err)
			}
			if o.Plaintext != nil {
				p.h.Errorf("%s found plaintext in %s from %s, which holds no message", to, describe(e.Sealed), from)
			}
			heard |= o.Notice
		}
	}
	return heard
}

// recipients are those that an envelope is for.
func recipients(e protocols.Envelope, from protocols.Address, members []protocols.Address) []protocols.Address {
	if e.To != nil {
		return e.To
	}
	return slices.DeleteFunc(slices.Clone(members), func(a protocols.Address) bool { return a == from })
}

// agree demands that all members know who the members are.
func (p *party) agree() {
	p.h.Helper()
	for _, a := range p.members {
		got, err := p.devices[a].group().Members(p.g)
		if err != nil || !slices.Equal(got, p.members) {
			p.h.Fatalf("%s has members %q (error %v), want %q", a, got, err, p.members)
		}
	}
}

// seal seals a text to the group.
func (p *party) seal(from protocols.Address, text string) []protocols.Envelope {
	p.h.Helper()
	envelopes, err := p.retry(from, func() ([]protocols.Envelope, error) {
		return p.devices[from].group().SealGroup(p.g, []byte(text))
	})
	if err != nil {
		p.h.Fatalf("%s seals to the group: %v", from, err)
	}
	return envelopes
}

// deliver hands envelopes over and demands that each member reads the text once.
func (p *party) deliver(from protocols.Address, envelopes []protocols.Envelope, text string) {
	p.h.Helper()
	read := make(map[protocols.Address]int)
	for _, e := range envelopes {
		for _, to := range recipients(e, from, p.members) {
			o, err := p.devices[to].group().OpenGroup(now, p.g, from, e.Sealed)
			if err != nil {
				p.h.Fatalf("%s opens %s from %s: %v", to, describe(e.Sealed), from, err)
			}
			if o.Plaintext == nil {
				continue
			}
			if string(o.Plaintext) != text {
				p.h.Fatalf("%s read %q from %s, want %q", to, o.Plaintext, from, text)
			}
			read[to]++
		}
	}
	for _, a := range p.members {
		if want := 1; a != from && read[a] != want {
			p.h.Fatalf("%s read %q from %s %d times, want once", a, text, from, read[a])
		}
	}
}

func (p *party) say(from protocols.Address, text string) {
	p.h.Helper()
	p.deliver(from, p.seal(from, text), text)
}

// everybody lets each member say something.
func (p *party) everybody(text string) {
	p.h.Helper()
	for _, a := range p.members {
		p.say(a, text+" from "+string(a))
	}
}

// content seals a text, hands over all envelopes but the last, which holds it,
// and returns that one.
func (p *party) content(from protocols.Address, text string) protocols.Envelope {
	p.h.Helper()
	envelopes := p.seal(from, text)
	last := len(envelopes) - 1
	p.hand(from, envelopes[:last], p.members)
	return envelopes[last]
}

func (p *party) open(at, from protocols.Address, e protocols.Envelope, want string) {
	p.h.Helper()
	o, err := p.devices[at].group().OpenGroup(now, p.g, from, e.Sealed)
	if err != nil {
		p.h.Fatalf("%s opens %s from %s: %v", at, describe(e.Sealed), from, err)
	}
	if o.Plaintext == nil || string(o.Plaintext) != want {
		p.h.Fatalf("%s opened %q, want %q", at, o.Plaintext, want)
	}
}

func (p *party) refuses(at, from protocols.Address, s protocols.Sealed, what string, want error) {
	p.h.Helper()
	p.devices[at].refuses("opening "+what, want, func() error {
		_, err := p.devices[at].group().OpenGroup(now, p.g, from, s)
		return err
	})
}

// restart replaces a device by one restored from its state.
func (p *party) restart(name protocols.Address) {
	p.h.Helper()
	p.devices[name] = p.devices[name].restored(clone(p.devices[name].State()))
}

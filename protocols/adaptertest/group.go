package adaptertest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

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
	told := protocols.Notice(0)
	for _, e := range envelopes {
		for _, to := range recipients(e, by, before) {
			o, err := p.devices[to].group().OpenGroup(now, p.g, by, e.Sealed)
			if err != nil {
				p.h.Fatalf("%s takes %s of a change by %s: %v", to, describe(e.Sealed), by, err)
			}
			if o.Plaintext != nil {
				p.h.Errorf("%s found plaintext in a change", to)
			}
			told |= o.Notice
		}
	}
	if len(before)+len(add) > 1 && !told.Has(protocols.MembersChanged) {
		p.h.Error("nobody heard that the members changed")
	}
	p.agree()
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
	for _, e := range envelopes[:last] {
		for _, to := range recipients(e, from, p.members) {
			if _, err := p.devices[to].group().OpenGroup(now, p.g, from, e.Sealed); err != nil {
				p.h.Fatalf("%s opens %s from %s: %v", to, describe(e.Sealed), from, err)
			}
		}
	}
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
	{"group: a change is pending until it is settled", func(h *harness) {
		p := h.party("a", "b")
		a := p.devices["a"]
		if err := a.group().Settle(p.g, true); err != nil {
			h.Errorf("settling nothing: %v", err)
		}
		p.devices["c"], p.devices["d"] = h.client("c"), h.client("d")
		if _, err := p.propose("a", []protocols.Address{"c"}, nil); err != nil {
			h.Fatal(err)
		}
		p.agree()
		d := p.member("d")
		a.refuses("a second change", protocols.ErrPending, func() error {
			_, err := a.group().Change(now, p.g, []protocols.Member{d}, nil)
			return err
		})
		p.restart("a")
		a = p.devices["a"]
		a.refuses("a second change after a restart", protocols.ErrPending, func() error {
			_, err := a.group().Change(now, p.g, []protocols.Member{d}, nil)
			return err
		})
		if err := a.group().Settle(p.g, false); err != nil {
			h.Fatal(err)
		}
		p.agree()
		p.everybody("as before")
		p.change("a", []protocols.Address{"c", "d"}, nil)
		p.everybody("more of us")
	}},
	{"group: of two changes at once one is accepted", func(h *harness) {
		for _, order := range []string{"dropped first", "taken first", "taken first, with a restart"} {
			p := h.party("a", "b", "e")
			p.everybody("before")
			p.devices["c"], p.devices["d"] = h.client("c"), h.client("d")
			if _, err := p.propose("b", []protocols.Address{"d"}, nil); err != nil {
				h.Fatal(err)
			}
			drop := func() {
				if err := p.devices["b"].group().Settle(p.g, false); err != nil {
					h.Fatalf("%s: %v", order, err)
				}
			}
			if order == "dropped first" {
				drop()
			}
			p.change("a", []protocols.Address{"c"}, nil)
			if order == "taken first, with a restart" {
				p.restart("b")
				p.devices["b"].refuses("a change while the overtaken one is not settled", protocols.ErrPending, func() error {
					_, err := p.devices["b"].group().Change(now, p.g, nil, []protocols.Address{"e"})
					return err
				})
			}
			if order != "dropped first" {
				drop()
			}
			p.agree()
			p.everybody("after one")
			p.change("b", []protocols.Address{"d"}, []protocols.Address{"e"})
			p.everybody("after the other")
		}
	}},
	{"group: a message that overtakes a change opens after it", func(h *harness) {
		p := h.party("a", "b", "c")
		p.everybody("before")
		p.devices["d"] = h.client("d")
		change, err := p.propose("a", []protocols.Address{"d"}, nil)
		if err != nil {
			h.Fatal(err)
		}
		if err := p.devices["a"].group().Settle(p.g, true); err != nil {
			h.Fatal(err)
		}
		said := p.seal("a", "after")
		d := p.devices["b"]
		early := said[len(said)-1] // a sender's set-up comes first and may need the change
		o, err := d.group().OpenGroup(now, p.g, "a", early.Sealed)
		switch {
		case err == nil && string(o.Plaintext) != "after":
			h.Errorf("opened %q, want %q", o.Plaintext, "after")
		case err != nil && !protocols.Retryable(err):
			h.Errorf("a message that came before the change it needs: error %q, want one that is retryable", err)
		}
		opened := err == nil
		before := p.members
		p.members = []protocols.Address{"a", "b", "c", "d"}
		for _, e := range slices.Concat(change, said) {
			for _, to := range recipients(e, "a", p.members) {
				if e.To == nil && !slices.Contains(before, to) && !bytes.Equal(e.Payload, early.Payload) {
					continue // a change is for those who were there
				}
				if to == "b" && opened && bytes.Equal(e.Payload, early.Payload) {
					continue
				}
				if _, err := p.devices[to].group().OpenGroup(now, p.g, "a", e.Sealed); err != nil {
					h.Fatalf("%s opens %s in order: %v", to, describe(e.Sealed), err)
				}
			}
		}
		p.agree()
		p.everybody("and on")
	}},
	{"group: a change that is settled after a restart takes effect", func(h *harness) {
		p := h.party("a", "b")
		p.devices["c"] = h.client("c")
		change, err := p.propose("a", []protocols.Address{"c"}, nil)
		if err != nil {
			h.Fatal(err)
		}
		p.restart("a")
		if err := p.devices["a"].group().Settle(p.g, true); err != nil {
			h.Fatal(err)
		}
		p.restart("a")
		before := p.members
		p.members = []protocols.Address{"a", "b", "c"}
		for _, e := range change {
			for _, to := range recipients(e, "a", before) {
				if _, err := p.devices[to].group().OpenGroup(now, p.g, "a", e.Sealed); err != nil {
					h.Fatalf("%s takes the change: %v", to, err)
				}
			}
		}
		p.agree()
		p.everybody("all of us")
	}},
	{"group: impossible changes are refused", func(h *harness) {
		p := h.party("a", "b")
		a := p.devices["a"]
		for what, op := range map[string]func() error{
			"adding a member again": func() error {
				_, err := a.group().Change(now, p.g, []protocols.Member{p.member("b")}, nil)
				return err
			},
			"removing a stranger": func() error {
				_, err := a.group().Change(now, p.g, nil, []protocols.Address{"stranger"})
				return err
			},
			"adding without key material": func() error {
				_, err := a.group().Change(now, p.g, []protocols.Member{{Address: "c"}}, nil)
				return err
			},
		} {
			before := a.State()
			if op() == nil {
				h.Errorf("%s succeeded", what)
			}
			if diff := diffRecords(before, a.State()); diff != "" {
				h.Errorf("%s failed and changed the state: %s", what, diff)
			}
		}
		p.agree()
		p.everybody("as before")
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

package adaptertest

import (
	"bytes"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// groupChangeChecks are on the order of a change's steps: proposed, pending until
// it is settled, taken by the others, and what comes between.
var groupChangeChecks = []check{
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
		p.hand("a", change, p.members)
		p.members = []protocols.Address{"a", "b", "c"}
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
}

package dma

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// party is a network with a group.
type party struct {
	*network
	group     ident.Address
	forgotten int // devices that lost their state
}

// newParty returns a group that the first of natives and partners' users made; the names
// of partners' users begin with p. All are connected, and native users allow partner 1.
func newParty(t *testing.T, cfg GatekeeperConfig, names ...string) *party {
	t.Helper()
	cfg.Reach = DefaultOn
	p := &party{network: newNetwork(t, cfg)}
	var others []ident.Address
	for i, name := range names {
		d := p.user(name)
		if i > 0 {
			others = append(others, d.addr)
		}
	}
	p.group = p.create(names[0], others...)
	return p
}

// user makes a user who is connected.
func (p *party) user(name string) *node {
	p.t.Helper()
	var d *node
	if strings.HasPrefix(name, "p") {
		d = p.partner(name)
	} else {
		d = p.native(name, "49151000000"+string(rune('0'+len(p.devices)/10))+string(rune('0'+len(p.devices)%10)))
	}
	p.connect(d)
	return d
}

func (p *party) create(by string, others ...ident.Address) ident.Address {
	p.t.Helper()
	before := len(p.devices[by].dev.Groups())
	p.step(p.devices[by], CreateGroup{Subject: "Trip", Members: others})
	p.run()
	groups := p.devices[by].dev.Groups()
	if len(groups) != before+1 {
		p.t.Fatalf("%s is in %d groups after it made one, want %d; events %q", by, len(groups), before+1, p.events)
	}
	return groups[len(groups)-1].Address
}

func (p *party) say(from, text string) string {
	p.t.Helper()
	id := p.step(p.devices[from], Compose{To: p.group, Content: Content{Kind: Text, Text: text}}).ID
	p.run()
	return id
}

func (p *party) add(by string, names ...string) {
	p.t.Helper()
	p.step(p.devices[by], AddMembers{Group: p.group, Members: p.addresses(names)})
	p.run()
}

func (p *party) remove(by string, names ...string) {
	p.t.Helper()
	p.step(p.devices[by], RemoveMembers{Group: p.group, Members: p.addresses(names)})
	p.run()
}

func (p *party) addresses(names []string) (out []ident.Address) {
	for _, name := range names {
		out = append(out, p.devices[name].addr)
	}
	return out
}

// wantMembers demands that gatekeeper, devices and end-to-end clients mean these members.
func (p *party) wantMembers(names ...string) {
	p.t.Helper()
	var want []string
	for _, a := range p.addresses(names) {
		want = append(want, a.String())
	}
	slices.Sort(want)
	var got []string
	for _, m := range p.gk.groups[p.group].list() {
		got = append(got, m.account.addr.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("members at the gatekeeper (-want +got):\n%s", diff)
	}
	for name, d := range p.devices {
		gr := d.dev.groups[p.group]
		if !slices.Contains(names, name) {
			if gr != nil {
				p.t.Errorf("%s still knows the group", name)
			}
			continue
		}
		got = nil
		if gr != nil {
			names, err := d.dev.hosted.Members(gr.id)
			if err != nil {
				p.t.Fatal(err)
			}
			for _, a := range names {
				got = append(got, string(a))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			p.t.Errorf("members at the client of %s (-want +got):\n%s", name, diff)
		}
	}
}

func (p *party) count(substring string) int {
	return strings.Count(strings.Join(p.events, "\n"), substring)
}

func TestGroupConversation(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia", "pat")
	p.wantMembers("alice", "bob", "pia", "pat")
	for _, name := range []string{"alice", "pia", "pat", "bob", "alice"} {
		p.say(name, "from "+name)
	}
	wantGot(t, p.devices["alice"], "from pia", "from pat", "from bob")
	wantGot(t, p.devices["bob"], "from alice", "from pia", "from pat", "from alice")
	wantGot(t, p.devices["pat"], "from alice", "from pia", "from bob", "from alice")
	wantSettled(t, p.network)
	if n := p.count("undecryptable"); n != 0 {
		t.Errorf("%d messages came without what is needed for them; events %q", n, p.events)
	}
	if n := p.count("delivery receipt"); n != 15 {
		t.Errorf("%d delivery receipts, want one of each of 3 members for 5 messages", n)
	}
	id := p.say("alice", "read this")
	p.step(p.devices["pia"], MarkRead{Group: p.group, Peer: p.devices["alice"].addr, IDs: []string{id}})
	p.run()
	if n := p.count("alice: read receipt " + p.devices["pia"].addr.String()); n != 1 {
		t.Errorf("%d read receipts of pia, want 1", n)
	}
}

// TestGroupKeysAreSentOnce: the sender's key goes to each member once, not with each
// message.
func TestGroupKeysAreSentOnce(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia")
	var sent []*stanza.Message
	say := func(text string) {
		t.Helper()
		out := p.step(p.devices["alice"], Compose{To: p.group, Content: Content{Kind: Text, Text: text}})
		for _, s := range out.Sends {
			if m, ok := mustParse(t, s.Frame).(*stanza.Message); ok {
				sent = append(sent, m)
			}
		}
		p.run()
	}
	p.say("alice", "with keys")
	say("without")
	p.user("carol")
	p.add("alice", "carol")
	p.say("alice", "with carol's")
	say("without")
	if len(sent) != 2 || len(sent[0].Participants)+len(sent[1].Participants) != 0 {
		t.Errorf("messages for members who have the key: %+v, want two without participants", sent)
	}
	wantGot(t, p.devices["carol"], "with carol's", "without")
}

func mustParse(t *testing.T, frame []byte) stanza.Stanza {
	t.Helper()
	s, err := parseFrame(frame)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParticipantHash(t *testing.T) {
	t.Parallel()
	// Of the text "1-10853634039893.0:0@interop14155551000.0:0@s.whatsapp.net14155552000.0:0@s.whatsapp.net",
	// by: printf %s TEXT | sha256sum | xxd -r -p | head -c 6 | base64
	got := ParticipantHash([]ident.Address{
		{User: "14155552000", Server: ident.User}, {User: "10853634039893", Server: ident.Interop, Integrator: 1}, {User: "14155551000", Server: ident.User},
	})
	if want := "2:EePLM6JZ"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

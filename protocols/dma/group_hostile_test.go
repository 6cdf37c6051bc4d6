package dma

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// said has a client of its own making send a message, and returns the answer.
func (p *party) said(from string, m *stanza.Message) *stanza.Ack {
	p.t.Helper()
	for _, s := range p.gatekeeper(Frame{Conn: p.devices[from].conn, Data: encode(m)}).Sends {
		if a, ok := mustAny(p.t, s.Frame).(*stanza.Ack); ok && s.Conn == p.devices[from].conn && a.ID == m.ID {
			return a
		}
	}
	p.t.Fatal("no answer")
	return nil
}

func mustAny(t tb, frame []byte) stanza.Stanza {
	t.Helper()
	s, err := parseFrame(frame)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// forged is a message to the group as a client of its own making sends it.
func (p *party) forged(id string, to ...ident.Address) *stanza.Message {
	enc := stanza.Enc{Type: "skmsg", Version: 2, Payload: []byte("not sealed by anybody")}
	m := &stanza.Message{ID: id, To: p.group, Type: stanza.TextMessage, PHash: p.gk.groups[p.group].phash(), Enc: []stanza.Enc{enc}}
	for _, a := range to {
		m.Participants = append(m.Participants, stanza.To{Address: a, Enc: enc})
	}
	return m
}

// TestGatekeeperRefusesInGroups: what members and others may not send reaches nobody.
func TestGatekeeperRefusesInGroups(t *testing.T) {
	t.Parallel()
	all := []string{"alice", "bob", "pia", "mallory"}
	for _, tt := range []struct {
		name string
		from string
		do   func(*party, *stanza.Message)
		want stanza.Code
	}{
		{"from who was never a member", "mallory", func(*party, *stanza.Message) {}, stanza.Forbidden},
		{"from who is no member any more", "pia", func(p *party, _ *stanza.Message) { p.remove("alice", "pia") }, stanza.Forbidden},
		{"to no group", "bob", func(_ *party, m *stanza.Message) { m.To = fuzzNoGroup }, stanza.Forbidden},
		{"for other members", "bob", func(_ *party, m *stanza.Message) { m.PHash = "2:AAAAAAAA" }, stanza.Conflict},
		{"for nobody knows whom", "bob", func(_ *party, m *stanza.Message) { m.PHash = "" }, stanza.Conflict},
		{"a key for an outsider", "bob", func(p *party, m *stanza.Message) { m.Participants = p.forged("", p.addresses(all[3:])...).Participants }, stanza.NotAcceptable},
		{"a key for the sender", "bob", func(p *party, m *stanza.Message) {
			m.Participants = p.forged("", p.addresses(all[1:2])...).Participants
		}, stanza.NotAcceptable},
		{"a key for one twice", "bob", func(p *party, m *stanza.Message) {
			m.Participants = p.forged("", p.devices["alice"].addr, p.devices["alice"].addr).Participants
		}, stanza.NotAcceptable},
		{"keys for very many", "bob", func(p *party, m *stanza.Message) {
			for i := range 30000 {
				m.Participants = append(m.Participants, p.forged("", ident.Address{User: strconv.Itoa(i + 1), Server: ident.User}).Participants...)
			}
		}, stanza.NotAcceptable},
		{"more than is kept", "bob", func(_ *party, m *stanza.Message) { m.Enc[0].Payload = make([]byte, maxStanza) }, stanza.ResourceLimit},
		{"again, for an outsider", "bob", func(p *party, m *stanza.Message) { m.Enc[0].Count, m.Participant = 1, p.devices["mallory"].addr }, stanza.ItemNotFound},
		{"again, for the sender", "bob", func(p *party, m *stanza.Message) { m.Enc[0].Count, m.Participant = 1, p.devices["bob"].addr }, stanza.ItemNotFound},
		{"again, with a key for another", "bob", func(p *party, m *stanza.Message) {
			m.Enc[0].Count, m.Participant = 1, p.devices["alice"].addr
			m.Participants = p.forged("", p.devices["pia"].addr).Participants
		}, stanza.NotAcceptable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newParty(t, GatekeeperConfig{}, all[:3]...)
			p.user("mallory")
			for _, d := range p.devices {
				d.lose = true
			}
			m := p.forged("M")
			tt.do(p, m)
			before := map[string]int{}
			for name, d := range p.devices {
				before[name] = len(p.gk.accounts[d.addr].box)
			}
			state := p.gk.dump()
			a := p.said(tt.from, m)
			if a.Error != tt.want || (a.PHash != "") != (tt.want == stanza.Conflict) {
				t.Errorf("answer %+v, want %v", a, tt.want)
			}
			if a.PHash != "" && a.PHash != p.gk.groups[p.group].phash() {
				t.Errorf("phash %q, want the group's %q", a.PHash, p.gk.groups[p.group].phash())
			}
			for name, d := range p.devices {
				if n := len(p.gk.accounts[d.addr].box); n != before[name] {
					t.Errorf("%d entries wait for %s, want %d", n, name, before[name])
				}
			}
			if p.gk.dump() != state {
				t.Error("what was refused changed the gatekeeper")
			}
		})
	}
}

func TestMalformedGroupMessages(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob")
	for name, set := range map[string]func(*stanza.Message){
		"a later attempt for all": func(m *stanza.Message) { m.Enc[0].Count = 1 },
		"a first attempt for one": func(m *stanza.Message) { m.Participant = p.devices["alice"].addr },
		"no message for all": func(m *stanza.Message) {
			m.Participants, m.Enc = p.forged("", p.devices["alice"].addr).Participants, nil
		},
		"two messages for all": func(m *stanza.Message) { m.Enc = append(m.Enc, m.Enc[0]) },
		"an ID longer than is kept": func(m *stanza.Message) {
			m.ID = string(make([]byte, 0)) + "M" + strconv.Itoa(1<<60) + strconv.Itoa(1<<60) + strconv.Itoa(1<<60) + strconv.Itoa(1<<60)
		},
	} {
		m := p.forged("M")
		set(m)
		if _, err := p.gk.Step(p.now, Frame{Conn: p.devices["bob"].conn, Data: encode(m)}); !errors.Is(err, protocols.ErrMalformed) {
			t.Errorf("%s: %v, want %v", name, err, protocols.ErrMalformed)
		}
	}
	r := &stanza.Receipt{ID: "M", To: p.group}
	if _, err := p.gk.Step(p.now, Frame{Conn: p.devices["bob"].conn, Data: encode(r)}); !errors.Is(err, protocols.ErrMalformed) {
		t.Errorf("a receipt of no participant's message: %v, want %v", err, protocols.ErrMalformed)
	}
}

// TestOneAdminFillsNoMailbox: notices of a group that changes again and again are bounded,
// and who missed some knows the members in the end.
func TestOneAdminFillsNoMailbox(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{PerSender: 5}, "alice", "bob", "pia")
	p.user("carol")
	p.disconnect(p.devices["bob"])
	for range 10 {
		p.add("alice", "carol")
		p.remove("alice", "carol")
	}
	p.add("alice", "carol")
	if n := len(p.gk.accounts[p.devices["bob"].addr].box); n > 5 {
		t.Errorf("%d notices wait for bob, want at most 5", n)
	}
	p.connect(p.devices["bob"])
	p.wantMembers("alice", "bob", "carol", "pia")
	p.say("bob", "hello")
	wantGot(t, p.devices["carol"], "hello")
}

// TestOneAwayDoesNotSilenceAGroup: who has no room for a message misses it.
func TestOneAwayDoesNotSilenceAGroup(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{PerSender: 3}, "alice", "bob", "pia")
	p.say("alice", "0")
	p.disconnect(p.devices["bob"])
	for i := range 6 {
		p.say("alice", strconv.Itoa(i+1))
	}
	p.connect(p.devices["bob"])
	p.say("alice", "7")
	wantGot(t, p.devices["pia"], "0", "1", "2", "3", "4", "5", "6", "7")
	wantGot(t, p.devices["bob"], "0", "1", "2", "3", "7")
}

// TestReplaysInGroups: a message that is sent again, by its sender or by another member,
// is shown once.
func TestReplaysInGroups(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "mallory")
	p.say("mallory", "zero")
	var sent *stanza.Message
	out := p.step(p.devices["bob"], Compose{To: p.group, Content: Content{Kind: Text, Text: "one"}})
	p.run()
	for range 3 { // bob's session with them had to begin first
		for _, s := range out.Sends {
			if m, ok := mustAny(t, s.Frame).(*stanza.Message); ok {
				sent = m
			}
		}
		if sent != nil {
			break
		}
		out = p.step(p.devices["bob"], Compose{To: p.group, Content: Content{Kind: Text, Text: "more"}})
		p.run()
	}
	if sent == nil {
		t.Fatal("bob sent nothing")
	}
	before := slices.Clone(p.devices["alice"].got)
	for _, from := range []string{"bob", "mallory"} {
		for _, id := range []string{sent.ID, "another"} {
			again := *sent
			again.ID = id
			if a := p.said(from, &again); a.Error != 0 {
				t.Errorf("%s repeats it: %v", from, a.Error)
			}
			p.run()
		}
	}
	wantGot(t, p.devices["alice"], before...)
	p.say("bob", "two")
	p.say("mallory", "three")
	wantGot(t, p.devices["alice"], append(before, "two", "three")...)
}

// deliver hands a device a frame as a gatekeeper of its own making would.
func (p *party) hand(to string, m stanza.Stanza) {
	p.t.Helper()
	p.step(p.devices[to], Frame{Conn: p.devices[to].conn, Data: encode(m)})
}

// TestForgedDistribution: a member's key is known by the pairwise session that it came in,
// and by the group that stands in it. Neither another member nor the gatekeeper can pass
// one off as another's.
func TestForgedDistribution(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "mallory")
	for _, name := range []string{"bob", "mallory", "alice"} {
		p.say(name, "first of "+name)
	}
	before := slices.Clone(p.devices["alice"].got)
	mallory := p.devices["mallory"].dev.hosted
	id := protocols.GroupID(p.group.String())
	alice := p.devices["alice"]
	content := Content{Kind: Text, Text: "forged", Group: p.group.String()}
	plain := p.devices["mallory"].dev.pad(content.Append(nil))

	key, err := mallory.Distribute(id, protocols.Address(alice.addr.String()))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := mallory.SealGroup(id, plain)
	if err != nil {
		t.Fatal(err)
	}
	forged := &stanza.Message{
		ID: "F", From: p.group, Participant: p.devices["bob"].addr, Type: stanza.TextMessage,
		Participants: []stanza.To{{Address: alice.addr, Enc: encOf(key.Sealed)}}, Enc: []stanza.Enc{encOf(sealed[len(sealed)-1].Sealed)},
	}
	p.hand("alice", forged) // the gatekeeper says it is bob's
	other := protocols.GroupID("120363000000000009@g.us")
	for _, c := range []protocols.HostedGroupClient{mallory} {
		if err := c.SetMembers(other, []protocols.Address{protocols.Address(p.devices["mallory"].addr.String()), protocols.Address(alice.addr.String())}); err != nil {
			t.Fatal(err)
		}
	}
	if key, err = mallory.Distribute(other, protocols.Address(alice.addr.String())); err != nil {
		t.Fatal(err)
	}
	if sealed, err = mallory.SealGroup(other, plain); err != nil {
		t.Fatal(err)
	}
	forged.ID, forged.Participant = "G", p.devices["mallory"].addr // hers, of another group
	forged.Participants[0].Enc, forged.Enc[0] = encOf(key.Sealed), encOf(sealed[len(sealed)-1].Sealed)
	p.hand("alice", forged)
	wantGot(t, alice, before...)
	p.frames = nil // alice asks for them again, of whom nobody knows
	p.connect(alice)
	p.say("bob", "bob's")
	p.say("mallory", "mallory's")
	wantGot(t, alice, append(before, "bob's", "mallory's")...)
}

// TestContentStaysWhereItWasWritten: the gatekeeper can't show one person's message as
// said to a group, nor a group's as said to one person.
func TestContentStaysWhereItWasWritten(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob")
	p.send(p.devices["bob"], p.devices["alice"], "for alice")
	client := p.devices["bob"].cfg.Client
	seal := func(c Content) stanza.Enc {
		t.Helper()
		s, err := client.Seal(protocols.Address(p.devices["alice"].addr.String()), p.devices["bob"].dev.pad(c.Append(nil)))
		if err != nil {
			t.Fatal(err)
		}
		return encOf(s)
	}
	private := seal(Content{Kind: Text, Text: "between us"})
	private.Count = 1
	p.hand("alice", &stanza.Message{ID: "A", From: p.group, Participant: p.devices["bob"].addr, Type: stanza.TextMessage, Enc: []stanza.Enc{private}})
	public := seal(Content{Kind: Text, Text: "to all", Group: p.group.String()})
	p.hand("alice", &stanza.Message{ID: "B", From: p.devices["bob"].addr, Type: stanza.TextMessage, Enc: []stanza.Enc{public}})
	elsewhere := seal(Content{Kind: Text, Text: "elsewhere", Group: fuzzNoGroup.String()})
	elsewhere.Count = 1
	p.hand("alice", &stanza.Message{ID: "C", From: p.group, Participant: p.devices["bob"].addr, Type: stanza.TextMessage, Enc: []stanza.Enc{elsewhere}})
	wantGot(t, p.devices["alice"], "for alice")
	if n := p.count("alice: given up"); n != 3 {
		t.Errorf("%d messages given up, want 3; events %q", n, p.events)
	}
}

// TestRetryForWhoWasNoMember: who asks for a message from before it was a member, or
// after, gets nothing.
func TestRetryForWhoWasNoMember(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia")
	p.user("mallory")
	p.disconnect(p.devices["pia"]) // for the message to be kept
	id := p.say("alice", "early")
	p.add("alice", "mallory")
	ask := &stanza.Receipt{
		ID: id, From: p.group, Participant: p.devices["mallory"].addr, Type: stanza.RetryAsk,
		Retry: &stanza.Retry{Count: 1, ID: id, Version: 1},
	}
	p.hand("alice", ask)
	ask.Participant = fuzzNoGroup
	p.hand("alice", ask)
	ask.Participant, ask.From = p.devices["pia"].addr, fuzzNoGroup
	p.hand("alice", ask)
	p.run()
	if n := p.count("alice: retry asked"); n != 0 {
		t.Errorf("%d retries served, want none; events %q", n, p.events)
	}
	p.remove("alice", "pia")
	ask.From = p.group
	p.hand("alice", ask)
	if n := p.count("alice: retry asked"); n != 0 {
		t.Errorf("%d retries served to who was removed, want none; events %q", n, p.events)
	}
}

// TestGatekeeperNeverSatisfied: a device does not seal a message without end for a
// gatekeeper that always knows other members.
func TestGatekeeperNeverSatisfied(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob")
	p.say("alice", "one")
	p.devices["alice"].loseUp = true
	id := p.step(p.devices["alice"], Compose{To: p.group, Content: Content{Kind: Text, Text: "two"}}).ID
	for i := range 3 * maxMismatches {
		p.hand("alice", &stanza.Ack{Class: stanza.AckMessage, ID: id, To: p.group, Error: stanza.Conflict, PHash: "2:" + strconv.Itoa(i)})
		for _, o := range slices.Clone(p.devices["alice"].dev.out) {
			if o.wish == wishRoster {
				p.hand("alice", &stanza.IQ{ID: o.id, Type: stanza.Result, Payload: p.gk.groups[p.group].roster()})
			}
		}
	}
	if n := p.count("alice: refused"); n != 1 {
		t.Errorf("the message was given up %d times, want once; events %q", n, p.events)
	}
	if n := p.count("alice: sealed"); n > maxMismatches+2 {
		t.Errorf("sealed %d times, want at most %d", n, maxMismatches+2)
	}
}

// TestDeviceRefusesImpossibleGroups: lists that no gatekeeper makes change nothing.
func TestDeviceRefusesImpossibleGroups(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob")
	alice := p.devices["alice"]
	both := []stanza.Participant{{Address: alice.addr}, {Address: p.devices["bob"].addr}}
	many := slices.Clone(both)
	for i := range MaxGroupLimit {
		many = append(many, stanza.Participant{Address: ident.Address{User: strconv.Itoa(i + 1), Server: ident.Messenger}})
	}
	for name, info := range map[string]*stanza.GroupInfo{
		"another group":   {Group: fuzzNoGroup, Version: 9, Participants: both},
		"somebody twice":  {Group: p.group, Version: 9, Participants: append(both, both[1])},
		"a group in it":   {Group: p.group, Version: 9, Participants: append(both, stanza.Participant{Address: p.group})},
		"a server in it":  {Group: p.group, Version: 9, Participants: append(both, stanza.Participant{Address: groupsServer})},
		"very many":       {Group: p.group, Version: 9, Participants: many},
		"nothing but one": nil,
	} {
		alice.loseUp = true
		p.step(alice, Frame{Conn: alice.conn, Data: encode(&stanza.Notification{ID: "n", From: p.group, Event: &stanza.GroupChange{Action: stanza.GroupAdd, Version: 7}})})
		q := &stanza.IQ{ID: alice.dev.out[len(alice.dev.out)-1].id, Type: stanza.Result}
		if info != nil {
			q.Payload = info
		}
		before := alice.dev.dump()
		if _, err := alice.dev.Step(p.now, Frame{Conn: alice.conn, Data: encode(q)}); !errors.Is(err, protocols.ErrMalformed) {
			t.Errorf("%s: %v, want %v", name, err, protocols.ErrMalformed)
		}
		if alice.dev.dump() != before {
			t.Errorf("%s: the device changed", name)
		}
	}
	p.wantMembers("alice", "bob")
}

// TestGroupWishesAreChecked: what can't be put into a stanza, and what is about no group
// of the user's, the device refuses.
func TestGroupWishesAreChecked(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob")
	alice, bob := p.devices["alice"], p.devices["bob"].addr
	for name, in := range map[string]Input{
		"oneself":            CreateGroup{Members: []ident.Address{alice.addr}},
		"a group in a group": CreateGroup{Members: []ident.Address{p.group}},
		"nobody's address":   CreateGroup{Members: []ident.Address{{User: "x", Server: ident.User}}},
		"too many":           CreateGroup{Members: slices.Repeat([]ident.Address{bob}, MaxGroupLimit)},
		"a subject too long": CreateGroup{Subject: string(make([]byte, MaxSubject+1)), Members: []ident.Address{bob}},
		"a subject of lines": CreateGroup{Subject: "a\nb", Members: []ident.Address{bob}},
		"adding nobody":      AddMembers{Group: p.group},
		"another group":      AddMembers{Group: fuzzNoGroup, Members: []ident.Address{bob}},
		"removing from it":   RemoveMembers{Group: fuzzNoGroup, Members: []ident.Address{bob}},
		"leaving it":         LeaveGroup{fuzzNoGroup},
		"writing to it":      Compose{To: fuzzNoGroup, Content: Content{Kind: Text, Text: "x"}},
		"reading in a user":  MarkRead{Group: ident.Address{User: "x"}, Peer: bob, IDs: []string{"M"}},
	} {
		if _, err := alice.dev.Step(p.now, in); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

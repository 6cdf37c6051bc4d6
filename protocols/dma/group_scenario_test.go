package dma

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestRemovedGetsNothingFurther: not what waits for them either, and the others change
// their keys.
func TestRemovedGetsNothingFurther(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia")
	p.say("alice", "one")
	p.say("bob", "two")
	p.disconnect(p.devices["pia"])
	p.say("alice", "waits for pia")
	p.remove("alice", "pia")
	if n := p.count("alice: delivery receipt " + p.devices["pia"].addr.String()); n != 1 {
		t.Errorf("%d receipts of pia, want 1: of the message before it was away", n)
	}
	p.say("bob", "without pia")
	p.say("alice", "without pia either")
	p.connect(p.devices["pia"])
	wantGot(t, p.devices["pia"], "one", "two")
	wantGot(t, p.devices["bob"], "one", "waits for pia", "without pia either")
	p.wantMembers("alice", "bob")
	wantSettled(t, p.network)
	if _, err := p.devices["pia"].dev.Step(p.now, Compose{To: p.group, Content: Content{Kind: Text, Text: "x"}}); err == nil {
		t.Error("pia can still write")
	}
	if n := p.count("undecryptable"); n != 0 {
		t.Errorf("%d undecryptable messages; events %q", n, p.events)
	}
}

func TestLeaving(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia")
	p.say("alice", "one")
	p.step(p.devices["alice"], LeaveGroup{p.group}) // the only admin
	p.run()
	p.wantMembers("bob", "pia")
	p.say("pia", "two")
	wantGot(t, p.devices["alice"])
	wantGot(t, p.devices["bob"], "one", "two")
	admin, other := "bob", "pia"
	if i := slices.IndexFunc(p.devices["bob"].dev.Groups()[0].Members, func(m GroupMember) bool { return m.Admin }); p.devices["bob"].dev.Groups()[0].Members[i].Address != p.devices["bob"].addr {
		admin, other = other, admin
	}
	p.remove(other, admin)
	if n := p.count(other + ": group refused"); n != 1 {
		t.Errorf("%s, who is no admin, was refused %d times, want once; events %q", other, n, p.events)
	}
	p.add(admin, "alice")
	p.wantMembers("alice", "bob", "pia")
	p.say("alice", "three")
	wantGot(t, p.devices["bob"], "one", "two", "three")
	for _, name := range []string{"alice", "bob", "pia"} {
		p.step(p.devices[name], LeaveGroup{p.group})
		p.run()
	}
	if n := len(p.gk.groups) + len(p.gk.groupsMade); n != 0 {
		t.Errorf("%d groups without members at the gatekeeper", n)
	}
	wantSettled(t, p.network)
	p.crashGatekeeper()
	for _, name := range []string{"alice", "bob", "pia"} {
		p.connect(p.devices[name])
	}
	if again := p.create("bob"); again == p.group {
		t.Errorf("the number of group %v was given again", again)
	}
}

// TestOtherMembersThanTheSenderKnows: the gatekeeper says so, the sender learns who they
// are and seals anew, and nobody needs a key that was lost in between.
func TestOtherMembersThanTheSenderKnows(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"add", "remove", "remove and add"} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia")
			p.user("carol")
			p.say("alice", "one")
			p.devices["bob"].lose = true // who does not hear of what follows
			members := []string{"alice", "bob", "pia", "carol"}
			if strings.HasPrefix(change, "remove") {
				p.remove("alice", "pia")
				members = []string{"alice", "bob"}
			}
			if strings.HasSuffix(change, "add") {
				p.add("alice", "carol")
				members = append([]string{"alice", "bob"}, members[2:]...)
				if change == "remove and add" {
					members = []string{"alice", "bob", "carol"}
				}
			}
			p.devices["bob"].lose = false
			p.say("bob", "two")
			p.say("bob", "three")
			p.wantMembers(members...)
			wantGot(t, p.devices["alice"], "two", "three")
			if slices.Contains(members, "carol") {
				wantGot(t, p.devices["carol"], "two", "three")
			}
			if !slices.Contains(members, "pia") {
				wantGot(t, p.devices["pia"], "one")
			}
			p.connect(p.devices["bob"]) // the lost notices come again
			wantSettled(t, p.network)
			if n := p.count("undecryptable"); n != 0 {
				t.Errorf("%d undecryptable messages; events %q", n, p.events)
			}
		})
	}
}

// TestAcceptedUnderFormerMembers: a message whose ack is lost was accepted; the sender
// repeats it as it was, also if it knows of other members by now, and the keys that it
// uses from then on reach everybody.
func TestAcceptedUnderFormerMembers(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia")
	p.say("bob", "zero")
	p.disconnect(p.devices["alice"])
	p.devices["bob"].lose = true
	p.say("bob", "one") // accepted, and bob does not know
	p.devices["bob"].lose = false
	p.connect(p.devices["alice"])
	p.remove("alice", "pia")
	p.connect(p.devices["bob"])
	p.say("bob", "two")
	wantGot(t, p.devices["alice"], "zero", "one", "two")
	wantGot(t, p.devices["pia"], "zero", "one")
	wantSettled(t, p.network)
	if n := p.count("undecryptable"); n != 0 {
		t.Errorf("%d undecryptable messages; events %q", n, p.events)
	}
}

// forget makes a user's device anew, with keys of its own and no state.
func (p *party) forget(name string) {
	p.t.Helper()
	d := p.devices[name]
	p.disconnect(d)
	clear(d.store)
	old := p.devices
	p.devices = make(map[string]*node)
	for i := range 20 + p.forgotten { // whose number is where its randomness begins
		p.devices[fmt.Sprint(i)] = nil
	}
	p.forgotten++
	fresh := p.device(name, d.addr)
	p.devices = old
	d.dev, d.cfg, d.got = fresh.dev, fresh.cfg, nil
}

// TestGroupRetryAfterReinstall: who lost all keys gets the messages that wait and those
// that follow.
func TestGroupRetryAfterReinstall(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia")
	p.say("alice", "one")
	p.say("bob", "two")
	p.disconnect(p.devices["pia"])
	p.say("alice", "three")
	p.say("bob", "four")
	p.forget("pia")
	p.connect(p.devices["pia"])
	got := slices.Clone(p.devices["pia"].got)
	slices.Sort(got)
	if !slices.Equal(got, []string{"four", "three"}) {
		t.Errorf("pia got %q, want what waited for it", got)
	}
	before := p.count("undecryptable")
	p.say("alice", "five")
	p.say("bob", "six")
	p.say("pia", "seven")
	if n := p.count("undecryptable"); n != before {
		t.Errorf("%d messages needed another retry: the keys come with the first; events %q", n-before, p.events)
	}
	wantGot(t, p.devices["alice"], "two", "four", "six", "seven")
	wantSettled(t, p.network)

	p.forget("pia")
	p.connect(p.devices["pia"])
	p.step(p.devices["pia"], FetchGroups{})
	p.run()
	p.wantMembers("alice", "bob", "pia")
	p.say("pia", "eight")
	wantGot(t, p.devices["bob"], "one", "three", "five", "seven", "eight")
	wantSettled(t, p.network)
}

// TestGroupCrashes: a crash between any two steps of anybody loses nothing and shows
// nothing twice.
func TestGroupCrashes(t *testing.T) {
	t.Parallel()
	for at := range 60 {
		for _, who := range []string{"alice", "bob", "pia", ""} {
			p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia")
			p.user("carol")
			p.say("bob", "zero")
			steps := 0
			crash := func() {
				if steps++; steps != at+1 {
					return
				}
				if who == "" {
					p.crashGatekeeper()
					return
				}
				p.crash(p.devices[who])
			}
			walk := func() {
				for len(p.frames) > 0 {
					f := p.frames[0]
					p.frames = p.frames[1:]
					f()
					crash()
				}
				for _, name := range []string{"alice", "bob", "pia", "carol"} {
					if d := p.devices[name]; d.conn == 0 {
						p.connect(d)
					}
				}
			}
			p.step(p.devices["bob"], Compose{To: p.group, Content: Content{Kind: Text, Text: "one"}})
			p.step(p.devices["alice"], AddMembers{p.group, []ident.Address{p.devices["carol"].addr}})
			walk()
			p.step(p.devices["pia"], Compose{To: p.group, Content: Content{Kind: Text, Text: "two"}})
			walk()
			p.step(p.devices["alice"], RemoveMembers{p.group, []ident.Address{p.devices["pia"].addr}})
			p.step(p.devices["bob"], Compose{To: p.group, Content: Content{Kind: Text, Text: "three"}})
			walk()
			p.say("bob", "four")
			p.say("carol", "five")
			p.wantMembers("alice", "bob", "carol")
			wantGot(t, p.devices["alice"], "zero", "one", "two", "three", "four", "five")
			wantGot(t, p.devices["bob"], "two", "five")
			if got := p.devices["carol"].got; !slices.Contains(got, "two") || !slices.Contains(got, "four") {
				t.Errorf("carol got %q, want two and four among it", got)
			}
			if got := p.devices["pia"].got; slices.Contains(got, "four") || slices.Contains(got, "five") {
				t.Errorf("pia got %q, want nothing from after it was removed", got)
			}
			wantSettled(t, p.network)
			if n := p.count("undecryptable") + p.count("given up"); n != 0 {
				t.Errorf("%d undecryptable messages; events %q", n, p.events)
			}
			if t.Failed() {
				t.Fatalf("crash of %q after step %d", who, at)
			}
			if steps < at+1 {
				return
			}
		}
	}
}

// TestGroupLimit: the default is that of public clients.
func TestGroupLimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{-1, 1, MaxGroupLimit + 1} {
		if _, err := NewGatekeeper(GatekeeperConfig{Native: ident.User, GroupLimit: limit}); err == nil {
			t.Errorf("a limit of %d is taken", limit)
		}
	}
	g, err := NewGatekeeper(GatekeeperConfig{Native: ident.User})
	if err != nil || g.cfg.GroupLimit != 257 {
		t.Fatalf("limit %d, %v, want 257 by default", g.cfg.GroupLimit, err)
	}
	p := newParty(t, GatekeeperConfig{GroupLimit: 3}, "alice", "bob", "pia")
	p.user("carol")
	p.add("alice", "carol")
	if n := p.count("alice: group refused"); n != 1 {
		t.Errorf("a member too many was refused %d times, want once; events %q", n, p.events)
	}
	p.step(p.devices["carol"], CreateGroup{Members: p.addresses([]string{"alice", "bob", "pia"})})
	p.run()
	if n := p.count("carol: group refused"); n != 1 || len(p.devices["carol"].dev.Groups()) != 0 {
		t.Errorf("a group too large was refused %d times, want once; events %q", n, p.events)
	}
	p.remove("alice", "bob")
	p.add("alice", "carol")
	p.wantMembers("alice", "carol", "pia")
}

// TestWhoMayMeetInAGroup: agreements, consent and blocking, as assumed.
func TestWhoMayMeetInAGroup(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(*party)
		want stanza.Code
	}{
		{"nothing speaks against it", func(*party) {}, 0},
		{"the adder has blocked", func(p *party) { p.step(p.devices["alice"], Block{p.devices["pia"].addr, true}) }, stanza.Blocked},
		{"the adder is blocked", func(p *party) { p.step(p.devices["pia"], Block{p.devices["alice"].addr, true}) }, stanza.Blocked},
		{"a member is blocked", func(p *party) { p.step(p.devices["pia"], Block{p.devices["bob"].addr, true}) }, 0},
		{"the adder does not want the app", func(p *party) { p.step(p.devices["alice"], AllowApp{1, false}) }, stanza.NotReachable},
		{"a member does not want the app", func(p *party) { p.step(p.devices["bob"], AllowApp{1, false}) }, stanza.NotReachable},
		{"there is no agreement any more", func(p *party) { p.gatekeeper(Agree{1, false}) }, stanza.AgreementRevoked},
		{"there is no account any more", func(p *party) { p.step(p.devices["pia"], Delete{}) }, stanza.ItemNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newParty(t, GatekeeperConfig{}, "alice", "bob")
			p.user("pia")
			tt.do(p)
			p.run()
			p.add("alice", "pia")
			want := []string{"alice", "bob"}
			if tt.want == 0 {
				want = append(want, "pia")
			} else if n := p.count(fmt.Sprintf("alice: group refused %v (%s)", p.devices["pia"].addr, tt.want.Sentence())); n != 1 {
				t.Errorf("refused %d times with %v, want once; events %q", n, tt.want, p.events)
			}
			p.wantMembers(want...)
		})
	}
}

// TestAgreementEndsInGroups: the partner's users are out at once.
func TestAgreementEndsInGroups(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia", "pat")
	p.say("alice", "one")
	p.say("pia", "two")
	p.gatekeeper(Agree{Integrator: 1})
	p.run()
	p.say("alice", "three")
	wantGot(t, p.devices["bob"], "one", "two", "three")
	wantGot(t, p.devices["pia"], "one")
	if got := len(p.gk.groups[p.group].members); got != 2 {
		t.Errorf("%d members, want alice and bob", got)
	}
}

// TestConsentWithdrawnInAGroup: both stay, and nothing passes between the two.
func TestConsentWithdrawnInAGroup(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob", "pia")
	p.say("pia", "one")
	p.step(p.devices["bob"], AllowApp{Integrator: 1})
	p.run()
	p.say("pia", "two")
	p.say("bob", "three")
	p.say("alice", "four")
	wantGot(t, p.devices["alice"], "one", "two", "three")
	wantGot(t, p.devices["bob"], "one", "four")
	wantGot(t, p.devices["pia"], "four")
	p.allow(p.devices["bob"])
	p.say("pia", "five")
	p.say("bob", "six")
	wantGot(t, p.devices["bob"], "one", "four", "five")
	wantGot(t, p.devices["pia"], "four", "six")
}

// TestOneMemberWithUselessKeys: the others get the message.
func TestOneMemberWithUselessKeys(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob")
	p.user("pia")
	pia := p.gk.accounts[p.devices["pia"].addr]
	pia.keys.static = append([]byte(nil), pia.keys.static...)
	pia.keys.static[len(pia.keys.static)-1] ^= 1 // of the signature
	p.add("alice", "pia")
	p.say("alice", "one")
	p.say("bob", "two")
	wantGot(t, p.devices["bob"], "one")
	wantGot(t, p.devices["alice"], "two")
	p.user("carol")
	p.add("alice", "carol")
	p.say("alice", "three")
	wantGot(t, p.devices["carol"], "three")
}

// TestGroupsOfMany: a group of more members than a notice names is made and written to.
func TestGroupsOfMany(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, GatekeeperConfig{Reach: DefaultOn, Volatile: true})
	p := &party{network: n}
	const members = maxNamed + 8
	var others []ident.Address
	for i := range members {
		d := p.user(fmt.Sprintf("n%d", i))
		if i > 0 {
			others = append(others, d.addr)
		}
	}
	p.group = p.create("n0", others...)
	p.say("n0", "hello")
	p.say("n7", "back")
	for i := 1; i < members; i++ {
		if got := p.devices[fmt.Sprintf("n%d", i)].got; !slices.Contains(got, "hello") {
			t.Fatalf("n%d got %q", i, got)
		}
	}
	wantGot(t, p.devices["n0"], "back")
	wantSettled(t, n)
}

// TestGroupMessagesAndNoticesInOrder: where frames come out of order, the window keeps
// what was said in a group on the right side of who came and went.
func TestGroupMessagesAndNoticesInOrder(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{Window: 1, ResendAfter: time.Second}, "alice", "bob", "pia")
	p.say("pia", "zero")
	p.disconnect(p.devices["bob"])
	p.say("pia", "one")
	p.say("pia", "two")
	p.say("alice", "three")
	p.step(p.devices["pia"], LeaveGroup{p.group})
	p.run()
	p.say("alice", "four")
	box := p.gk.accounts[p.devices["bob"].addr].box
	p.connect(p.devices["bob"])
	wantGot(t, p.devices["bob"], "zero", "one", "three", "two", "four")
	if len(box) < 5 || p.count("undecryptable") != 0 {
		t.Errorf("%d entries waited; events %q", len(box), p.events)
	}
	wantSettled(t, p.network)
}

// ghost is what a member keeps who was removed, or will be added: its end-to-end client as
// it is now, which hears of no change.
func (p *party) ghost(name string) protocols.HostedGroupClient {
	p.t.Helper()
	d := p.devices[name]
	c, err := sized.Adapter{}.Restore(p.clientConfig(d), ClientRecords(list(d.store)))
	if err != nil {
		p.t.Fatal(err)
	}
	return c.(protocols.HostedGroupClient)
}

// TestNewMemberWaitsForNobody: who was added while away reads what came since, though the
// sender is away by then and could not send it again.
func TestNewMemberWaitsForNobody(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob")
	p.user("pia")
	p.disconnect(p.devices["pia"])
	p.say("alice", "early")
	p.add("alice", "pia")
	p.say("alice", "one")
	p.say("bob", "two")
	p.disconnect(p.devices["alice"])
	p.disconnect(p.devices["bob"])
	p.connect(p.devices["pia"])
	wantGot(t, p.devices["pia"], "one", "two")
	if n := p.count("undecryptable"); n != 0 {
		t.Errorf("%d undecryptable messages; events %q", n, p.events)
	}
	p.connect(p.devices["alice"])
	p.connect(p.devices["bob"])
	wantSettled(t, p.network)
}

// TestHeldMessages: a message of somebody unknown is held until the gatekeeper has said who
// is in the group, a bounded number of them, and is lost in no crash.
func TestHeldMessages(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob")
	alice := p.devices["alice"]
	alice.loseUp = true
	stranger := ident.Address{User: "5", Server: ident.User}
	for i := range maxHeld + 10 {
		enc := []stanza.Enc{{Type: "skmsg", Version: 2, Payload: []byte{1}}}
		p.hand("alice", &stanza.Message{ID: fmt.Sprint(i), From: fuzzNoGroup, Participant: stranger, Type: stanza.TextMessage, Enc: enc})
		p.hand("alice", &stanza.Message{ID: fmt.Sprint(i), From: fuzzNoGroup, Participant: stranger, Type: stanza.TextMessage, Enc: enc})
	}
	if n := len(alice.dev.held); n != maxHeld {
		t.Errorf("%d messages are held, want %d", n, maxHeld)
	}
	alice.loseUp = false
	p.connect(alice)
	if n := len(alice.dev.held); n != 0 {
		t.Errorf("%d messages are held on a new connection, want none", n)
	}
	p.user("pia")
	p.disconnect(p.devices["pia"])
	p.add("alice", "pia")
	p.say("bob", "one")
	p.devices["pia"].loseUp = true // its question is lost
	p.connect(p.devices["pia"])
	if n := len(p.devices["pia"].dev.held); n != 1 {
		t.Errorf("%d messages are held, want the one", n)
	}
	p.crash(p.devices["pia"])
	p.devices["pia"].loseUp = false
	p.connect(p.devices["pia"])
	wantGot(t, p.devices["pia"], "one")
}

// TestGroupIsMadeOnce: a wish whose answer is lost is repeated, and makes no other group.
func TestGroupIsMadeOnce(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{}, "alice", "bob")
	alice := p.devices["alice"]
	alice.lose = true
	p.step(alice, CreateGroup{Subject: "once", Members: p.addresses([]string{"bob"})})
	p.run()
	p.crash(alice)
	alice.lose = false
	p.connect(alice)
	if n := len(p.gk.groups); n != 2 || len(alice.dev.Groups()) != 2 {
		t.Errorf("%d groups at the gatekeeper and %d at alice, want the first one and the repeated one", n, len(alice.dev.Groups()))
	}
	p.step(alice, CreateGroup{Subject: "once", Members: p.addresses([]string{"bob"})})
	p.run()
	if n := len(p.gk.groups); n != 3 {
		t.Errorf("%d groups after another wish, want 3", n)
	}
	wantSettled(t, p.network)
}

// TestKeysChangeForWhoCameBack: a device that hears at once of a member's leaving and
// coming back changes its key as if it had heard of one after the other.
func TestKeysChangeForWhoCameBack(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{PerSender: 1}, "alice", "bob", "pia")
	p.say("bob", "one")
	p.disconnect(p.devices["bob"])
	p.remove("alice", "pia")
	p.add("alice", "pia") // of the two notices bob gets the last
	p.connect(p.devices["bob"])
	var keys int
	for _, s := range p.step(p.devices["bob"], Compose{To: p.group, Content: Content{Kind: Text, Text: "two"}}).Sends {
		if m, ok := mustAny(t, s.Frame).(*stanza.Message); ok {
			keys = len(m.Participants)
		}
	}
	p.run()
	if keys != 2 {
		t.Errorf("bob's key went to %d members, want a new one to both", keys)
	}
	wantGot(t, p.devices["pia"], "one", "two")
}

// TestProtocolWithoutHostedGroups: a device whose protocol can't have a server say who is
// in a group refuses its user's wishes, and gives up what comes.
func TestProtocolWithoutHostedGroups(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	cfg := alice.cfg
	cfg.Client = struct{ protocols.Client }{cfg.Client}
	d, err := NewDevice(cfg)
	if err != nil {
		t.Fatal(err)
	}
	alice.dev = d
	n.connect(alice)
	if _, err := d.Step(n.now, CreateGroup{Members: []ident.Address{bob.addr}}); err == nil {
		t.Error("a group was asked for")
	}
	n.step(bob, CreateGroup{Members: []ident.Address{alice.addr}})
	n.run()
	n.step(bob, Compose{To: bob.dev.Groups()[0].Address, Content: Content{Kind: Text, Text: "hello"}})
	n.run()
	wantGot(t, alice)
	if got := strings.Join(n.events, "\n"); !strings.Contains(got, "alice: given up") {
		t.Errorf("the message was not given up; events %s", got)
	}
}

// TestOwnKeyIsSentAgainAfterComingBack: the others have forgotten the key of who was out,
// also if that one hears of leaving and coming back at once.
func TestOwnKeyIsSentAgainAfterComingBack(t *testing.T) {
	t.Parallel()
	p := newParty(t, GatekeeperConfig{PerSender: 1}, "alice", "bob", "pia")
	p.say("bob", "one")
	p.disconnect(p.devices["bob"])
	p.remove("alice", "bob")
	p.add("alice", "bob") // of the two notices bob gets the last
	p.connect(p.devices["bob"])
	p.say("bob", "two")
	wantGot(t, p.devices["alice"], "one", "two")
	wantGot(t, p.devices["pia"], "one", "two")
	wantSettled(t, p.network)
	if n := p.count("undecryptable"); n != 0 {
		t.Errorf("%d undecryptable messages; events %q", n, p.events)
	}
}

package bridge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// scene is a world in which Bob is in the room with Alice.
type scene struct {
	*World
	t     testing.TB
	alice *Device
}

func newScene(t *testing.T, cfg Config, policy string, role uint32) *scene {
	t.Helper()
	cfg.Adapter = sized.Adapter{}
	s := &scene{t: t}
	s.enter(cfg, policy, role)
	return s
}

// start makes the world, with Alice.
func (s *scene) start(cfg Config) {
	s.t.Helper()
	w, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.World = w
	s.alice, err = w.AddDevice("alice", "A1")
	s.ok(0, err)
}

// enter is start with Bob in the room.
func (s *scene) enter(cfg Config, policy string, role uint32) {
	s.t.Helper()
	s.start(cfg)
	s.ok(s.Say(0, "/agree bob"))
	s.room(Clubhouse, policy)
	s.add(Clubhouse, 1, role)
}

// ok ends the test at an error, and lets all happen that follows.
func (s *scene) ok(_ any, err error) {
	s.t.Helper()
	if err == nil {
		err = s.Settle()
	}
	if err == nil {
		err = s.Pass(2 * des.Minute)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) room(uri ident.URI, policy string) {
	s.t.Helper()
	p := s.providers[HubDomain]
	s.ok(s.Do(s.alice, member.CreateRoom{
		Room: uri, Policy: policy, Metadata: room.RoomMetaData{Name: uri.Segments()[0]}, Hub: p.externalSender(), FrankingAgent: p.frankingAgent(),
	}))
}

// add has Alice ask Bob, and add him.
func (s *scene) add(uri ident.URI, invitation int, role uint32) {
	s.t.Helper()
	s.ok(s.Do(s.alice, member.Consent{Operation: mimi.ConsentRequest, User: BobInRooms, Room: uri}))
	s.ok(s.Say(0, fmt.Sprint("/accept ", invitation)))
	s.ok(s.Do(s.alice, member.AddUser{Room: uri, User: BobInRooms, Role: role}))
}

func (s *scene) send(m content.Message) {
	s.t.Helper()
	s.ok(s.Do(s.alice, member.Send{Room: Clubhouse, Message: &m}))
}

// lost counts what the gateway says that it lost.
func (s *scene) lost(l gateway.Loss) (n int) {
	for _, e := range s.Bridged() {
		if x, ok := e.Event.(gateway.Lost); ok && x.Loss == l {
			n++
		}
	}
	return n
}

// chat is all that Bob's app has shown in a chat.
func (s *scene) chat(line int) string {
	var b strings.Builder
	for _, c := range s.shown(line) {
		b.WriteString(c.Text + "\n")
	}
	return b.String()
}

// raw has Bob's app seal any bytes as a message to a line.
func (s *scene) raw(line int, plaintext []byte) {
	s.t.Helper()
	to := s.gateway.config.Lines[line]
	sealed, err := s.phone.client.Seal(protocols.Address(to.String()), plaintext)
	if err != nil {
		s.t.Fatal(err)
	}
	s.uploads++
	frame, err := stanza.AppendBinary(nil, (&stanza.Message{
		ID: fmt.Sprint("RAW", s.uploads), To: to, Type: stanza.TextMessage,
		Enc: []stanza.Enc{{Type: sealed.Type, Version: sealed.Version, Payload: sealed.Payload}},
	}).Node())
	if err != nil {
		s.t.Fatal(err)
	}
	s.toKeeper(PhoneNode, dma.Send{Conn: s.phone.conn, Frame: frame})
}

// TestStoryWithCrashes plays the story while the gateway stops at random moments: media,
// reactions, edits and the end of it as well come across once.
func TestStoryWithCrashes(t *testing.T) {
	t.Parallel()
	seeds := uint64(20)
	if testing.Short() {
		seeds = 5
	}
	stops := 0
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 3))
		rate := 4 + rnd.IntN(20) // steps from stop to stop
		s := play(t, Config{
			Seed: seed, Place: gateway.Place(seed % 2), Native: seed%3 == 0, Adapter: sized.Adapter{},
			Crash: func(int) Crash {
				if rnd.IntN(rate) > 0 {
					return NoCrash
				}
				stops++
				return Crash(1 + rnd.IntN(2))
			},
		})
		for _, f := range s.Findings {
			for _, b := range f.Broken {
				t.Errorf("seed %d: %s: %s", seed, f.Promise, b)
			}
		}
	}
	if stops < 5*int(seeds) {
		t.Errorf("%d stops", stops)
	}
}

// TestFlood: while the gateway is cut off from the gatekeeper, a room's flood waits at the
// provider and not in the gateway; afterwards all of it comes, in its order.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1, Limits: gateway.Limits{Queue: 10}}, "administered", 2)
	g := s.gateway
	for no, c := range g.conns {
		delete(s.keeper.conns, c)
		s.ok(s.stepKeeper(dma.Disconnect{Conn: c}))
		s.stepGateway(gateway.Chat{Line: no, In: dma.Disconnect{Conn: c}})
	}
	before := len(g.store.now)
	var want []string
	for i := range 200 {
		text := fmt.Sprint("message ", i)
		want = append(want, "alice (a.example): "+text)
		s.send(content.Message{Body: content.Text(text)})
	}
	// A message leaves two records, a stanza and a reference; the member has a window of
	// those that it has seen.
	if n := len(g.store.now) - before; n > 3*10+20 {
		t.Errorf("%d more records while nothing can leave", n)
	}
	s.Crash() // which connects the lines again
	s.ok(0, nil)
	if got := s.passed(1); !slices.Equal(got, want) {
		t.Errorf("got %d messages, want %d: %q", len(got), len(want), got[:min(len(got), 20)])
	}
}

// passed is what Bob's app has shown of others in a chat.
func (w *World) passed(line int) (list []string) {
	for _, c := range w.shown(line) {
		if !strings.HasPrefix(c.Text, "[gateway]") {
			list = append(list, c.Text)
		}
	}
	return list
}

// TestHostileUser: what a Signal user sends that is no content, or far too much of it,
// is told to that user and counted, and goes nowhere.
func TestHostileUser(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1}, "administered", 2)
	s.ok(s.Say(1, "to begin with"))
	rnd := rand.New(rand.NewPCG(1, 4))
	for i := range 100 {
		b := make([]byte, rnd.IntN(300))
		for j := range b {
			b[j] = byte(rnd.Uint32())
		}
		if i%2 == 0 { // which can at least be taken out of its padding
			b = signal.AppendPadding(b, 1+i%15)
		}
		s.raw(i%2, b)
	}
	s.ok(0, nil)
	unread := s.lost(gateway.LossUnreadable)
	told := strings.Count(s.chat(1)+s.chat(0), "A message of yours could not be read")
	if unread < 90 || told+strings.Count(s.chat(0)+s.chat(1), "no room to tell") == 0 {
		t.Errorf("%d of 100 messages could not be read, of which %d were told", unread, told)
	}
	huge := dma.Content{Kind: dma.Text, Text: strings.Repeat("/", dma.MaxText)}
	s.ok(s.Write(1, huge))
	s.ok(s.Write(1, dma.Content{Kind: dma.Text, Text: "[gateway] all is well", ReplyTo: "nothing"}))
	s.stepPhone(s.phone, dma.Typing{To: s.gateway.config.Lines[1]})
	s.stepPhone(s.phone, dma.MarkRead{Peer: s.gateway.config.Lines[1], IDs: []string{"x"}})
	s.ok(0, nil)
	for _, l := range []gateway.Loss{gateway.LossReply, gateway.LossTyping, gateway.LossReceipt} {
		if s.lost(l) != 1 {
			t.Errorf("%v was counted %d times", l, s.lost(l))
		}
	}
	for _, e := range s.alice.Events {
		m, ok := e.Event.(member.Message)
		if !ok {
			continue
		}
		if text := reads(m); strings.Contains(text, "all is well") && !strings.Contains(text, "> [gateway]") {
			t.Errorf("what Bob wrote passes for the gateway's: %q", text)
		}
	}
	if n := len(s.alice.texts()); n != 3 {
		t.Errorf("%d messages reached Alice, want 3", n)
	}
}

// TestHostileRoom: what a member sends that is huge or of very many parts becomes few
// messages.
func TestHostileRoom(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1}, "administered", 2)
	before := len(s.shown(1))
	many := content.MultiPart{Semantics: content.ProcessAll}
	for range 1000 {
		many.Parts = append(many.Parts, content.Text("x"))
	}
	list := []content.Message{
		{Body: content.Text(strings.Repeat("x", 100_000))},
		{Body: content.NestedPart{Part: many}},
		{Body: content.NestedPart{}},
		{Body: content.NestedPart{Part: content.SinglePart{ContentType: strings.Repeat("y", 5000), Content: []byte("\xff")}}},
		{Body: content.Text("\xff\xfe\n/leave")},
		{Body: content.Deletion(), Replaces: content.MessageID{1, 2}},
		{Body: content.Unlike(), Replaces: content.MessageID{1, 2}, InReplyTo: content.MessageID{1, 3}},
		{Body: content.NestedPart{Part: content.ExternalPart{URL: "https://a.example/x", ContentType: "video/\x00", Size: 1 << 63, Description: strings.Repeat("é", 50_000)}}},
		{Body: content.NestedPart{Part: content.ExternalPart{URL: strings.Repeat("u", 5000), Description: strings.Repeat("é", 50_000)}}},
	}
	for _, m := range list {
		s.send(m)
	}
	// Each becomes one, but for the one of many parts.
	if n := len(s.shown(1)) - before; n != len(list)-1+8 {
		t.Errorf("%d messages for Bob, want %d\n%.2000s", n, len(list)-1+8, s.chat(1))
	}
	for _, l := range []gateway.Loss{gateway.LossLength, gateway.LossParts, gateway.LossType, gateway.LossReply, gateway.LossMedium} {
		if s.lost(l) == 0 {
			t.Errorf("%v was not counted", l)
		}
	}
}

// TestSilenced: a room in which Bob may not write cannot be warned, and so the gateway
// does not stay in it.
func TestSilenced(t *testing.T) {
	t.Parallel()
	const attendee = 3
	s := newScene(t, Config{Seed: 1}, "moderated", attendee)
	s.ok(s.Do(s.alice, member.CommitPending{Room: Clubhouse}))
	if r, ok := s.Gateway().Room(s.Gateway().Clients()[0], Clubhouse); ok {
		t.Errorf("the gateway is still in a room that it could not warn: %s", r.Status)
	}
	if !strings.Contains(s.chat(1), "could not be warned") {
		t.Errorf("Bob was told %q", s.chat(1))
	}
	s.send(content.Message{Body: content.Text("unheard")})
	if strings.Contains(s.chat(1), "unheard") {
		t.Error("a message passed")
	}
}

// TestMoreRooms: each room has a line; there is no more of them than lines, which an
// invitation says before Bob can accept it. A removal ends a chat.
func TestMoreRooms(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1, Lines: 3, Limits: gateway.Limits{Rest: time.Hour}}, "administered", 2)
	second, third := uri(ident.KindRoom, HubDomain, "second"), uri(ident.KindRoom, HubDomain, "third")
	s.room(second, "administered")
	s.add(second, 2, 2)
	s.ok(s.Do(s.alice, member.Send{Room: second, Message: &content.Message{Body: content.Text("in the second")}}))
	if !strings.Contains(s.chat(2), "in the second") || strings.Contains(s.chat(1), "in the second") {
		t.Errorf("chats %q and %q", s.chat(1), s.chat(2))
	}
	s.room(third, "administered")
	s.ok(s.Do(s.alice, member.Consent{Operation: mimi.ConsentRequest, User: BobInRooms, Room: third}))
	s.ok(s.Say(0, "/accept 3"))
	if !strings.Contains(s.chat(0), "no chat left") {
		t.Errorf("the desk says %q", s.chat(0))
	}
	s.ok(s.Do(s.alice, member.RemoveUser{Room: Clubhouse, User: BobInRooms}))
	if !strings.Contains(s.chat(1), "You were taken out of this room by alice (a.example).") {
		t.Errorf("the chat says %q", s.chat(1))
	}
	s.ok(s.Say(1, "am I late?"))
	if err := s.Pass(2 * des.Hour); err != nil {
		t.Fatal(err)
	}
	s.ok(s.Say(0, "/accept 3"))
	s.ok(s.Do(s.alice, member.AddUser{Room: third, User: BobInRooms, Role: 2}))
	if !strings.Contains(s.chat(1), "This chat is the room third") {
		t.Errorf("the chat says %q", s.chat(1))
	}
	s.ok(s.Say(1, "/who"))
	if !strings.Contains(s.chat(1), "In the room: alice (a.example), group_admin; bob-via-signal (g.example), you.") {
		t.Errorf("the chat says %q", s.chat(1))
	}
	for _, text := range s.alice.texts() {
		if strings.Contains(text, "late") {
			t.Error("a message for a room that had ended went to one")
		}
	}
	s.ok(s.Say(0, "/rooms"))
	if !strings.Contains(s.chat(0), "is the room second (mimi://a.example/r/second)") {
		t.Errorf("the desk says %q", s.chat(0))
	}
}

// TestBlocked: a gatekeeper's user who blocks the gateway is told nothing more, and
// nothing of it is lost unseen: the refusals are counted.
func TestBlocked(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1}, "administered", 2)
	s.stepPhone(s.phone, dma.Block{User: s.gateway.config.Lines[1], On: true})
	s.ok(0, nil)
	s.send(content.Message{Body: content.Text("to nobody")})
	if strings.Contains(s.chat(1), "to nobody") || s.lost(gateway.LossRefused) != 1 {
		t.Errorf("%d refusals, and the chat says %q", s.lost(gateway.LossRefused), s.chat(1))
	}
}

// TestLostRoom: a gateway whose provider leaves a Commit out tells Bob that something is
// missing and enters the room anew, in which he goes on.
func TestLostRoom(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1}, "administered", 2)
	left := 1
	s.forget = func(what string) bool { left--; return left >= 0 && what == "event" }
	carol, err := s.AddDevice("carol", "C1")
	s.ok(0, err)
	s.ok(s.Do(s.alice, member.AddUser{Room: Clubhouse, User: carol.User, Role: 2}))
	s.forget = nil
	s.send(content.Message{Body: content.Text("in between")})
	s.send(content.Message{Body: content.Text("afterwards")})
	if chat := s.chat(1); !strings.Contains(chat, "Messages of this room are missing") || !strings.Contains(chat, "afterwards") {
		t.Errorf("the chat says %q", chat)
	}
	s.ok(s.Say(1, "here again"))
	if got := s.alice.texts(); !slices.Contains(got, "here again") {
		t.Errorf("Alice has read %q", got)
	}
}

// TestWarnings: a room is warned whenever somebody joins, at once or, if it was just
// warned, a little later and once for all who joined meanwhile.
func TestWarnings(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1}, "administered", 2)
	var came []*Device
	for _, name := range []string{"carol", "dave", "erin"} {
		d, err := s.AddDevice(name, "X1")
		s.ok(0, err)
		came = append(came, d)
	}
	for _, d := range came {
		if _, err := s.Do(s.alice, member.AddUser{Room: Clubhouse, User: d.User, Role: 2}); err != nil {
			t.Fatal(err)
		}
	}
	s.ok(0, nil)
	if n := len(notices(s.alice)); n != 3 {
		t.Errorf("Alice was warned %d times, want when Bob came, when Carol came, and after the others", n)
	}
	for _, d := range came {
		if len(notices(d)) == 0 {
			t.Errorf("%s was not warned", d.Name)
		}
	}
}

// TestTwoUsers: two Signal users have the same line for different rooms, and nothing of
// one's room goes to the other.
func TestTwoUsers(t *testing.T) {
	t.Parallel()
	s := newScene(t, Config{Seed: 1}, "administered", 2)
	dora, err := s.addPhone("dora/phone", "4916098765432")
	s.ok(0, err)
	say := func(line int, text string) {
		t.Helper()
		s.ok(s.write(dora, line, dma.Content{Kind: dma.Text, Text: text}))
	}
	say(0, "/agree dora")
	second := uri(ident.KindRoom, HubDomain, "second")
	s.room(second, "administered")
	user := uri(ident.KindUser, OperatorDomain, "dora-via-signal")
	s.ok(s.Do(s.alice, member.Consent{Operation: mimi.ConsentRequest, User: user, Room: second}))
	say(0, "/accept 1")
	s.ok(s.Do(s.alice, member.AddUser{Room: second, User: user, Role: 2}))
	s.ok(s.Do(s.alice, member.Send{Room: second, Message: &content.Message{Body: content.Text("for Dora")}}))
	s.send(content.Message{Body: content.Text("for Bob")})
	say(1, "by Dora")
	s.ok(s.Say(1, "by Bob"))
	s.Crash()
	say(1, "by Dora again")
	if bob := s.chat(1); !strings.Contains(bob, "for Bob") || strings.Contains(bob, "Dora") {
		t.Errorf("Bob's chat has %q", bob)
	}
	var chat strings.Builder
	for _, e := range dora.Events {
		if e.Event.Kind == dma.MessageDelivered && s.Line(e.Event.Peer) == 1 {
			chat.WriteString(e.Event.Content.Text + "\n")
		}
	}
	if got := chat.String(); !strings.Contains(got, "for Dora") || !strings.Contains(got, "is the room second") || strings.Contains(got, "Bob") {
		t.Errorf("Dora's chat has %q", got)
	}
	for _, e := range s.alice.Events {
		if m, ok := e.Event.(member.Message); ok {
			text := reads(m)
			if strings.Contains(text, "by Dora") && m.Room != second || strings.Contains(text, "by Bob") && m.Room != Clubhouse {
				t.Errorf("%q came in %v", text, m.Room)
			}
		}
	}
	if got := s.alice.texts(); !slices.Equal(got, []string{"by Dora", "by Bob", "by Dora again"}) {
		t.Errorf("Alice has read %q", got)
	}
}

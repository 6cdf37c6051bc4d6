package dma

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// ask has a device's connection send a query to the gatekeeper, and returns the
// answer.
func (n *network) ask(d *node, payload stanza.Payload) *stanza.IQ {
	n.t.Helper()
	typ := stanza.Set
	if _, get := payload.(*stanza.KeyFetch); get {
		typ = stanza.Get
	}
	for _, s := range n.gatekeeper(Frame{Conn: d.conn, Data: encode(&stanza.IQ{ID: "ask", Type: typ, Payload: payload})}).Sends {
		if answer, err := parseFrame(s.Frame); err == nil {
			if q, ok := answer.(*stanza.IQ); ok && q.ID == "ask" {
				return q
			}
		}
	}
	n.t.Fatal("no answer")
	return nil
}

func wantCode(t *testing.T, q *stanza.IQ, want stanza.Code) {
	t.Helper()
	if want == 0 && q.Error != nil || want != 0 && (q.Error == nil || q.Error.Code != want) {
		t.Errorf("answer %+v, error %v, want code %v", q, q.Error, want)
	}
}

// message is what a client of its own making sends.
func message(id string, to ident.Address, payload int) *stanza.Message {
	return &stanza.Message{
		ID: id, To: to, Type: stanza.TextMessage,
		Enc: []stanza.Enc{{Type: "msg", Version: 2, Payload: make([]byte, payload)}},
	}
}

func TestKeyFetchIsBounded(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	many := slices.Repeat([]ident.Address{alice.addr}, maxFetch+1)
	wantCode(t, n.ask(bob, &stanza.KeyFetch{Users: many}), stanza.ResourceLimit)
	wantCode(t, n.ask(bob, &stanza.KeyFetch{Users: many[:maxFetch]}), 0)
	wantCode(t, n.ask(bob, &stanza.KeyFetch{Users: slices.Repeat(many, 300)}), stanza.ResourceLimit)
}

func TestKeyUploadIsBounded(t *testing.T) {
	t.Parallel()
	n, alice, _ := pair(t, GatekeeperConfig{})
	opaque := func(static, value int, ids ...uint32) *stanza.KeyUpload {
		k := stanza.Keys{Static: make([]byte, static)}
		for _, id := range ids {
			k.OneTime = append(k.OneTime, stanza.OneTimeKey{ID: id, Value: make([]byte, value)})
		}
		return &stanza.KeyUpload{Keys: k}
	}
	wantCode(t, n.ask(alice, opaque(maxKeySize+1, 1)), stanza.ResourceLimit)
	wantCode(t, n.ask(alice, opaque(1, maxKeySize+1, 1)), stanza.ResourceLimit)
	wantCode(t, n.ask(alice, opaque(1, 1, 1, 2)), 0)
	wantCode(t, n.ask(alice, opaque(1, 1, 2, 3)), 0) // 2 is a repetition
	if got := n.gk.accounts[alice.addr].keys.oneTime.ids; !slices.Equal(got, []uint32{1, 2, 3}) {
		t.Errorf("one-time keys %d stored, want 1, 2 and 3", got)
	}
	twice := encode(&stanza.IQ{ID: "twice", Type: stanza.Set, Payload: opaque(1, 1, 5, 5)})
	if _, err := n.gk.Step(n.now, Frame{Conn: alice.conn, Data: twice}); !errors.Is(err, protocols.ErrMalformed) {
		t.Errorf("an ID twice in one upload: %v, want %v", err, protocols.ErrMalformed)
	}
}

func TestBlocklistIsBounded(t *testing.T) {
	t.Parallel()
	n, alice, _ := pair(t, GatekeeperConfig{Volatile: true})
	for i := range maxBlocked {
		wantCode(t, n.ask(alice, &stanza.Block{Address: ident.Address{User: strconv.Itoa(i + 1), Server: ident.User}}), 0)
	}
	wantCode(t, n.ask(alice, &stanza.Block{Address: ident.Address{User: "9999999", Server: ident.User}}), stanza.ResourceLimit)
	wantCode(t, n.ask(alice, &stanza.Block{Address: ident.Address{User: "1", Server: ident.User}}), 0)
}

func TestSettingsOfUnknownAppsAreRefused(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	wantCode(t, n.ask(alice, &stanza.Settings{Inbox: stanza.CombinedInbox, Apps: []stanza.App{{Integrator: 1}, {Integrator: 2}}}), stanza.ItemNotFound)
	if !n.gk.Reachable(alice.addr, bob.addr) {
		t.Error("the known app of a refused query was changed")
	}
}

// TestOneSenderFillsNoMailbox: beyond the limit a sender is refused, and others are not.
func TestOneSenderFillsNoMailbox(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{PerSender: 3})
	carol := n.native("carol", "4915100000009")
	n.connect(carol)
	n.disconnect(alice)
	bob.lose = true
	for i := range 10 {
		n.gatekeeper(Frame{Conn: bob.conn, Data: encode(message("M"+strconv.Itoa(i), alice.addr, 10))})
		n.gatekeeper(Frame{Conn: bob.conn, Data: encode(&stanza.Receipt{ID: "R" + strconv.Itoa(i), To: alice.addr, Type: stanza.Read})})
	}
	if got := len(n.gk.accounts[alice.addr].box); got != 6 {
		t.Errorf("%d entries wait for alice, want 3 messages and 3 receipts", got)
	}
	n.send(carol, alice, "from another sender")
	if got := len(n.gk.accounts[alice.addr].box); got != 7 {
		t.Errorf("%d entries wait for alice, want one more", got)
	}
}

// TestReceiptsNeedConsent: a read receipt is as good as a message to annoy somebody.
func TestReceiptsNeedConsent(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.step(alice, Block{User: bob.addr, On: true})
	n.run()
	before := len(n.events)
	n.gatekeeper(Frame{Conn: bob.conn, Data: encode(&stanza.Receipt{ID: "R", To: alice.addr, Type: stanza.Read})})
	n.run()
	if got := n.events[before:]; slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "alice") }) {
		t.Errorf("alice, who blocked bob, was told %q", got)
	}
}

// TestLargeStanzasAreRefused: what can't be kept or passed on with the gatekeeper's
// additions is refused before anything has changed.
func TestLargeStanzasAreRefused(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	for _, size := range []int{maxStanza, stanza.MaxSize - 200, stanza.MaxSize - 90} {
		frame, err := render(message("M", alice.addr, size))
		if err != nil {
			continue // can't be sent either
		}
		if _, err := n.gk.Step(n.now, Frame{Conn: bob.conn, Data: frame}); err != nil {
			t.Errorf("%d bytes: %v, want a refusal", size, err)
		}
		if got := len(n.gk.accounts[alice.addr].box); got != 0 {
			t.Errorf("%d bytes: accepted", size)
		}
	}
}

// TestMessagesForSeveralDevicesAreRefused: a user has one device here, and one that
// gets what it can't use would refuse it for ever.
func TestMessagesForSeveralDevicesAreRefused(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	two := message("M", alice.addr, 10)
	two.Enc = append(two.Enc, two.Enc[0])
	fanOut := message("M", alice.addr, 10)
	fanOut.Participants = []stanza.To{{Address: alice.addr, Enc: fanOut.Enc[0]}}
	for _, m := range []*stanza.Message{two, fanOut} {
		if _, err := n.gk.Step(n.now, Frame{Conn: bob.conn, Data: encode(m)}); !errors.Is(err, protocols.ErrMalformed) {
			t.Errorf("%d enc, %d participants: %v, want %v", len(m.Enc), len(m.Participants), err, protocols.ErrMalformed)
		}
	}
	two.From, two.To = bob.addr, ident.Address{} // from a gatekeeper that lets it pass
	out := n.step(alice, Frame{Conn: alice.conn, Data: encode(two)})
	if len(out.Sends) != 1 {
		t.Errorf("the device sent %d frames, want an ack that takes the message out of the mailbox", len(out.Sends))
	}
}

// TestRoomsAreNotForGatekeepers: stanzas of rooms are on the same wire, but nothing
// here is in a room.
func TestRoomsAreNotForGatekeepers(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	room, err := ident.ParseURI("mimi://a.example/r/clubhouse")
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]func(*stanza.Message){
		"room":   func(m *stanza.Message) { m.Room = room },
		"sender": func(m *stanza.Message) { m.Sender = room },
		"seq":    func(m *stanza.Message) { m.Seq = 1 },
	} {
		m := message("M", alice.addr, 10)
		set(m)
		if _, err := n.gk.Step(n.now, Frame{Conn: bob.conn, Data: encode(m)}); !errors.Is(err, protocols.ErrMalformed) {
			t.Errorf("message with %s: %v, want %v", name, err, protocols.ErrMalformed)
		}
	}
}

// TestSenderlessStanzasAreRefused: a device answers whoever a stanza is from, and
// keeps the answer with the peer's address until it is taken.
func TestSenderlessStanzasAreRefused(t *testing.T) {
	t.Parallel()
	_, alice, _ := pair(t, GatekeeperConfig{})
	for _, s := range []stanza.Stanza{
		message("M", alice.addr, 10),
		&stanza.Receipt{ID: "M", To: alice.addr},
	} {
		before := alice.dev.dump()
		if _, err := alice.dev.Step(epoch, Frame{Conn: alice.conn, Data: encode(s)}); !errors.Is(err, protocols.ErrMalformed) {
			t.Errorf("%T without from: %v, want %v", s, err, protocols.ErrMalformed)
		}
		if alice.dev.dump() != before {
			t.Errorf("%T was refused and changed something", s)
		}
	}
}

// TestHostileKeysEndTheWait: keys that start no session must not leave messages
// waiting for ever.
func TestHostileKeysEndTheWait(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	wantCode(t, n.ask(alice, &stanza.KeyUpload{Keys: stanza.Keys{Static: []byte("nonsense")}}), 0)
	n.send(bob, alice, "never sealed")
	if out, sent := bob.dev.Waiting(); out+sent != 0 {
		t.Errorf("bob waits for %d acknowledgements and %d receipts", out, sent)
	}
	if !slices.ContainsFunc(n.events, func(s string) bool { return strings.HasPrefix(s, "bob: refused") }) {
		t.Errorf("bob was not told; events: %q", n.events)
	}
	if _, err := bob.dev.Step(n.now, Compose{To: bob.addr, Content: Content{Kind: Text, Text: "me"}}); err == nil {
		t.Error("a message to oneself was taken")
	}
}

// TestConsentIsToldOnce: an answer that is repeated is told once.
func TestConsentIsToldOnce(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.disconnect(bob)
	for range 5 {
		wantCode(t, n.ask(alice, &stanza.Consent{User: bob.addr, Given: true}), 0)
	}
	if got := len(n.gk.accounts[bob.addr].box); got != 1 {
		t.Errorf("%d notices of one consent, want 1", got)
	}
}

// TestExpiredReceiptsAreNoLostMessages: only messages are reported as dropped.
func TestExpiredReceiptsAreNoLostMessages(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.disconnect(alice)
	n.gatekeeper(Frame{Conn: bob.conn, Data: encode(&stanza.Receipt{ID: "R", To: alice.addr, Type: stanza.Read})})
	n.now = n.now.Add(DefaultRetention)
	for _, e := range n.gatekeeper(Wake{}).Events {
		t.Errorf("event %v about %s", e.Kind, e.ID)
	}
	if got := len(n.gk.accounts[alice.addr].box); got != 0 {
		t.Errorf("%d entries are left", got)
	}
}

// TestImpossibleInputsAreRefused: what a user interface gets wrong is an error.
func TestImpossibleInputsAreRefused(t *testing.T) {
	t.Parallel()
	_, alice, bob := pair(t, GatekeeperConfig{})
	long := strings.Repeat("x", MaxID+1)
	for _, in := range []Input{
		Compose{To: bob.addr, Content: Content{Kind: Text, Text: "\xff"}},
		Compose{To: bob.addr, Content: Content{Kind: Reaction}},
		Compose{To: bob.addr, Content: Content{Kind: Text, Text: "x", ReplyTo: long}},
		Compose{To: bob.addr, Content: Content{Kind: Image, Media: MediaRef{Thumbnail: make([]byte, MaxThumbnail+1)}}},
		MarkRead{Peer: bob.addr, IDs: []string{"\xff"}},
		MarkRead{Peer: bob.addr, IDs: []string{long}},
		MarkRead{Peer: bob.addr, IDs: slices.Repeat([]string{"x"}, 70000)},
		MarkRead{IDs: []string{"x"}},
		Typing{}, AskPing{}, AnswerPing{}, Block{}, AllowApp{},
	} {
		before := alice.dev.dump()
		if _, err := alice.dev.Step(epoch, in); err == nil {
			t.Errorf("%T was taken", in)
		}
		if alice.dev.dump() != before {
			t.Errorf("%T was refused and changed something", in)
		}
	}
}

// TestReceiptsThatNeverComeAreBounded: a peer that sends no delivery receipts makes no
// device remember more and more.
func TestReceiptsThatNeverComeAreBounded(t *testing.T) {
	t.Parallel()
	_, alice, bob := pair(t, GatekeeperConfig{})
	d := alice.dev
	d.sent = make(map[string]*outgoing)
	for i := range maxSent + 10 {
		id := strconv.Itoa(i)
		d.sent[id] = &outgoing{id: id, seq: uint64(i), peer: d.peer(bob.addr)}
		d.limitSent()
	}
	if _, sent := d.Waiting(); sent != maxSent || d.sent["0"] != nil {
		t.Errorf("%d messages are remembered, the oldest %v; want %d and nil", sent, d.sent["0"], maxSent)
	}
}

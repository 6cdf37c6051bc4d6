package dma

import (
	"bytes"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// FuzzContent: whatever parses is written and parsed back unchanged.
func FuzzContent(f *testing.F) {
	for _, c := range []Content{
		{Kind: Text, Text: "hello", ReplyTo: "3EB0"},
		{Kind: Reaction, Target: "3EB0", Text: "👍", Group: "120363000000000001@g.us"},
		{Kind: Voice, Text: "caption", Media: MediaRef{Ref: "/v/t1", Size: 9, Thumbnail: []byte{1}}},
		{Kind: File, Media: MediaRef{Ref: "/v/t1", Size: 26, Plain: [32]byte{1}, Length: 9, MIME: "text/plain", Name: "a.txt"}},
	} {
		f.Add(c.Append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseContent(data)
		if err != nil {
			if !reflect.DeepEqual(c, Content{}) {
				t.Fatalf("error %v with content %+v", err, c)
			}
			return
		}
		again, err := ParseContent(c.Append(nil))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%+v came back as %+v, %v", c, again, err)
		}
	})
}

// frames are stanzas of every kind from one user about another.
func frames(from, to ident.Address) [][]byte {
	keys := stanza.Keys{Static: []byte("static"), OneTime: []stanza.OneTimeKey{{ID: 1, Value: []byte("value")}}}
	iq := func(typ stanza.IQType, p stanza.Payload) stanza.Stanza {
		return &stanza.IQ{ID: "q2", Type: typ, Payload: p}
	}
	m := message("M", to, 40)
	m.From = from
	all := []stanza.Stanza{
		m,
		&stanza.Receipt{ID: "M", To: to, From: from},
		&stanza.Receipt{ID: "M", To: to, From: from, Type: stanza.Read, IDs: []string{"N"}},
		&stanza.Receipt{ID: "M", To: to, From: from, Type: stanza.RetryAsk, Retry: &stanza.Retry{Count: 1, ID: "M", Version: 1}, Keys: &keys},
		&stanza.Ack{Class: stanza.AckMessage, ID: "M", To: to},
		&stanza.Ack{Class: stanza.AckNotification, ID: "n1", To: to, Error: stanza.NotAcceptable},
		&stanza.Notification{ID: "n", To: to, From: from, Event: stanza.Typing{}},
		&stanza.Notification{ID: "n", To: to, From: from, Event: stanza.PingReceived{}},
		&stanza.Notification{ID: "n", To: to, From: from, Event: stanza.ConsentChanged{Given: true}},
		&stanza.Notification{ID: "n", To: to, Event: stanza.KeysLow{Count: 1}},
		&stanza.IB{Offline: &stanza.Offline{Count: 1}},
		iq(stanza.Set, &stanza.KeyUpload{Keys: keys}),
		iq(stanza.Get, &stanza.KeyFetch{Users: []ident.Address{to, to}}),
		iq(stanza.Result, &stanza.KeyBundles{Users: []stanza.UserKeys{{Address: from, Keys: &keys}}}),
		iq(stanza.Get, stanza.KeyCountQuery{}),
		iq(stanza.Set, &stanza.Settings{Inbox: stanza.CombinedInbox, Apps: []stanza.App{{Integrator: 1, Enabled: true}, {Integrator: 9}}}),
		iq(stanza.Set, &stanza.Ping{User: to}),
		iq(stanza.Set, &stanza.Consent{User: to, Given: true}),
		iq(stanza.Set, &stanza.Block{Address: to}),
		iq(stanza.Get, stanza.BlocklistQuery{}),
		iq(stanza.Set, stanza.MediaConnQuery{}),
		iq(stanza.Result, &stanza.MediaConn{Auth: "x", Hosts: []string{"media.example"}}),
		&stanza.IQ{ID: "q1", Type: stanza.Fail, Error: &stanza.Error{Code: 404}},
	}
	all = append(all, groupStanzas(from, to)...)
	var out [][]byte
	for _, s := range all {
		out = append(out, encode(s))
	}
	return out
}

// fuzzGroup is a group that the gatekeeper of a fuzz test has, and fuzzNoGroup is none.
var (
	fuzzGroup   = ident.Address{User: "120363000000000001", Server: ident.Group}
	fuzzNoGroup = ident.Address{User: "120363000000000002", Server: ident.Group}
)

// groupStanzas are stanzas about groups of every kind.
func groupStanzas(from, to ident.Address) (all []stanza.Stanza) {
	both := []stanza.Participant{{Address: from, Admin: true}, {Address: to}}
	other := stanza.Participant{Address: ident.Address{User: "5", Server: ident.User}}
	for _, group := range []ident.Address{fuzzGroup, fuzzNoGroup} {
		iq := func(typ stanza.IQType, p stanza.Payload) stanza.Stanza {
			return &stanza.IQ{ID: "q2", To: group, Type: typ, Payload: p}
		}
		enc := stanza.Enc{Type: "skmsg", Version: 2, Payload: []byte{0x33, 8, 1}}
		again := enc
		again.Type, again.Count = "msg", 1
		all = append(all,
			&stanza.Message{ID: "M", To: group, Type: stanza.TextMessage, PHash: ParticipantHash([]ident.Address{from, to}), Participants: []stanza.To{{Address: to, Enc: enc}}, Enc: []stanza.Enc{enc}},
			&stanza.Message{ID: "M", From: group, Participant: from, Type: stanza.TextMessage, Participants: []stanza.To{{Address: to, Enc: enc}}, Enc: []stanza.Enc{enc}},
			&stanza.Message{ID: "M", To: group, Participant: to, Type: stanza.TextMessage, Participants: []stanza.To{{Address: to, Enc: enc}}, Enc: []stanza.Enc{again}},
			&stanza.Message{ID: "M", From: group, Participant: from, Type: stanza.TextMessage, Enc: []stanza.Enc{again}},
			&stanza.Receipt{ID: "M", To: group, From: group, Participant: to},
			&stanza.Receipt{ID: "M", To: group, From: group, Participant: from, Type: stanza.Read},
			&stanza.Receipt{ID: "M", To: group, From: group, Participant: from, Type: stanza.RetryAsk, Retry: &stanza.Retry{Count: 1, ID: "M", Version: 1}},
			&stanza.Ack{Class: stanza.AckMessage, ID: "M", To: group, Error: stanza.Conflict, PHash: "2:x"},
			&stanza.Ack{Class: stanza.AckNotification, ID: "n1", To: group},
			&stanza.Notification{ID: "n", From: group, Participant: from, Event: &stanza.GroupChange{Action: stanza.GroupAdd, Version: 2, Participants: []stanza.Participant{other, other}}},
			&stanza.Notification{ID: "n", From: group, Participant: from, Event: &stanza.GroupChange{Action: stanza.GroupRemove, Version: 2, Participants: both}},
			&stanza.Notification{ID: "n", From: group, Participant: from, Event: &stanza.GroupChange{Action: stanza.GroupRemove, Version: 9}},
			iq(stanza.Set, &stanza.GroupCreate{Key: "k", Participants: both}),
			iq(stanza.Set, &stanza.GroupChange{Action: stanza.GroupAdd, Participants: append(both, other)}),
			iq(stanza.Set, &stanza.GroupChange{Action: stanza.GroupRemove, Participants: append(both, both...)}),
			iq(stanza.Set, &stanza.GroupLeave{Group: group}),
			iq(stanza.Get, stanza.GroupQuery{}),
			iq(stanza.Get, stanza.GroupsQuery{}),
			iq(stanza.Result, &stanza.GroupInfo{Group: group, Version: 3, Participants: append(both, other)}),
			iq(stanza.Result, &stanza.GroupInfo{Group: group, Version: 3, Participants: append(both, both...)}),
			iq(stanza.Result, &stanza.GroupList{Groups: []stanza.GroupInfo{{Group: group, Version: 4}}}),
		)
	}
	return all
}

// FuzzGatekeeperFrame: whatever a client sends, the gatekeeper does not panic; what it
// refuses changes nothing; and what it has written restores to what it is.
func FuzzGatekeeperFrame(f *testing.F) {
	alice := ident.Address{User: "4915100000001", Server: ident.User}
	bob := ident.Address{User: "10000000000000", Server: ident.Interop, Integrator: 1}
	for _, frame := range frames(alice, bob) {
		f.Add(true, frame, frame)
	}
	for _, frame := range frames(bob, alice) {
		f.Add(false, frame, frame)
	}
	f.Fuzz(func(t *testing.T, native bool, first, second []byte) {
		n, alice, bob := pair(t, GatekeeperConfig{Reach: PingThenConsent, PingLimit: 2, RefillBelow: 3})
		n.send(bob, alice, "hello")
		n.step(alice, CreateGroup{Members: []ident.Address{bob.addr}})
		n.run()
		alice.lose, bob.lose = true, true
		n.step(bob, Compose{To: fuzzGroup, Content: Content{Kind: Text, Text: "M is another"}})
		n.run()
		from := bob
		if native {
			from = alice
		}
		for _, frame := range [][]byte{first, second} {
			before := n.gk.dump()
			out, err := n.gk.Step(n.now, Frame{Conn: from.conn, Data: frame})
			write(n.store, out.Persist)
			if err != nil && n.gk.dump() != before {
				t.Fatalf("refused with %v, but changed from\n%s\nto\n%s", err, before, n.gk.dump())
			}
		}
		restored, err := RestoreGatekeeper(n.gkCfg, list(n.store))
		if err != nil {
			t.Fatal(err)
		}
		restored.nextSeq = n.gk.nextSeq // beyond what is stored only by what has left the mailbox
		if got, want := restored.dump(), n.gk.dump(); got != want {
			t.Fatalf("restored as\n%s\nwant\n%s", got, want)
		}
	})
}

// dump renders what a gatekeeper has to keep.
func (g *Gatekeeper) dump() string {
	store := map[string][]byte{}
	r := g.records
	defer func() { g.records = r }()
	g.records = recorder{}
	for _, a := range g.sortedAccounts() {
		g.saveAccount(a)
		for i, id := range a.keys.oneTime.ids {
			_ = i
			g.records.put(oneTimeKey(a.addr, id), []byte{1})
		}
		for _, e := range a.box {
			g.saveEntry(e)
		}
		g.records.put("count/"+a.addr.String(), []byte(time.Duration(a.seen.count).String()))
	}
	for _, gr := range g.groups {
		g.saveGroup(gr)
		for _, m := range gr.members {
			g.saveMember(gr, m)
		}
	}
	write(store, g.records.list)
	var b bytes.Buffer
	for _, rec := range list(store) {
		b.WriteString(rec.Key + " " + string(rec.Value) + "\n")
	}
	return b.String()
}

// FuzzDeviceFrame: whatever a gatekeeper sends, a device does not panic, and what it
// refuses changes nothing.
func FuzzDeviceFrame(f *testing.F) {
	alice := ident.Address{User: "4915100000001", Server: ident.User}
	bob := ident.Address{User: "10000000000000", Server: ident.Interop, Integrator: 1}
	for _, frame := range frames(bob, alice) {
		f.Add(frame, frame)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		n, alice, bob := pair(t, GatekeeperConfig{})
		n.send(bob, alice, "hello")
		n.step(alice, CreateGroup{Members: []ident.Address{bob.addr}})
		n.run()
		n.step(alice, Compose{To: fuzzGroup, Content: Content{Kind: Text, Text: "waits for a receipt"}})
		alice.loseUp = true
		n.run()
		n.step(alice, FetchGroups{})
		n.step(alice, Compose{To: fuzzGroup, Content: Content{Kind: Text, Text: "waits for an ack"}})
		n.step(alice, Compose{To: bob.addr, Content: Content{Kind: Text, Text: "waits for keys"}})
		for _, frame := range [][]byte{first, second} {
			before, state := alice.dev.dump(), list(maps.Clone(alice.store))
			out, err := alice.dev.Step(n.now, Frame{Conn: alice.conn, Data: frame})
			write(alice.store, out.Persist)
			if err != nil && (alice.dev.dump() != before || !reflect.DeepEqual(list(alice.store), state)) {
				t.Fatalf("refused with %v, but changed from\n%s\nto\n%s", err, before, alice.dev.dump())
			}
		}
		if _, err := RestoreDevice(alice.cfg, list(alice.store)); err != nil {
			t.Fatal(err)
		}
	})
}

// dump renders what a device has to keep.
func (d *Device) dump() string {
	r := d.records
	defer func() { d.records = r }()
	d.records = recorder{}
	for _, o := range d.out {
		d.saveOut(o)
	}
	for _, o := range d.sent {
		d.saveSent(o)
	}
	for _, gr := range d.groups {
		d.saveGroup(gr)
	}
	store := map[string][]byte{}
	write(store, d.records.list)
	var b bytes.Buffer
	for _, rec := range append(list(store), d.cfg.Client.State()...) {
		b.WriteString(rec.Key + " " + string(rec.Value) + "\n")
	}
	return b.String()
}

// FuzzRestore: records from a damaged disk are an error or a machine that works.
func FuzzRestore(f *testing.F) {
	f.Add("acct/4915100000001@s.whatsapp.net", []byte(`{"visible":"a","form":1,"static":"AAAA"}`), "otk/4915100000001@s.whatsapp.net/7", []byte("value"))
	f.Add("acct/4915100000001@s.whatsapp.net", []byte(`{"static":"AAAA"}`), "seen/4915100000001@s.whatsapp.net/7", []byte("12345678abcdefgh"))
	f.Add("agree/1", []byte{1}, "box/4915100000001@s.whatsapp.net/3", []byte("\x00\x02{}frame"))
	f.Add("out/1", []byte(`{"kind":0,"id":"x","peer":"1-2@interop","content":"AQ=="}`), "self", []byte(`{}`))
	f.Add("out/1", []byte(`{"kind":2,"id":"x","frame":"AQ==","fetch":true,"peer":"1-2@interop"}`), "seen/2", []byte("12345678abcdefgh"))
	f.Add("group/120363000000000001@g.us", []byte(`{"creator":"1@msgr","key":"k","version":1}`), "nextgroup/", []byte("7"))
	f.Add("group/120363000000000001@g.us", []byte(`{"version":1,"members":[{"a":"1@s.whatsapp.net"}]}`), "self", []byte(`{}`))
	f.Add("out/1", []byte(`{"kind":3,"id":"x","group":"120363000000000001@g.us","content":"AQ==","waiting":["2@msgr"],"sent":true}`), "got/1/2@msgr", []byte{1})
	f.Add("out/1", []byte(`{"kind":2,"id":"x","frame":"AQ==","wish":"keys","group":"120363000000000001@g.us"}`), "member/120363000000000001@g.us/1@msgr", []byte(`{}`))
	f.Fuzz(func(t *testing.T, k1 string, v1 []byte, k2 string, v2 []byte) {
		records := []protocols.Record{{Key: k1, Value: v1}, {Key: k2, Value: v2}}
		if g, err := RestoreGatekeeper(GatekeeperConfig{Native: ident.User}, records); err == nil {
			inputs := []Input{Wake{}}
			for addr := range g.accounts {
				inputs = append(inputs, Connect{Conn: 1, Account: addr})
				for _, frame := range frames(addr, addr) {
					inputs = append(inputs, Frame{Conn: 1, Data: frame})
				}
			}
			for _, in := range inputs {
				g.Step(epoch, in)
			}
		}
		addr := ident.Address{User: "1", Server: ident.User}
		client, err := sized.Adapter{}.New(protocols.Config{Address: protocols.Address(addr.String()), Suite: testSuite{r: &counter{}}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := RestoreDevice(DeviceConfig{Address: addr, Client: client, Rand: &counter{}, Batch: 1}, records)
		if err != nil {
			return
		}
		d.Step(epoch, Connect{Conn: 1})
		for _, frame := range frames(ident.Address{User: "2", Server: ident.Interop, Integrator: 1}, addr) {
			d.Step(epoch, Frame{Conn: 1, Data: frame})
		}
	})
}

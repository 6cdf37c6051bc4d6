package mls

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// seeds returns messages of the insider that are valid, of every kind.
func (x *scene) seeds(private bool) [][]byte {
	x.t.Helper()
	remove, self := RemoveProposal(3), x.cfg.SelfRemoveProposal()
	add := AddProposal(x.keyPackage("9").Public)
	extensions := ExtensionsProposal(withServer(x.cfg))
	psk := x.psk(resumptionPSK(message.ResumptionApplication, 1))
	data, eph := appData(x.cfg, notes, false, "note"), ephemeral(x.cfg, notes, "data")
	list := [][]byte{
		forge(x.t, x.in, forgery{private: private}),
		forge(x.t, x.in, forgery{private: private, all: []Committed{x.mine(add), x.mine(psk), x.mine(data), x.mine(eph)}, noPath: true}),
		forge(x.t, x.in, forgery{private: private, all: []Committed{x.mine(remove), x.mine(extensions)}}),
		forge(x.t, x.in, forgery{private: private, all: []Committed{x.mine(ReInitProposal([]byte("next"), 1, nil))}, noPath: true}),
	}
	for _, p := range []*message.Proposal{&remove, &add, &extensions, &psk, &data, &eph, x.updateOf(x.in, nil)} {
		list = append(list, forge(x.t, x.in, forgery{private: private, proposal: p}))
	}
	if private {
		return append(list, forge(x.t, x.in, forgery{private: true, data: []byte("hello")}))
	}
	return append(list,
		forge(x.t, x.in, forgery{proposal: &self}),
		forgeExternal(x.t, x.to, x.identity("9"), false, forgery{}),
		forgeExternal(x.t, x.to, x.identity("3"), false, forgery{all: []Committed{x.outsiders(remove)}}),
		x.server(0, remove),
	)
}

// resigned returns a PublicMessage of the insider, whatever it says, with the right
// signature and tag, so that the rules behind them see it too.
func (x *scene) resigned(b []byte) []byte {
	m, err := message.Parse(b, nil)
	if err != nil || m.Public == nil || m.Public.Content.Sender != message.Member(uint32(x.in.own)) || m.Public.Content.Type == message.ContentApplication {
		return b
	}
	c := m.Public.Authenticated()
	if c.Sign(x.cfg.Suite, x.in.signer, x.in.now.encoded) != nil {
		return b
	}
	if m.Public, err = c.Public(x.cfg.Suite, x.in.epoch.Membership, x.in.now.encoded); err != nil {
		return b
	}
	if out, err := wire.Marshal(m); err == nil {
		return out
	}
	return b
}

// FuzzProcess changes messages to a member. What is refused must change nothing,
// and a Commit that is accepted must lead to a tree that is valid.
func FuzzProcess(f *testing.F) {
	r := row{config: withNotes, extensions: withServer}
	x := newScene(f, &r)
	for _, private := range []bool{false, true} {
		for _, b := range x.seeds(private) {
			f.Add(b, true)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, sign bool) {
		if sign {
			b = x.resigned(b)
		}
		g := *x.to // what is accepted is forgotten again, but for used keys
		before := fingerprint(&g)
		e, err := g.Process(now, b)
		if _, staged := e.(*Staged); (err != nil || staged) && fingerprint(&g) != before {
			t.Fatalf("state changed by a message that gave %v", err)
		}
		checkStaged(t, e)
	})
}

// checkStaged checks what a Commit that was accepted would lead to.
func checkStaged(t *testing.T, e Event) {
	t.Helper()
	s, ok := e.(*Staged)
	if !ok {
		return
	}
	if err := s.Tree().VerifyKeys(); err != nil {
		t.Fatal(err)
	}
	if err := s.Tree().VerifyParentHashes(); err != nil {
		t.Fatal(err)
	}
	if bad, err := s.Tree().VerifyLeaves(s.Context().GroupID, nil); err != nil {
		t.Fatalf("leaf %d: %v", bad, err)
	}
}

// FuzzStage does the same to a tracker, which sees PublicMessages without secrets.
func FuzzStage(f *testing.F) {
	r := row{config: withNotes, extensions: withServer}
	x := newScene(f, &r)
	info, err := x.to.GroupInfo(GroupInfoOptions{})
	if err != nil {
		f.Fatal(err)
	}
	hub, err := NewPublicGroup(x.cfg, now, info, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range x.seeds(false) {
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, sign bool) {
		if sign {
			b = x.resigned(b)
		}
		m, err := message.Parse(b, nil)
		if err != nil || m.Public == nil {
			return
		}
		g := *hub
		e, err := g.Stage(now, m.Public)
		if err != nil && (g.now != hub.now || len(g.cache.order) != len(hub.cache.order)) {
			t.Fatalf("state changed by a message that gave %v", err)
		}
		checkStaged(t, e)
	})
}

// FuzzWelcome changes a Welcome, and what it encrypts: kind says which of the three
// b is. A Welcome that is accepted must lead to a group whose tree is valid.
func FuzzWelcome(f *testing.F) {
	x := newScene(f, new(row))
	k := x.keyPackage("9")
	var info, secrets []byte
	keep := func(to *[]byte) func([]byte) []byte {
		return func(b []byte) []byte { *to = b; return b }
	}
	w := forgeWelcome(f, x.in, k, welcomeForgery{plain: keep(&info), gs: keep(&secrets)})
	f.Add(encode(f, &message.Message{Welcome: w}), uint8(0))
	f.Add(info, uint8(1))
	f.Add(secrets, uint8(2))
	known := new(message.GroupSecrets)
	if err := decode(secrets, known); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		w := welcomeOf(t, x, k, known, info, secrets, b, kind)
		if w == nil {
			return
		}
		sw, err := OpenWelcome(x.cfg, now, w, []*KeyPackage{k}, JoinOptions{})
		if err != nil {
			return
		}
		g := sw.Join()
		if leaf := g.Tree().Leaf(g.OwnLeaf()); string(leaf.EncryptionKey) != string(k.Leaf.Public) {
			t.Fatalf("joined at leaf %d, which is another's", g.OwnLeaf())
		}
		if g.Tree().SignatureKey(tree.LeafIndex(sw.Info.Signer)) == nil {
			t.Fatal("joined by a signer who is no member")
		}
	})
}

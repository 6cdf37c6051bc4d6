package hub

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// hostile is a room with requests that its hub accepts, to be made wrong.
type hostile struct {
	*world
	good []Input
}

func newHostile(t testing.TB) *hostile {
	w := trio(t, nil)
	alice, bob, cathy := w.client("alice/ClientA1"), w.client("bob/ClientB1"), w.client("cathy/ClientC1")
	w.client("dora/ClientD1")
	h := &hostile{world: w}
	add := func(in Input) { h.good = append(h.good, in) }

	keys := must(w.keyMaterial(alice, "dora"))
	p := must(w.newCommit(alice, mls.CommitOptions{Proposals: []message.Proposal{alice.participants("+dora:2"), mls.AddProposal(keys[0])}}))
	add(UpdateRequest{"a.example", clubhouse, marshal(bundle(p, true, p.Tree()))})

	leave := new(mimi.UpdateRequest)
	leave.Bundle.ProposalOrCommit = *must(message.Parse(must(bob.group.Propose(w.now, mls.RemoveProposal(bob.group.OwnLeaf()), mls.SendOptions{})), nil))
	leave.Bundle.MoreProposals = []message.Message{*must(message.Parse(must(bob.group.Propose(w.now, bob.participants("-bob"), mls.SendOptions{})), nil))}
	add(UpdateRequest{"b.example", clubhouse, marshal(leave)})

	m, data := w.newMessage(cathy, "hello")
	add(SubmitMessageRequest{"c.example", clubhouse, marshal(&mimi.SubmitMessageRequest{AppMessage: m, SendingURI: mimi.URI(cathy.user)})})

	second := w.client("bob/ClientB2")
	pair := must(second.cfg.Suite.GenerateKeyPair())
	info := &mimi.GroupInfoRequest{
		CipherSuite: suiteID, RequestingSignatureKey: second.id.Signer.Public, RequestingCredential: second.id.Credential, GroupInfoPublicKey: pair.Public,
	}
	if err := info.Sign(second.cfg.Suite, second.id.Signer.Private); err != nil {
		t.Fatal(err)
	}
	add(GroupInfoRequest{"b.example", clubhouse, marshal(info)})

	opened, _, err := w.groupInfo(second, "")
	if err != nil {
		t.Fatal(err)
	}
	ext := must(mls.JoinExternal(second.cfg, w.now, second.id, &opened.GroupInfo, mls.ExternalOptions{
		RatchetTree: opened.RatchetTreeOption.RatchetTree, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	}))
	add(UpdateRequest{"b.example", clubhouse, marshal(bundle(&ext.Pending, false, nil))})

	req := &mimi.KeyMaterialRequest{
		RequestingUser: mimi.URI(alice.user), TargetUser: mimi.URI(bob.user), RoomID: mimi.URI(clubhouse),
		AcceptableCiphersuites: []suite.ID{suiteID}, RequesterSignatureKey: alice.id.Signer.Public, RequesterCredential: alice.id.Credential,
	}
	if err := req.Sign(alice.cfg.Suite, alice.id.Signer.Private); err != nil {
		t.Fatal(err)
	}
	add(KeyMaterialRequest{"a.example", marshal(req)})
	k := must(bob.cfg.NewKeyPackage(w.now, bob.id, mls.LeafOptions{}))
	add(KeyMaterialResponse{"b.example", marshal(req), marshal(&mimi.KeyMaterialResponse{
		UserURI: mimi.URI(bob.user), Clients: []mimi.ClientKeyMaterial{{KeyPackage: &k.Public}},
	})})
	add(ReportAbuse{"c.example", clubhouse, marshal(&mimi.AbuseReport{AllegedAbuserURI: mimi.URI(cathy.user), Messages: []mimi.AbusiveMessage{{MessageContent: data}}})})
	add(ProxyDownload{"b.example", "https://assets.b.example/1"})
	for _, in := range h.good { // else the test tests nothing
		w.restore()
		store := w.store
		w.store = cloneStore(store)
		if out, err := w.step(in); err != nil || out.Refused != nil {
			t.Fatalf("%T: %v %v", in, err, out.Refused)
		}
		w.store = store
	}
	w.flying = nil
	return h
}

func cloneStore(m map[string][]byte) map[string][]byte {
	c := make(map[string][]byte, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

// change returns a request with its body changed.
func change(in Input, f func([]byte) []byte) Input {
	g := func(b []byte) []byte { return f(bytes.Clone(b)) }
	switch in := in.(type) {
	case UpdateRequest:
		in.Body = g(in.Body)
		return in
	case SubmitMessageRequest:
		in.Body = g(in.Body)
		return in
	case GroupInfoRequest:
		in.Body = g(in.Body)
		return in
	case KeyMaterialRequest:
		in.Body = g(in.Body)
		return in
	case KeyMaterialResponse:
		in.Body = g(in.Body)
		return in
	case ReportAbuse:
		in.Body = g(in.Body)
		return in
	case ProxyDownload:
		in.URL = string(g([]byte(in.URL)))
		return in
	}
	panic("no request")
}

// try gives the hub a request that may be wrong and then, if it was refused, the one
// that is right: what was refused has left nothing behind. What was accepted can be
// restored.
func (h *hostile) try(t testing.TB, n int, bad Input) {
	h.world.restore()
	store := h.store
	h.store = cloneStore(store)
	defer func() { h.store, h.flying = store, nil }()
	out, err := h.step(bad)
	if err == nil && out.Refused == nil {
		h.world.restore()
		return
	}
	if out, err := h.step(h.good[n]); err != nil || out.Refused != nil {
		t.Fatalf("%T after one that was refused: %v %v", bad, err, out.Refused)
	}
}

// TestHostileRequests changes bytes of requests and cuts them.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for n := range h.good {
		for range rounds {
			h.try(t, n, change(h.good[n], func(b []byte) []byte {
				switch i := rnd.IntN(len(b)); rnd.IntN(4) {
				case 0:
					return b[:i]
				case 1:
					return append(b, b[i:]...)
				case 2:
					b[i] = byte(rnd.Uint32())
				default:
					b[i] ^= 1 << rnd.IntN(8)
				}
				return b
			}))
		}
	}
}

// FuzzStep gives a hub any request in place of one that it would accept: a part of
// its body is replaced.
func FuzzStep(f *testing.F) {
	h := newHostile(f)
	for n := range h.good {
		f.Add(uint8(n), uint16(0), uint16(0), []byte{})
		f.Add(uint8(n), uint16(7), uint16(1), []byte{0xff})
		f.Add(uint8(n), uint16(40), uint16(60), []byte("mimi://b.example/u/bob"))
	}
	f.Fuzz(func(t *testing.T, kind uint8, at, drop uint16, with []byte) {
		n := int(kind) % len(h.good)
		h.try(t, n, change(h.good[n], func(b []byte) []byte {
			i := min(int(at), len(b))
			j := min(i+int(drop), len(b))
			return append(append(b[:i:i], with...), b[j:]...)
		}))
	})
}

// FuzzRestore restores hubs from records of which one is changed: it says what is
// wrong, or is a hub that can step.
func FuzzRestore(f *testing.F) {
	w := trio(f, nil)
	if out, err := w.leave(w.client("bob/ClientB1")); !took(out, err) {
		f.Fatal(err, out.Refused)
	}
	if _, _, err := w.groupInfo(w.client("dora/ClientD1"), "sesame"); err != nil {
		f.Fatal(err)
	}
	records := w.records()
	for i := range records {
		f.Add(uint8(i), uint16(1), []byte{1})
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, with []byte) {
		list := append(records[:0:0], records...)
		r := &list[int(which)%len(list)]
		v := bytes.Clone(r.Value)
		i := min(int(at), len(v))
		r.Value = append(append(v[:i:i], with...), v[min(i+len(with), len(v)):]...)
		h, err := Restore(w.cfg, list)
		if err != nil {
			return
		}
		if _, err := h.Step(w.now, Resume{}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Step(w.now, Wake{}); err != nil {
			t.Fatal(err)
		}
	})
}

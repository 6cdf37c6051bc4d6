package mls

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// recordStore is what a store makes of changes.
type recordStore map[string][]byte

// write writes changes and returns how many records and bytes they are.
func (s recordStore) write(changes []Record) (records, bytes int) {
	for _, r := range changes {
		if r.Value == nil {
			delete(s, r.Key)
		} else {
			s[r.Key] = slices.Clone(r.Value)
		}
		bytes += len(r.Key) + len(r.Value)
	}
	return len(changes), bytes
}

func (s recordStore) records() []Record {
	var out []Record
	for k, v := range s {
		out = append(out, Record{k, slices.Clone(v)})
	}
	slices.SortFunc(out, func(a, b Record) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// sameRecords says in what records differ, or nothing.
func sameRecords(want, got []Record) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got) || i < len(want) && want[i].Key < got[i].Key:
			return "record " + want[i].Key + " is missing"
		case i >= len(want) || want[i].Key > got[i].Key:
			return "record " + got[i].Key + " is new"
		case !bytes.Equal(want[i].Value, got[i].Value):
			return "record " + want[i].Key + " differs"
		}
	}
	return ""
}

// check writes a group's changes to its store, and demands that the store holds its
// state and that this state makes a group of the same state. It returns that group.
func (s recordStore) check(t *testing.T, name string, cfg *Config, g *Group) *Group {
	t.Helper()
	s.write(g.Changes())
	if again := g.Changes(); len(again) > 0 {
		t.Fatalf("%s: record %s is reported as changed twice", name, again[0].Key)
	}
	state := g.State()
	if diff := sameRecords(state, s.records()); diff != "" {
		t.Fatalf("%s: changes do not add up to the state: %s", name, diff)
	}
	r, err := Restore(cfg, s.records())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if changes := r.Changes(); len(changes) > 0 {
		t.Fatalf("%s: record %s of a restored group is reported as changed", name, changes[0].Key)
	}
	if diff := sameRecords(state, r.State()); diff != "" {
		t.Fatalf("%s: restored, it has another state: %s", name, diff)
	}
	return r
}

// TestStateOfRandomConversation lets groups change at random and exports and imports
// members at random: they go on as if nothing had happened.
func TestStateOfRandomConversation(t *testing.T) {
	t.Parallel()
	for run := range 2 {
		for _, public := range []bool{true, false} {
			t.Run(fmt.Sprintf("run %d public %v", run, public), func(t *testing.T) {
				t.Parallel()
				randomStates(t, rand.New(rand.NewPCG(uint64(run), 7)), public)
			})
		}
	}
}

func randomStates(t *testing.T, rnd *rand.Rand, public bool) {
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) { c.PublicHandshake, c.PastEpochs = public, 3 })
	stores := map[string]recordStore{}
	type sent struct {
		by    string
		bytes []byte
		left  map[string]bool // who has yet to open it
		epoch uint64
	}
	var late []sent
	next := 1
	pick := func() string { return w.order[rnd.IntN(len(w.order))] }
	for step := range 70 {
		by := pick()
		g := w.groups[by]
		switch rnd.IntN(10) {
		case 0, 1:
			var joiners []*KeyPackage
			for range 1 + rnd.IntN(14) {
				joiners = append(joiners, w.keyPackage(fmt.Sprint(next)))
				next++
			}
			w.commit(by, CommitOptions{}, joiners...)
		case 2:
			if len(w.order) > 4 {
				var remove []message.Proposal
				for _, name := range w.order[len(w.order)-rnd.IntN(3)-1:] {
					if name != by {
						remove = append(remove, RemoveProposal(w.groups[name].OwnLeaf()))
					}
				}
				w.commit(by, CommitOptions{Proposals: remove})
			}
		case 3:
			w.commit(by, CommitOptions{Path: true})
		case 4:
			b, err := g.ProposeUpdate(now, LeafChange{}, SendOptions{})
			if err != nil {
				t.Fatal(err)
			}
			w.hear(by, b)
		case 5:
			for _, name := range w.order {
				if stores[name] == nil {
					stores[name] = recordStore{}
				}
				w.groups[name] = stores[name].check(t, fmt.Sprintf("step %d: %s", step, name), w.cfg, w.groups[name])
			}
		case 6:
			if stores[by] == nil {
				stores[by] = recordStore{}
			}
			stores[by].write(g.Changes()) // and goes on as it is
		case 7:
			if len(g.Proposals()) == 0 {
				b, err := g.Protect(fmt.Appendf(nil, "step %d", step), SendOptions{})
				if err != nil {
					t.Fatal(err)
				}
				left := map[string]bool{}
				for _, name := range w.order {
					left[name] = name != by
				}
				late = append(late, sent{by, b, left, g.Epoch()})
			}
		default:
			for _, m := range late {
				g := w.groups[by]
				e, err := g.Process(now, m.bytes)
				kept := m.epoch == g.Epoch()
				for _, past := range g.past {
					kept = kept || past.snap.context.Epoch == m.epoch
				}
				if want := m.left[by] && kept; (err == nil) != want {
					t.Fatalf("step %d: %s at epoch %d opens a message of epoch %d: error %v, want success %v", step, by, g.Epoch(), m.epoch, err, want)
				}
				if err == nil {
					m.left[by] = false
					if e.(*Application).Epoch != m.epoch {
						t.Fatalf("epoch %d, want %d", e.(*Application).Epoch, m.epoch)
					}
				}
			}
		}
		for name := range stores {
			if w.groups[name] == nil {
				delete(stores, name) // removed
			}
		}
	}
	w.commit(pick(), CommitOptions{Path: true})
}

// hear lets all but one take a proposal.
func (w *world) hear(but string, b []byte) {
	w.t.Helper()
	for _, name := range w.order {
		if name == but {
			continue
		}
		if _, err := w.groups[name].Process(now, b); err != nil {
			w.t.Fatal(err)
		}
	}
}

// grown returns a world whose group has n members.
func grown(t testing.TB, n int, change func(*Config)) *world {
	t.Helper()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, change)
	var proposals []message.Proposal
	for i := 1; i < n; i++ {
		proposals = append(proposals, AddProposal(w.keyPackage(fmt.Sprint(i)).Public))
	}
	p, err := w.groups["0"].Commit(now, CommitOptions{Proposals: proposals, Path: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.groups["0"].Merge(&p.Staged); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestCommitWritesPath counts what a Commit writes: in a full tree it is the pages on
// one way to the root, and what is left of the epoch.
func TestCommitWritesPath(t *testing.T) {
	t.Parallel()
	const pageMost = 32*300 + 31*200 // bytes of a page of leaves, generously
	written := map[int]int{}
	for _, n := range []int{10, 100, 1000} {
		w := grown(t, n, func(c *Config) { c.Padding = nil })
		g := w.groups["0"]
		_, all := recordStore{}.write(g.State())
		commit := func() {
			p, err := g.Commit(now, CommitOptions{Path: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Merge(&p.Staged); err != nil {
				t.Fatal(err)
			}
		}
		commit() // all nodes above are set now
		g.Changes()
		commit()
		changes := g.Changes()
		pages := 0
		for _, r := range changes {
			if strings.HasPrefix(r.Key, "tree/") && r.Value != nil {
				pages++
			}
		}
		want := 1 // page of six levels each
		for width := g.Tree().Width() >> 5; width > 1; width >>= 6 {
			want++
		}
		if g.Tree().Width() == 1<<5 {
			want = 1
		}
		records, bytes := recordStore{}.write(changes)
		if pages != want {
			t.Errorf("%d members: a Commit writes %d pages, want %d", n, pages, want)
		}
		if most := pages*pageMost + 4096; bytes > most {
			t.Errorf("%d members: a Commit writes %d bytes, want %d at most", n, bytes, most)
		}
		written[n] = bytes
		t.Logf("%d members: the state has %d bytes, a Commit writes %d records with %d bytes, %d pages", n, all, records, bytes, pages)
	}
	if written[1000] > 3*written[100] {
		t.Errorf("a Commit writes %d bytes with 1000 members, %d with 100: want no growth with the number of members", written[1000], written[100])
	}
}

// TestMessageWritesKeys: an application message writes entries of the secret tree of
// its epoch and nothing else: those that its sender's first one opens, and later the
// sender's own, however many others have sent and however large the group is.
func TestMessageWritesKeys(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 30} {
		w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, nil)
		var joiners []*KeyPackage
		for i := 1; i < n; i++ {
			joiners = append(joiners, w.keyPackage(fmt.Sprint(i)))
		}
		w.commit("0", CommitOptions{}, joiners...)
		height := bits.Len32(w.groups["0"].Tree().Width()) - 1
		send := func(by string, most int) {
			t.Helper()
			for _, name := range w.order {
				w.groups[name].Changes()
			}
			m, err := w.groups[by].Protect([]byte("hello"), SendOptions{})
			if err != nil {
				t.Fatal(err)
			}
			w.hear(by, m)
			for _, name := range w.order {
				changes, size := w.groups[name].Changes(), 0
				for _, r := range changes {
					size += len(r.Value)
					if !strings.HasPrefix(r.Key, "keys/0000000000000001/") {
						t.Errorf("%d members: %s writes %s for a message of %s", n, name, r.Key, by)
					}
				}
				if len(changes) < 1 || len(changes) > most || size > 100*most {
					t.Errorf("%d members: %s writes %d records, %d bytes, for a message of %s, want %d records at most", n, name, len(changes), size, by, most)
				}
			}
		}
		for _, name := range w.order {
			send(name, height+2)
		}
		send("1", 1)
	}
}

func TestPublicGroupState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, nil)
	hub := w.hub()
	store := recordStore{}
	follow := func(b []byte) {
		t.Helper()
		w.track(hub, b)
		store.write(hub.Changes())
		if diff := sameRecords(hub.State(), store.records()); diff != "" {
			t.Fatalf("changes do not add up to the state: %s", diff)
		}
		for key := range store {
			if n, ok := parseName(key); !ok || n.kind >= recordMember {
				t.Fatalf("a hub stores record %s", key)
			}
		}
		var err error
		if hub, err = RestorePublic(w.cfg, store.records()); err != nil {
			t.Fatal(err)
		}
		if diff := sameRecords(store.records(), hub.State()); diff != "" {
			t.Fatalf("restored, it has another state: %s", diff)
		}
	}
	for i := range 12 {
		var joiners []*KeyPackage
		for j := range 5 {
			joiners = append(joiners, w.keyPackage(fmt.Sprint(i, j)))
		}
		follow(w.commit("0", CommitOptions{}, joiners...).Message)
	}
	b, err := w.groups["3 1"].ProposeUpdate(now, LeafChange{}, SendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.hear("3 1", b)
	follow(b)
	follow(w.commit("0", CommitOptions{}).Message)
	for i := 11; i >= 4; i-- { // the tree shrinks
		var remove []message.Proposal
		for j := range 5 {
			remove = append(remove, RemoveProposal(w.groups[fmt.Sprint(i, j)].OwnLeaf()))
		}
		follow(w.commit("0", CommitOptions{Proposals: remove}).Message)
	}
	if _, err := Restore(w.cfg, hub.State()); !errors.Is(err, ErrState) {
		t.Errorf("a hub's state made a member: error %v, want ErrState", err)
	}
	if _, err := RestorePublic(w.cfg, w.groups["0"].State()); !errors.Is(err, ErrState) {
		t.Errorf("a member's state made a hub's: error %v, want ErrState", err)
	}
}

func TestRemovedState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) { c.PastEpochs = 2 })
	w.commit("0", CommitOptions{}, w.keyPackage("1"))
	g, store := w.groups["1"], recordStore{}
	store.check(t, "before", w.cfg, g)
	w.commit("0", CommitOptions{Proposals: []message.Proposal{RemoveProposal(g.OwnLeaf())}})
	r := store.check(t, "removed", w.cfg, g)
	for key := range store {
		for _, secret := range []string{"private", "exporter", "keys/", "past/"} {
			if strings.HasPrefix(key, secret) {
				t.Errorf("record %s is kept after the removal", key)
			}
		}
	}
	for _, g := range []*Group{g, r} {
		if _, err := g.Protect(nil, SendOptions{}); !g.Removed() || !errors.Is(err, ErrRemoved) {
			t.Errorf("removed %v, error %v, want ErrRemoved", g.Removed(), err)
		}
		if _, err := g.Export("x", nil, 16); !errors.Is(err, ErrRemoved) {
			t.Errorf("Export: error %v, want ErrRemoved", err)
		}
	}
}

func TestPendingCommitIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, nil)
	w.commit("0", CommitOptions{}, w.keyPackage("1"), w.keyPackage("2"))
	k := w.keyPackage("3")
	g := w.groups["0"]
	p, err := g.Commit(now, CommitOptions{Path: true, Proposals: []message.Proposal{AddProposal(k.Public), RemoveProposal(w.groups["2"].OwnLeaf())}})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := g.MarshalPending(&p.Staged)
	if err != nil {
		t.Fatal(err)
	}
	if w.groups["0"], err = Restore(w.cfg, g.State()); err != nil {
		t.Fatal(err)
	}
	staged, err := w.groups["0"].UnmarshalPending(stored)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.groups["0"].Merge(staged); err != nil {
		t.Fatal(err)
	}
	w.follow("0", p.Message)
	w.join(p.Welcome, k)
	w.agree()
	if _, err := w.groups["0"].UnmarshalPending(stored); !errors.Is(err, ErrStale) {
		t.Errorf("a commit of an earlier epoch: error %v, want ErrStale", err)
	}
	for n := range stored {
		if _, err := g.UnmarshalPending(stored[:n]); !errors.Is(err, ErrState) {
			t.Fatalf("cut to %d bytes: error %v, want ErrState", n, err)
		}
	}
}

func TestKeyPackageIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, nil)
	k := w.keyPackage("1")
	b, err := k.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.cfg.UnmarshalKeyPackage(b)
	if err != nil {
		t.Fatal(err)
	}
	w.commit("0", CommitOptions{}, again)
	for n := range b {
		if _, err := w.cfg.UnmarshalKeyPackage(b[:n]); !errors.Is(err, ErrState) {
			t.Fatalf("cut to %d bytes: error %v, want ErrState", n, err)
		}
	}
}

func TestRestoreRefusesOtherRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) { c.PastEpochs = 2 })
	w.commit("0", CommitOptions{}, w.keyPackage("1"), w.keyPackage("2"))
	w.commit("1", CommitOptions{Path: true})
	b, err := w.groups["0"].ProposeUpdate(now, LeafChange{}, SendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.hear("0", b)
	good := w.groups["0"].State()
	if _, err := Restore(w.cfg, good); err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, records []Record) {
		t.Helper()
		if _, err := Restore(w.cfg, records); !errors.Is(err, ErrState) {
			t.Errorf("%s: error %v, want ErrState", what, err)
		}
	}
	for i, r := range good {
		// A list may end early, and with it goes what cannot be told to be missing.
		optional := strings.HasPrefix(r.Key, "proposal/") || strings.HasPrefix(r.Key, "resumption/") && strings.HasSuffix(r.Key, "0")
		if !optional {
			refuse("without "+r.Key, slices.Delete(slices.Clone(good), i, i+1))
		}
		for what, v := range map[string][]byte{"empty": {}, "cut": r.Value[:len(r.Value)-1], "longer": append(slices.Clone(r.Value), 0), "of version 2": append([]byte{2}, r.Value[1:]...)} {
			bad := slices.Clone(good)
			bad[i].Value = v
			refuse(r.Key+" "+what, bad)
		}
	}
	for _, key := range []string{"unknown", "context/0", "tree/0/0/0", "keys/3", "keys/0000000000000009", "keys/0000000000000009/00000001", "keys/0000000000000001/00000009", "past/0000000000000009", "tree/0/00000007/0000000000000001", "tree/0/00000000/0000000000000009", "proposal/0000000000000005", "KEYS/0000000000000001"} {
		refuse("with "+key, append(slices.Clone(good), Record{key, good[0].Value}))
	}
}

// TestRestoreRefusesSwappedRecords puts values of right form under the keys of others,
// where they contradict what other records say.
func TestRestoreRefusesSwappedRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) { c.PastEpochs = 2 })
	w.commit("0", CommitOptions{}, w.keyPackage("1"), w.keyPackage("2"))
	w.commit("1", CommitOptions{Path: true})
	before := recordStore{}
	before.write(w.groups["0"].State())
	w.commit("2", CommitOptions{Path: true})
	other := recordStore{}
	other.write(w.groups["1"].State())
	rotated, err := NewIdentity(w.cfg.Suite, []byte("0"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []LeafChange{{}, {Identity: rotated}} {
		if _, err := w.groups["0"].ProposeUpdate(now, o, SendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	good := recordStore{}
	good.write(w.groups["0"].State())
	if _, err := Restore(w.cfg, good.records()); err != nil {
		t.Fatal(err)
	}
	cached := func(sender uint32) []byte {
		p := RemoveProposal(1)
		c := Committed{Proposal: &p, Sender: message.Member(sender), Ref: make([]byte, 32)}
		return value(c.write)
	}
	for _, c := range []struct {
		name   string
		change func(recordStore)
	}{
		{"context of the epoch before", func(s recordStore) { s["context"] = before["context"] }},
		{"member of the epoch before", func(s recordStore) { s["member"] = before["member"] }},
		{"private keys of another", func(s recordStore) { s["private"] = other["private"] }},
		{"member of another", func(s recordStore) { s["member"] = other["member"] }},
		{"past epochs swapped", func(s recordStore) {
			a, b := recordName{kind: recordPast, number: 1}.String(), recordName{kind: recordPast, number: 2}.String()
			s[a], s[b] = s[b], s[a]
		}},
		{"keys of an update twice", func(s recordStore) {
			a, b := recordName{kind: recordUpdate, number: 0}.String(), recordName{kind: recordUpdate, number: 1}.String()
			s[a] = s[b]
		}},
		{"a signer of another update", func(s recordStore) {
			u := w.groups["0"].updates[0]
			s[recordName{kind: recordUpdate}.String()] = value(func(wr *wire.Writer) {
				wr.Opaque(u.leaf.Private)
				wr.Opaque(u.leaf.Public)
				wr.Opaque(w.groups["0"].updates[1].signer)
			})
		}},
		{"a resumption secret amid others is missing", func(s recordStore) { delete(s, recordName{kind: recordResumption, number: 1}.String()) }},
		{"a proposal of nobody", func(s recordStore) { s[recordName{kind: recordProposal, number: 2}.String()] = cached(3) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bad := recordStore{}
			bad.write(good.records())
			c.change(bad)
			if _, err := Restore(w.cfg, bad.records()); !errors.Is(err, ErrState) {
				t.Errorf("error %v, want ErrState", err)
			}
		})
	}
	s := recordStore{}
	s.write(good.records())
	s[recordName{kind: recordProposal, number: 2}.String()] = cached(2)
	if _, err := Restore(w.cfg, s.records()); err != nil {
		t.Errorf("a proposal of a member: %v", err)
	}
}

// FuzzRestore damages states; what passes as one does not panic in use.
func FuzzRestore(f *testing.F) {
	w := newWorld(f, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) { c.PastEpochs = 2 })
	w.commit("0", CommitOptions{}, w.keyPackage("1"), w.keyPackage("2"))
	w.commit("0", CommitOptions{Path: true})
	b, err := w.groups["0"].ProposeUpdate(now, LeafChange{}, SendOptions{})
	if err != nil {
		f.Fatal(err)
	}
	w.hear("0", b)
	good := w.groups["0"].State()
	commit, err := w.groups["1"].Commit(now, CommitOptions{})
	if err != nil {
		f.Fatal(err)
	}
	for i, r := range good {
		f.Add(uint8(i), r.Value)
	}
	f.Fuzz(func(t *testing.T, i uint8, value []byte) {
		records := slices.Clone(good)
		records[int(i)%len(records)].Value = value
		g, err := Restore(w.cfg, records)
		if err != nil {
			if g != nil || !errors.Is(err, ErrState) {
				t.Fatalf("group %v, error %v, want ErrState", g, err)
			}
			return
		}
		g.Process(now, commit.Message)
		g.ClearProposals()
		g.Protect([]byte("hello"), SendOptions{})
		if p, err := g.Commit(now, CommitOptions{Path: true}); err == nil {
			g.MarshalPending(&p.Staged)
			g.Merge(&p.Staged)
		}
		g.SafeExport(7)
		if r, err := Restore(w.cfg, g.State()); err != nil || sameRecords(g.State(), r.State()) != "" {
			t.Fatalf("the state of what was restored makes no group: %v", err)
		}
	})
}

func FuzzUnmarshalPending(f *testing.F) {
	w := newWorld(f, suite.X25519AES128GCMSHA256Ed25519, nil)
	w.commit("0", CommitOptions{}, w.keyPackage("1"))
	g := w.groups["0"]
	p, err := g.Commit(now, CommitOptions{Path: true})
	if err != nil {
		f.Fatal(err)
	}
	b, err := g.MarshalPending(&p.Staged)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := g.UnmarshalPending(b); err != nil && !errors.Is(err, ErrState) && !errors.Is(err, ErrStale) {
			t.Fatalf("error %v, want ErrState", err)
		}
	})
}

func FuzzUnmarshalKeyPackage(f *testing.F) {
	w := newWorld(f, suite.X25519AES128GCMSHA256Ed25519, nil)
	b, err := w.keyPackage("1").Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := w.cfg.UnmarshalKeyPackage(b)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatalf("error %v, want ErrState", err)
			}
			return
		}
		again, err := k.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("stored again it is %x, error %v, want %x", again, err, b)
		}
	})
}

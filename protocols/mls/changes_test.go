package mls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// topic is a component whose data is the lines that its updates add: what a Commit
// makes of it depends on the order of its updates and on what was there.
const topic message.ComponentID = 0x8010

func withTopic(c *Config) {
	c.Components = map[message.ComponentID]Component{topic: {Update: func(old []byte, updates [][]byte) ([]byte, error) {
		for _, u := range updates {
			if bytes.Contains(u, []byte("\n")) {
				return nil, errors.New("more than a line")
			}
			old = fmt.Appendf(bytes.Clone(old), "%s\n", u)
		}
		return old, nil
	}}}
}

// hub returns a tracker of the world's group.
func (w *world) hub() *PublicGroup {
	w.t.Helper()
	info, err := w.groups[w.order[0]].GroupInfo(GroupInfoOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	hub, err := NewPublicGroup(w.cfg, now, info, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return hub
}

// stage gives a tracker a message.
func (w *world) stage(hub *PublicGroup, b []byte) Event {
	w.t.Helper()
	m, err := message.Parse(b, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := hub.Stage(now, m.Public)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// track gives a tracker a message and merges it if it is a Commit.
func (w *world) track(hub *PublicGroup, b []byte) {
	w.t.Helper()
	if s, ok := w.stage(hub, b).(*Staged); ok {
		if err := hub.Merge(s); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestChanges lets one Commit do all that a member's Commit can, and looks at it as a
// hub does.
func TestChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, withTopic)
	server := w.identity("server")
	w.commit("0", CommitOptions{Path: true, Proposals: []message.Proposal{ExtensionsProposal(message.Extensions{sendersOf(server)})}},
		w.keyPackage("1"), w.keyPackage("2"), w.keyPackage("3"), w.keyPackage("4"))
	hub := w.hub()
	stage := func(b []byte) Event { return w.stage(hub, b) }

	update, err := w.groups["1"].ProposeUpdate(now, LeafChange{}, SendOptions{})
	w.propose("1", update, err)
	leave, err := w.groups["2"].Propose(now, w.cfg.SelfRemoveProposal(), SendOptions{})
	w.propose("2", leave, err)
	first, err := w.groups["3"].Propose(now, w.cfg.AppDataProposal(topic, []byte("by 3")), SendOptions{})
	w.propose("3", first, err)
	for _, b := range [][]byte{update, leave, first} {
		stage(b)
	}
	second, err := hub.ProposeExternal(now, server, w.cfg.AppDataProposal(topic, []byte("by the server")), SendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.hear("", second)
	if data, ok, err := hub.PendingComponentData(topic); err != nil || !ok || string(data) != "by 3\nby the server\n" {
		t.Errorf("pending data %q, %v, %v, want both lines", data, ok, err)
	}

	k := w.keyPackage("5")
	p, err := w.groups["0"].Commit(now, CommitOptions{Proposals: []message.Proposal{
		AddProposal(k.Public), RemoveProposal(4), w.cfg.AppDataProposal(topic, []byte("by 0")),
	}})
	if err != nil {
		t.Fatal(err)
	}
	st := stage(p.Message).(*Staged)
	c, err := st.Changes()
	if err != nil {
		t.Fatal(err)
	}
	name := func(l *message.LeafNode) string { return string(l.Credential.Identity) }
	if len(c.Adds) != 1 || !bytes.Equal(c.Adds[0].Ref, k.Ref) || c.Adds[0].Leaf != 2 || name(&c.Adds[0].KeyPackage.LeafNode) != "5" || c.Adds[0].Sender != message.Member(0) {
		t.Errorf("adds %+v", c.Adds)
	}
	if len(c.Removes) != 1 || c.Removes[0].Leaf != 4 || name(c.Removes[0].Node) != "4" || c.Removes[0].Sender != message.Member(0) {
		t.Errorf("removes %+v", c.Removes)
	}
	if len(c.SelfRemoves) != 1 || c.SelfRemoves[0].Leaf != 2 || name(c.SelfRemoves[0].Node) != "2" || c.SelfRemoves[0].Sender != message.Member(2) {
		t.Errorf("self_removes %+v", c.SelfRemoves)
	}
	if len(c.Updates) != 2 || c.Updates[0].Leaf != 1 || c.Updates[1].Leaf != 0 || c.Joiner != nil {
		t.Fatalf("updates %+v, joiner %v, want leaves 1 and 0", c.Updates, c.Joiner)
	}
	for _, u := range c.Updates {
		if !bytes.Equal(u.Before.EncryptionKey, hub.Tree().EncryptionKey(u.Leaf.Node())) || !bytes.Equal(u.After.EncryptionKey, st.Tree().EncryptionKey(u.Leaf.Node())) {
			t.Errorf("leaf %d is not that of before and of after", u.Leaf)
		}
	}
	if len(c.Components) != 1 || c.Components[0].Component != topic || len(c.Components[0].Updates) != 3 {
		t.Fatalf("components %+v, want three updates of one", c.Components)
	}
	x := c.Components[0]
	if x.Before != nil || string(x.After) != "by 3\nby the server\nby 0\n" {
		t.Errorf("data %q becomes %q", x.Before, x.After)
	}
	if u := x.Updates; name(u[0].Leaf) != "3" || u[1].Leaf != nil || u[1].Sender.Type != message.SenderExternal || name(u[2].Leaf) != "0" {
		t.Errorf("updates %+v, want those of 3, of an external sender and of 0", u)
	}
	if err := hub.Merge(st); err != nil {
		t.Fatal(err)
	}

	// Members come to the same.
	if err := w.groups["0"].Merge(&p.Staged); err != nil {
		t.Fatal(err)
	}
	w.follow("0", p.Message)
	w.join(p.Welcome, k)
	w.agree()
	for name, g := range w.groups {
		if data, _ := g.ComponentData(topic); !bytes.Equal(data, x.After) {
			t.Errorf("%s has %q, the hub %q", name, data, x.After)
		}
	}
	if !bytes.Equal(hub.now.encoded, w.groups["0"].now.encoded) {
		t.Error("the hub has another GroupContext than the members")
	}
	if _, ok, err := hub.PendingComponentData(topic); !ok || err != nil {
		t.Errorf("data without pending updates: %v, %v", ok, err)
	}
}

// TestChangesOfExternalCommit: one who joins may bring updates of components along.
func TestChangesOfExternalCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, withTopic)
	w.commit("0", CommitOptions{}, w.keyPackage("1"))
	hub := w.hub()
	stage := func(b []byte) Event { return w.stage(hub, b) }
	info, err := w.groups["0"].GroupInfo(GroupInfoOptions{External: true})
	if err != nil {
		t.Fatal(err)
	}
	e, err := JoinExternal(w.cfg, now, w.identity("9"), info, ExternalOptions{
		Proposals: []message.Proposal{w.cfg.AppDataProposal(topic, []byte("9 is here"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := stage(e.Message).(*Staged).Changes()
	if err != nil {
		t.Fatal(err)
	}
	if c.Joiner == nil || c.Joiner.Leaf != 2 || string(c.Joiner.Node.Credential.Identity) != "9" || len(c.Updates) != 0 {
		t.Errorf("joiner %+v, updates %v", c.Joiner, c.Updates)
	}
	if len(c.Components) != 1 || string(c.Components[0].After) != "9 is here\n" || string(c.Components[0].Updates[0].Leaf.Credential.Identity) != "9" {
		t.Errorf("components %+v", c.Components)
	}
}

// TestPendingComponentData: what no Commit can cover is an error.
func TestPendingComponentData(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, withTopic)
	w.commit("0", CommitOptions{}, w.keyPackage("1"))
	hub := w.hub()
	stage := func(b []byte) Event { return w.stage(hub, b) }
	b, err := w.groups["1"].Propose(now, w.cfg.AppDataProposal(topic, []byte("two\nlines")), SendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stage(b)
	if _, _, err := hub.PendingComponentData(topic); !errors.Is(err, CheckAppDataRejected) {
		t.Errorf("error %v, want CheckAppDataRejected", err)
	}
	if data, ok, err := hub.PendingComponentData(topic + 1); data != nil || ok || err != nil {
		t.Errorf("a component without data: %q, %v, %v", data, ok, err)
	}
}

// TestHubRestoredWithPending: a hub that is restored in the middle of an epoch follows
// the Commit of the proposals that it had.
func TestHubRestoredWithPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, withTopic)
	w.commit("0", CommitOptions{}, w.keyPackage("1"))
	hub := w.hub()
	stage := func(b []byte) Event { return w.stage(hub, b) }
	store := recordStore{}
	store.write(hub.Changes())
	for _, line := range []string{"one", "two"} {
		b, err := w.groups["1"].Propose(now, w.cfg.AppDataProposal(topic, []byte(line)), SendOptions{})
		w.propose("1", b, err)
		stage(b)
		changes := hub.Changes()
		if len(changes) != 1 || !strings.HasPrefix(changes[0].Key, "proposal/") {
			t.Errorf("a proposal writes %d records, want itself", len(changes))
		}
		store.write(changes)
	}
	again, err := RestorePublic(w.cfg, store.records())
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.groups["0"].Commit(now, CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := message.Parse(p.Message, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := again.Stage(now, m.Public)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Merge(e.(*Staged)); err != nil {
		t.Fatal(err)
	}
	if data, _ := again.ComponentData(topic); string(data) != "one\ntwo\n" {
		t.Errorf("data %q, want both lines", data)
	}
	store.write(again.Changes())
	if !slices.EqualFunc(store.records(), again.State(), func(a, b Record) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }) {
		t.Error("what the hub wrote is not its state")
	}
	if err := again.CheckGroupInfo(e.(*Staged), new(message.GroupInfo), nil); !errors.Is(err, ErrStale) {
		t.Errorf("a GroupInfo after the Commit was merged: error %v, want ErrStale", err)
	}
}

package mls

import (
	"bytes"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Changes is what a Commit does to a group's members and components, for one who has
// to act on it: a hub that lists participants and routes Welcomes.
type Changes struct {
	Adds        []Added           // by Add, in their order
	Removes     []Left            // by Remove
	SelfRemoves []Left            // by SelfRemove
	Updates     []Renewed         // by Update and, last, by the Commit's own path
	Joiner      *Joined           // who joins by an external Commit, nil otherwise
	Components  []ComponentChange // by AppDataUpdate, in the order of their first update
}

// Added is a member that an Add brings.
type Added struct {
	Ref        message.KeyPackageRef // which a Welcome names
	KeyPackage *message.KeyPackage
	Leaf       tree.LeafIndex
	Sender     message.Sender // of the proposal
}

// Left is a member that goes.
type Left struct {
	Leaf   tree.LeafIndex
	Node   *message.LeafNode // as it was
	Sender message.Sender    // of the proposal
}

// Renewed is a member's leaf that is replaced.
type Renewed struct {
	Leaf          tree.LeafIndex
	Before, After *message.LeafNode
}

// Joined is a member that joins by itself.
type Joined struct {
	Leaf tree.LeafIndex
	Node *message.LeafNode
}

// ComponentChange is what a Commit does to a component's data in the GroupContext.
type ComponentChange struct {
	Component     message.ComponentID
	Updates       []AppData
	Before, After []byte // nil if there is none
}

// AppData is an AppDataUpdate with its sender.
type AppData struct {
	*message.AppDataUpdate
	Sender message.Sender
	Leaf   *message.LeafNode // of the sender, nil of an external sender
}

// Changes returns what the Commit changes. A Commit that came from a store
// ([Group.UnmarshalPending]) does not know it any more.
func (s *Staged) Changes() (*Changes, error) {
	st := s.stage
	c := new(Changes)
	added := 0
	place := make(map[message.ComponentID]int)
	for i := range st.list.all {
		p := &st.list.all[i]
		switch b := p.Proposal.Body.(type) {
		case *message.Add:
			ref, err := b.KeyPackage.Ref(st.cfg.Suite)
			if err != nil {
				return nil, fmt.Errorf("mls: KeyPackageRef: %w", err)
			}
			c.Adds = append(c.Adds, Added{ref, &b.KeyPackage, st.added[added], p.Sender})
			added++
		case *message.Update:
			i := tree.LeafIndex(p.Sender.Index)
			c.Updates = append(c.Updates, Renewed{i, st.base.tree.Leaf(i), &b.LeafNode})
		case *message.Remove:
			i := tree.LeafIndex(b.Removed)
			c.Removes = append(c.Removes, Left{i, st.base.tree.Leaf(i), p.Sender})
		case *message.SelfRemove:
			i := tree.LeafIndex(p.Sender.Index)
			c.SelfRemoves = append(c.SelfRemoves, Left{i, st.base.tree.Leaf(i), p.Sender})
		case *message.AppDataUpdate:
			at, seen := place[b.Component]
			if !seen {
				at = len(c.Components)
				place[b.Component] = at
				c.Components = append(c.Components, ComponentChange{Component: b.Component})
			}
			c.Components[at].Updates = append(c.Components[at].Updates, AppData{b, p.Sender, st.leafOf(p.Sender)})
		}
	}
	if st.committer.Type == message.SenderNewMemberCommit {
		c.Joiner = &Joined{st.leaf, &st.path.LeafNode}
	} else if st.path != nil {
		c.Updates = append(c.Updates, Renewed{st.leaf, st.base.tree.Leaf(st.leaf), &st.path.LeafNode})
	}
	if len(c.Components) == 0 {
		return c, nil
	}
	before, err := st.cfg.dictionary(st.base.context.Extensions)
	if err != nil {
		return nil, err
	}
	after, err := st.cfg.dictionary(st.next.context.Extensions)
	if err != nil {
		return nil, err
	}
	for i := range c.Components {
		x := &c.Components[i]
		x.Before, _ = before.Find(x.Component)
		x.After, _ = after.Find(x.Component)
	}
	return c, nil
}

// leafOf returns the leaf of one who sent a proposal of the Commit, nil if it has none.
func (st *stage) leafOf(s message.Sender) *message.LeafNode {
	switch s.Type {
	case message.SenderMember:
		return st.base.tree.Leaf(tree.LeafIndex(s.Index))
	case message.SenderNewMemberCommit:
		return &st.path.LeafNode
	}
	return nil
}

// PendingComponentData returns a component's data as it will be if the AppDataUpdates
// that were received in this epoch are committed, in their order: what a hub shows of
// a room once it has accepted a proposal. An error says that no Commit can cover them
// all.
func (g *PublicGroup) PendingComponentData(id message.ComponentID) (data []byte, ok bool, err error) {
	var updates []*message.AppDataUpdate
	for i := range g.cache.order {
		if b, is := g.cache.order[i].Proposal.Body.(*message.AppDataUpdate); is && b.Component == id {
			updates = append(updates, b)
		}
	}
	d, err := g.cfg.dictionary(g.now.context.Extensions)
	if err == nil && len(updates) > 0 {
		d, err = g.cfg.applyComponent(d, id, updates)
	}
	if err != nil {
		return nil, false, err
	}
	data, ok = d.Find(id)
	return data, ok, nil
}

// CheckGroupInfo checks a GroupInfo that came with a Commit, for those who will join:
// that it describes the epoch which the Commit begins and is signed by a member of it.
// ratchetTree is the tree that came beside it, nil if it has to be that of the
// extension or, without one, needs no check. What is left unchecked without the
// epoch's secrets is the external_pub: a committer that gives another lets nobody
// join.
func (g *PublicGroup) CheckGroupInfo(s *Staged, info *message.GroupInfo, ratchetTree []byte) error {
	if s == nil || s.stage == nil {
		return wanting("a staged Commit")
	}
	if info == nil {
		return wanting("a GroupInfo")
	}
	if s.stage.base != g.now {
		return ErrStale
	}
	next := s.stage.next
	encoded, err := wire.Marshal(&info.Context)
	if err != nil || !bytes.Equal(encoded, next.encoded) { // 12.4.3-2
		return fail(CheckGroupInfoEpoch, "GroupInfo of epoch %d is not that of the commit, which begins epoch %d", info.Context.Epoch, next.context.Epoch)
	}
	if !bytes.Equal(info.ConfirmationTag, next.tag) { // 12.4.3-2
		return fail(CheckGroupInfoEpoch, "confirmation tag of the GroupInfo is not the commit's")
	}
	if err := g.cfg.checkInfoExtensions(info); err != nil {
		return err
	}
	if data, ok := info.Extensions.Find(message.ExtensionExternalPub); ok {
		var pub message.ExternalPub
		if err := wire.Unmarshal(data, &pub); err != nil { // 12.4.3.2-3
			return fail(CheckExternalPub, "external_pub: %w", err)
		}
		if err := suite.CheckPublicKey(g.cfg.Suite, pub.PublicKey); err != nil {
			return fail(CheckExternalPub, "external_pub: %w", err)
		}
	}
	inside, _ := info.Extensions.Find(message.ExtensionRatchetTree)
	for _, data := range [][]byte{inside, ratchetTree} {
		if data == nil {
			continue
		}
		want, err := next.tree.Marshal()
		if err != nil {
			return treeError(err)
		}
		if !bytes.Equal(data, want) { // 12.4.3.1-9: an encoding is all that one hash can be of
			return fail(CheckTreeHash, "ratchet_tree of %d bytes is not that of the commit, of %d", len(data), len(want))
		}
	}
	return g.cfg.checkInfoSigner(info, next.tree)
}

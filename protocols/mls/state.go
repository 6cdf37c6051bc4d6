package mls

import (
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ErrState: records, or other bytes that this package wrote for a store, do not form
// a state.
var ErrState = errors.New("mls: invalid state")

// recordVersion begins every value.
const recordVersion = 1

// State returns the public state as records, sorted by key.
func (g *PublicGroup) State() []Record {
	return g.journalOf(g.now).state(g.names, g.encode, g.now)
}

// Changes returns the records that changed since the last call of Changes or State,
// sorted by key; at first all of them.
func (g *PublicGroup) Changes() []Record {
	if g.journal == nil {
		return g.State()
	}
	return g.journal.take(g.encode)
}

// State returns the whole state as records, sorted by key. They hold secrets: those
// that are left, so that a store which deletes what it is told to has forward
// secrecy. A Commit of one's own that waits for Merge is no part of the state; see
// [Group.MarshalPending].
func (g *Group) State() []Record {
	kept := g.kept()
	return g.journalOf(kept...).state(g.names, g.encode, kept...)
}

// Changes returns the records that changed since the last call of Changes or State,
// sorted by key; at first all of them.
func (g *Group) Changes() []Record {
	if g.journal == nil {
		return g.State()
	}
	return g.journal.take(g.encode)
}

// kept returns the epochs of which the tree is kept, the oldest first.
func (g *Group) kept() []*snapshot {
	out := make([]*snapshot, 0, len(g.past)+1)
	for i := len(g.past) - 1; i >= 0; i-- {
		out = append(out, g.past[i].snap)
	}
	return append(out, g.now)
}

// journalOf returns the journal, which it begins if need be.
func (g *PublicGroup) journalOf(kept ...*snapshot) *journal {
	if g.journal == nil {
		g.journal = newJournal()
		var before *tree.Tree
		for _, snap := range kept {
			g.journal.advance(before, snap)
			before = snap.tree
		}
	}
	return g.journal
}

// names calls touch with the names of all records but pages.
func (g *PublicGroup) names(touch func(recordName)) {
	touch(recordName{kind: recordContext})
	for i := range g.cache.order {
		touch(recordName{kind: recordProposal, number: uint64(i)})
	}
}

func (g *Group) names(touch func(recordName)) {
	g.PublicGroup.names(touch)
	touch(recordName{kind: recordMember})
	for _, r := range g.resumption {
		touch(recordName{kind: recordResumption, number: r.epoch})
	}
	if g.removed {
		return
	}
	touch(recordName{kind: recordPrivate})
	touch(recordName{kind: recordExporter})
	entries := func(epoch uint64, keys *schedule.SecretTree) {
		for number := range keys.Entries() {
			touch(recordName{kind: recordKeys, page: pageName{number: number}, number: epoch})
		}
	}
	entries(g.Epoch(), g.keys)
	for _, e := range g.past {
		touch(recordName{kind: recordPast, number: e.snap.context.Epoch})
		entries(e.snap.context.Epoch, e.keys)
	}
	for i := range g.updates {
		touch(recordName{kind: recordUpdate, number: uint64(i)})
	}
}

// encode returns the value of a record that is no page, nil if there is none.
func (g *PublicGroup) encode(n recordName) []byte {
	switch n.kind {
	case recordContext:
		return value(func(w *wire.Writer) { g.now.write(w) })
	case recordProposal:
		if n.number < uint64(len(g.cache.order)) {
			return value(func(w *wire.Writer) { g.cache.order[n.number].write(w) })
		}
	}
	return nil
}

func (g *Group) encode(n recordName) []byte {
	if n.kind < recordMember {
		return g.PublicGroup.encode(n)
	}
	switch n.kind {
	case recordMember:
		return value(g.writeMember)
	case recordResumption:
		if secret, ok := g.ResumptionPSK(n.number); ok {
			return value(func(w *wire.Writer) { w.Opaque(secret) })
		}
	}
	if g.removed {
		return nil
	}
	switch n.kind {
	case recordPrivate:
		return value(g.private.MarshalTLS)
	case recordExporter:
		return value(func(w *wire.Writer) { tail(w, g.exporter.Marshal) })
	case recordKeys:
		if e, ok := g.epochAt(n.number); ok {
			b, err := e.keys.MarshalEntry(n.page.number)
			if b == nil && err == nil {
				return nil // the entry is gone
			}
			return value(func(w *wire.Writer) { tail(w, func() ([]byte, error) { return b, err }) })
		}
	case recordPast:
		if e, ok := g.epochAt(n.number); ok && e.snap != g.now {
			return value(func(w *wire.Writer) {
				e.snap.context.MarshalTLS(w)
				w.Opaque(e.senderData)
			})
		}
	case recordUpdate:
		if n.number < uint64(len(g.updates)) {
			return value(func(w *wire.Writer) {
				u := &g.updates[n.number]
				w.Opaque(u.leaf.Private)
				w.Opaque(u.leaf.Public)
				w.Opaque(u.signer)
			})
		}
	}
	return nil
}

// epochAt returns the current epoch or a past one that is kept.
func (g *Group) epochAt(epoch uint64) (pastEpoch, bool) {
	if epoch == g.Epoch() {
		return pastEpoch{g.now, g.epoch.SenderData, g.keys}, true
	}
	for _, e := range g.past {
		if e.snap.context.Epoch == epoch {
			return e, true
		}
	}
	return pastEpoch{}, false
}

// value returns a record's value. What a group holds was read or made within the
// limits of the encoding.
func value(write func(*wire.Writer)) []byte {
	w := wire.NewWriter(make([]byte, 0, 256))
	w.Uint8(recordVersion)
	write(w)
	b, err := w.Bytes()
	if err != nil {
		panic(fmt.Sprintf("mls: invariant broken, the state can be written: %v", err))
	}
	return b
}

// tail writes what ends a record and has an encoding of its own.
func tail(w *wire.Writer, marshal func() ([]byte, error)) {
	b, err := marshal()
	if err != nil {
		w.Fail(err)
		return
	}
	w.Fixed(b)
	clear(b)
}

// encodePage returns the value of a page. One without data says that all of it is
// blank.
func encodePage(data []byte) []byte { return append([]byte{recordVersion}, data...) }

// write writes
//
//	struct {
//	    GroupContext context;
//	    opaque confirmation_tag<V>;
//	    optional<ReInit> reinit;
//	} Context;
func (s *snapshot) write(w *wire.Writer) {
	s.context.MarshalTLS(w)
	w.Opaque(s.tag)
	w.Optional(s.reInit != nil, func() { s.reInit.MarshalTLS(w) })
}

// write writes
//
//	struct {
//	    Sender sender;
//	    uint8 public;    // came as a PublicMessage
//	    opaque ref<V>;
//	    Proposal proposal;
//	} CachedProposal;
func (p *Committed) write(w *wire.Writer) {
	p.Sender.MarshalTLS(w)
	writeBool(w, p.public)
	w.Opaque(p.Ref)
	p.Proposal.MarshalTLS(w)
}

func writeBool(w *wire.Writer, b bool) {
	if b {
		w.Uint8(1)
	} else {
		w.Uint8(0)
	}
}

// writeMember writes
//
//	struct {
//	    uint8 removed;
//	    uint32 leaf_index;
//	    select (removed) {
//	        case 0: opaque signer<V>;
//	                opaque secrets[7][Nh]; // as epochSecrets has them
//	    };
//	} Member;
func (g *Group) writeMember(w *wire.Writer) {
	writeBool(w, g.removed)
	w.Uint32(uint32(g.own))
	if g.removed {
		return
	}
	w.Opaque(g.signer)
	for _, secret := range epochSecrets(g.epoch) {
		w.Fixed(*secret)
	}
}

// epochSecrets returns an epoch's secrets that are kept while it lasts. The
// resumption secret has a record of its own, and trees took the roots.
func epochSecrets(e *schedule.Epoch) [7]*[]byte {
	return [7]*[]byte{&e.SenderData, &e.Exporter, &e.External, &e.Confirmation, &e.Membership, &e.Authenticator, &e.Init}
}

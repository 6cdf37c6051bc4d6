package mls

import (
	"bytes"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// MarshalPending returns a Commit of one's own that waits for Merge, for a store that
// keeps it secret: the next epoch, as far as it differs from this one.
//
//	struct {
//	    uint8 version = 1;
//	    opaque confirmation_tag<V>;   // of the epoch before
//	    Context next;                 // as a context record has it
//	    struct {
//	        uint8 level;
//	        uint32 number;
//	        opaque data<V>;           // empty if all is blank
//	    } pages<V>;                   // that differ
//	    opaque signer<V>;
//	    opaque secrets[10][Nh];
//	    Private private;              // package tree
//	} PendingCommit;
func (g *Group) MarshalPending(s *Staged) ([]byte, error) {
	if s == nil || s.stage == nil {
		return nil, wanting("a staged Commit")
	}
	if s.stage.base != g.now {
		return nil, ErrStale
	}
	if s.secrets == nil || s.stage.committer != message.Member(uint32(g.own)) || g.removed {
		return nil, fmt.Errorf("mls: storing a commit that is not this member's own")
	}
	next := s.stage.next
	w := wire.NewWriter(nil)
	w.Uint8(recordVersion)
	w.Opaque(g.now.tag)
	next.write(w)
	w.Vector(func() {
		for _, pg := range next.tree.Pages(g.now.tree) {
			w.Uint8(pg.Level)
			w.Uint32(pg.Number)
			w.Opaque(pg.Data)
		}
	})
	w.Opaque(s.secrets.signer)
	for _, secret := range allSecrets(s.secrets.epoch) {
		w.Fixed(*secret)
	}
	s.secrets.private.MarshalTLS(w)
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("mls: storing a commit: %w", err)
	}
	return b, nil
}

// allSecrets returns an epoch's secrets before the epoch begins.
func allSecrets(e *schedule.Epoch) []*[]byte {
	kept := epochSecrets(e)
	return append(kept[:], &e.Encryption, &e.ApplicationExport, &e.Resumption)
}

// UnmarshalPending returns the Commit that MarshalPending stored, to be merged. Which
// proposals it covers is not known any more. Errors wrap [ErrState], or are
// [ErrStale] if the group is at another epoch by now.
func (g *Group) UnmarshalPending(b []byte) (*Staged, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	b = bytes.Clone(b)
	r := wire.NewReader(b)
	version, base := r.Uint8(), r.Opaque()
	if r.Err() == nil && version != recordVersion {
		r.Fail(fmt.Errorf("version %d, want %d", version, recordVersion))
	}
	var p publicSnapshot
	p.UnmarshalTLS(r)
	pages := make(map[pageName][]byte)
	r.Vector(func() {
		name := pageName{r.Uint8(), r.Uint32()}
		if _, twice := pages[name]; twice {
			r.Fail(fmt.Errorf("page %d of level %d is there twice", name.number, name.level))
		}
		pages[name] = r.Opaque()
	})
	signer := suite.PrivateKey(r.Opaque())
	epoch := new(schedule.Epoch)
	for _, secret := range allSecrets(epoch) {
		*secret = r.Fixed(g.cfg.Suite.ID().Sizes().Hash)
	}
	private := new(tree.Private)
	private.UnmarshalTLS(r)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: pending commit: %w", ErrState, err)
	}
	if !bytes.Equal(base, g.now.tag) {
		return nil, ErrStale
	}
	next, err := g.nextSnapshot(&p, pages)
	if err == nil {
		err = checkTag(g.cfg, epoch, next)
	}
	if err == nil {
		err = private.Check(next.tree)
	}
	if err == nil {
		var public []byte
		if public, err = g.cfg.Suite.SignerPublicKey(signer); err == nil &&
			(private.Leaf() != g.own || !bytes.Equal(public, next.tree.SignatureKey(g.own))) {
			err = fmt.Errorf("keys are not those of leaf %d", g.own)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: pending commit: %w", ErrState, err)
	}
	me := message.Member(uint32(g.own))
	st := &stage{cfg: g.cfg, base: g.now, next: next, list: &list{reInit: p.reInit}, committer: me, leaf: g.own, before: next.tree}
	return &Staged{stage: st, secrets: &secrets{own: g.own, signer: signer, private: private, epoch: epoch}}, nil
}

// nextSnapshot returns the epoch that differs from this one by some pages.
func (g *Group) nextSnapshot(p *publicSnapshot, pages map[pageName][]byte) (*snapshot, error) {
	if p.context.Epoch != g.Epoch()+1 || !bytes.Equal(p.context.GroupID, g.GroupID()) {
		return nil, fmt.Errorf("epoch %d of group %s follows epoch %d of %s", p.context.Epoch, groupName(p.context.GroupID), g.Epoch(), groupName(g.GroupID()))
	}
	var all []tree.Page
	for _, pg := range g.now.tree.Pages(nil) {
		name := pageName{pg.Level, pg.Number}
		if _, changed := pages[name]; !changed {
			all = append(all, pg)
		}
	}
	for name, data := range pages {
		if len(data) > 0 {
			all = append(all, tree.Page{Level: name.level, Number: name.number, Data: data})
		}
	}
	t, err := g.cfg.treeOf(all, &p.context)
	if err != nil {
		return nil, err
	}
	return p.snapshot(g.cfg, t)
}

package mls

import (
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// CommitOptions say what a Commit is to do. The zero value commits the proposals
// that were received in this epoch, or none if there are none, and renews the
// committer's keys if it must.
type CommitOptions struct {
	Proposals []message.Proposal // held by the Commit itself, after those received
	// References are the proposals received in this epoch to commit, in this order.
	// Nil commits all that can be, as far as that is found out with bounded work; an
	// empty list none.
	References []message.ProposalRef
	// Path renews the committer's keys though the proposals do not require it.
	Path bool
	Leaf LeafChange // takes effect with a path
	AAD  []byte     // authenticated data, or instead:
	// Items are what components say in it, as in [SendOptions].
	Items message.SafeAAD
	// GroupInfo asks for a GroupInfo of the next epoch though no one is added.
	GroupInfo bool
	Info      GroupInfoOptions // what a GroupInfo holds
}

// Pending is a Commit of one's own, to be merged when it is known to be accepted.
type Pending struct {
	Staged
	Message   []byte             // the Commit, an MLSMessage
	Welcome   []byte             // an MLSMessage for all new members, nil if there are none
	GroupInfo *message.GroupInfo // of the next epoch, if it adds members or was asked for
}

// author is who makes a Commit: a member, or one who joins by it.
type author struct {
	sender message.Sender
	leaf   *message.LeafNode // for the path, without keys and signature
	// signer signs the Commit, leafSigner the leaf of its path and all that follows.
	signer, leafSigner suite.PrivateKey
	initSecret         []byte
	private            *tree.Private // nil for one who joins
	psk                func([]message.PreSharedKeyID) ([]byte, error)
	format             message.WireFormat
}

// Commit makes a Commit (Section 12.4.1). The group stays as it is until [Group.Merge]
// of the result.
func (g *Group) Commit(now time.Time, o CommitOptions) (*Pending, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	var err error
	if o.AAD, err = g.frameAAD(o.AAD, o.Items); err != nil {
		return nil, err
	}
	me := message.Member(uint32(g.own))
	var all, received []Committed
	if o.References == nil {
		received = g.committable()
		all = append(all, received...)
	}
	for _, ref := range o.References {
		known, ok := g.cache.get(ref)
		if !ok { // 12.4-1
			return nil, fail(CheckReference, "proposal %x to commit is not known", ref)
		}
		all = append(all, known)
	}
	held := make([]Committed, len(o.Proposals))
	for i := range o.Proposals {
		held[i] = Committed{Proposal: &o.Proposals[i], Sender: me, public: g.cfg.PublicHandshake}
	}
	all = append(all, held...)
	leaf, signer, err := g.changedLeaf(o.Leaf)
	if err != nil {
		return nil, err
	}
	a := &author{
		sender: me, leaf: leaf, signer: g.signer, leafSigner: signer,
		initSecret: g.epoch.Init, private: g.private, psk: g.pskSecret,
		format: g.authenticated(message.Content{Type: message.ContentCommit}, nil).WireFormat,
	}
	p, c, err := g.build(now, a, all, o)
	if err != nil && len(received) > 0 {
		p, c, err = g.build(now, a, g.fitting(now, received, held), o)
	}
	if err != nil {
		return nil, err
	}
	p.Message, err = g.protect(c) // last, since it uses a key up
	return p, err
}

// committable returns the proposals received that this member can commit: not its
// own Updates nor its own removal, of several changes of one leaf a removal or else
// the latest (Section 12.2), and a ReInit only if nothing else is there.
func (g *Group) committable() []Committed {
	last := make(map[tree.LeafIndex]int) // index of the change that counts
	target := func(p *Committed) (leaf tree.LeafIndex, removal, ok bool) {
		switch b := p.Proposal.Body.(type) {
		case *message.Update:
			return tree.LeafIndex(p.Sender.Index), false, true
		case *message.Remove:
			return tree.LeafIndex(b.Removed), true, true
		case *message.SelfRemove:
			return tree.LeafIndex(p.Sender.Index), true, true
		}
		return 0, false, false
	}
	removal := make(map[tree.LeafIndex]bool)
	others := 0
	for i := range g.cache.order {
		if _, ok := g.cache.order[i].Proposal.Body.(*message.ReInit); !ok {
			others++
		}
		leaf, remove, ok := target(&g.cache.order[i])
		if !ok || removal[leaf] && !remove {
			continue
		}
		_, self := g.cache.order[i].Proposal.Body.(*message.SelfRemove)
		if prev, had := last[leaf]; had && removal[leaf] && !self {
			if _, was := g.cache.order[prev].Proposal.Body.(*message.SelfRemove); was {
				continue // a SelfRemove makes a Remove of the same leaf invalid
			}
		}
		last[leaf], removal[leaf] = i, remove
	}
	var out []Committed
	for i := range g.cache.order {
		p := &g.cache.order[i]
		leaf, _, ok := target(p)
		_, reInit := p.Proposal.Body.(*message.ReInit)
		if ok && (leaf == g.own || last[leaf] != i) || reInit && (others > 0 || len(out) > 0) {
			continue
		}
		out = append(out, *p)
	}
	return out
}

// Bounds of the search for proposals that go together. Each trial looks at all of a
// list. A sender who wants to spend them gets few, so that it takes many to use all up.
const (
	maxTrials  = 512
	maxMisfits = 8 // of one sender
)

// fitting returns the proposals received that go together with each other and with
// those that the Commit is to hold, the earlier before the later, and then these.
// A member or an external sender that proposes what can't be committed would else
// keep all others from committing. It tries them by halves, so that it costs
// O(log N) trials for each of N proposals that does not fit, and none for the others.
// What is left of a sender after maxMisfits that do not fit, and of all after
// maxTrials, is not tried and stays out: [CommitOptions.References] can name it.
func (g *Group) fitting(now time.Time, received, held []Committed) []Committed {
	var out []Committed
	trials, misfits := 0, make(map[message.Sender]int)
	var add func([]Committed)
	add = func(some []Committed) {
		some = slices.DeleteFunc(slices.Clone(some), func(p Committed) bool { return misfits[p.Sender] == maxMisfits })
		if len(some) == 0 || trials == maxTrials {
			return
		}
		trials++
		if g.fit(now, slices.Concat(out, some, held)) {
			out = append(out, some...)
			return
		}
		if n := len(some); n > 1 {
			add(some[:n/2])
			add(some[n/2:])
		} else {
			misfits[some[0].Sender]++
		}
	}
	if n := len(received); n > 1 { // all of them were tried
		add(received[:n/2])
		add(received[n/2:])
	}
	return append(out, held...)
}

// fit reports whether a list of proposals can be committed.
func (g *Group) fit(now time.Time, all []Committed) bool {
	me := message.Member(uint32(g.own))
	l, err := g.sort(now, all, me, new(signatures))
	if err == nil {
		_, _, err = g.apply(l)
	}
	if err == nil {
		_, err = g.pskSecret(l.psks)
	}
	if err == nil {
		err = g.authorize(l, me, nil)
	}
	return err == nil
}

// build makes a Commit of an author. g is the group before it; its public part is
// all that is looked at.
func (g *PublicGroup) build(now time.Time, a *author, all []Committed, o CommitOptions) (*Pending, *message.AuthenticatedContent, error) {
	s := g.cfg.Suite
	var sigs signatures
	l, err := g.sort(now, all, a.sender, &sigs)
	if err != nil {
		return nil, nil, err
	}
	st := &stage{cfg: g.cfg, base: g.now, list: l, committer: a.sender, leaf: tree.LeafIndex(a.sender.Index), aad: o.AAD}
	if st.before, st.added, err = g.apply(l); err != nil {
		return nil, nil, err
	}
	if err := sigs.verify(s); err != nil {
		return nil, nil, err
	}
	var joiner *message.LeafNode
	if a.private == nil {
		joiner = a.leaf
	}
	if err := g.authorize(l, a.sender, joiner); err != nil {
		return nil, nil, err
	}
	own := &secrets{own: st.leaf, signer: a.signer, private: a.private}
	commitSecret, path, err := g.renew(now, st, a, own, o.Path)
	if err != nil {
		return nil, nil, err
	}
	defer clear(commitSecret)
	after := st.before
	if path != nil {
		defer path.keys.Erase()
		after = path.after
	}
	next, err := st.provision(after)
	if err != nil {
		return nil, nil, err
	}
	if path != nil {
		if st.path, err = path.keys.Encrypt(after, st.provisional, st.added); err != nil {
			return nil, nil, treeError(err)
		}
	}
	c := &message.AuthenticatedContent{WireFormat: a.format, Content: message.FramedContent{
		GroupID: g.GroupID(), Epoch: g.Epoch(), Sender: a.sender, AuthenticatedData: o.AAD,
		Content: message.Content{Type: message.ContentCommit, Commit: &message.Commit{Proposals: refs(all), Path: st.path}},
	}}
	if err := c.Sign(s, a.signer, g.now.encoded); err != nil {
		return nil, nil, fmt.Errorf("mls: commit: %w", err)
	}
	member, joinerSecret, err := g.conclude(st, a, own, next, after, commitSecret, c)
	if err != nil {
		return nil, nil, err
	}
	defer wipe(member, joinerSecret)
	p := &Pending{Staged: Staged{stage: st, secrets: own}}
	if len(st.added) > 0 || o.GroupInfo {
		if p.GroupInfo, err = g.cfg.groupInfo(st.next, own, o.Info); err != nil {
			return nil, nil, err
		}
	}
	if len(st.added) > 0 {
		if p.Welcome, err = g.cfg.welcome(st, path, member, joinerSecret, p.GroupInfo); err != nil {
			return nil, nil, err
		}
	}
	g.cfg.Shared.keep(g.now, c, st)
	return p, c, nil
}

// newPath is a path that a committer has drawn.
type newPath struct {
	keys  *tree.Path
	after *tree.Tree
}

// renew draws a new path if the list or the caller wants one. It returns the commit
// secret, which is zero without a path.
func (g *PublicGroup) renew(now time.Time, st *stage, a *author, own *secrets, wanted bool) ([]byte, *newPath, error) {
	s := g.cfg.Suite
	if !wanted && !st.list.needsPath {
		if own.private != nil {
			var err error
			if own.private, err = own.private.Rebase(st.before); err != nil {
				return nil, nil, treeError(err)
			}
		}
		return make([]byte, s.ID().Sizes().Hash), nil, nil
	}
	e := st.before.Edit()
	if a.private == nil {
		var err error
		if st.leaf, err = e.NextLeaf(); err != nil {
			return nil, nil, treeError(err)
		}
	}
	keys, err := e.NewPath(st.leaf, a.leaf, a.leafSigner, g.GroupID())
	if err != nil {
		return nil, nil, treeError(err)
	}
	after, err := e.Tree()
	if err != nil {
		return nil, nil, treeError(err)
	}
	at := place{what: "leaf of the commit's path", source: message.SourceCommit, now: now, groupID: g.GroupID(), index: st.leaf, needs: st.list.needs}
	if a.private != nil {
		at.replaces = st.before.Leaf(st.leaf)
	} else if i, ok := resynced(st.list); ok {
		at.replaces = g.now.tree.Leaf(i)
	}
	if err := g.cfg.checkLeaf(keys.Leaf(), at, nil); err != nil {
		return nil, nil, err
	}
	if err := g.cfg.checkCredentials(after); err != nil {
		return nil, nil, err
	}
	own.own, own.signer, own.private = st.leaf, a.leafSigner, keys.Private()
	return keys.CommitSecret(), &newPath{keys, after}, nil
}

// conclude takes a signed Commit through the transcript and the key schedule, and
// sets its confirmation tag.
func (g *PublicGroup) conclude(st *stage, a *author, own *secrets, next message.GroupContext, after *tree.Tree, commitSecret []byte, c *message.AuthenticatedContent) (member, joiner []byte, err error) {
	s := g.cfg.Suite
	input, err := c.ConfirmedTranscriptHashInput()
	if err != nil {
		return nil, nil, fmt.Errorf("mls: transcript: %w", err)
	}
	next.ConfirmedTranscriptHash = schedule.ConfirmedTranscriptHash(s, st.base.interim, input)
	encoded, err := wire.Marshal(&next)
	if err != nil {
		return nil, nil, fmt.Errorf("mls: GroupContext: %w", err)
	}
	psk, err := a.psk(st.list.psks)
	if err != nil {
		return nil, nil, err
	}
	joiner = schedule.JoinerSecret(s, a.initSecret, commitSecret, encoded)
	member = schedule.MemberSecret(s, joiner, psk)
	own.epoch = schedule.NewEpoch(s, member, encoded)
	clear(psk)
	c.Auth.ConfirmationTag = schedule.ConfirmationTag(s, own.epoch.Confirmation, next.ConfirmedTranscriptHash)
	if st.next, err = newSnapshot(g.cfg, next, after, c.Auth.ConfirmationTag); err != nil {
		return nil, nil, err
	}
	st.next.reInit = st.list.reInit
	return member, joiner, nil
}

// refs returns proposals as a Commit holds them.
func refs(all []Committed) []message.ProposalOrRef {
	out := make([]message.ProposalOrRef, len(all))
	for i := range all {
		if all[i].Ref != nil {
			out[i].Reference = all[i].Ref
		} else {
			out[i].Proposal = all[i].Proposal
		}
	}
	return out
}

// welcome makes one Welcome for all new members (Section 12.4.3.1).
func (c *Config) welcome(st *stage, path *newPath, member, joiner []byte, info *message.GroupInfo) ([]byte, error) {
	s := c.Suite
	plain, err := wire.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("mls: GroupInfo: %w", err)
	}
	key, nonce := schedule.WelcomeKey(s, member)
	aead, err := s.AEAD(key)
	if err != nil {
		return nil, fmt.Errorf("mls: welcome key: %w", err)
	}
	w := &message.Welcome{Suite: s.ID(), EncryptedGroupInfo: aead.Seal(nil, nonce, plain, nil)}
	context := labeled.EncryptContext(nil, "Welcome", w.EncryptedGroupInfo)
	jobs := make([]suite.SealJob, len(st.added))
	for i, leaf := range st.added {
		secrets := message.GroupSecrets{JoinerSecret: joiner, PSKs: st.list.psks}
		if path != nil {
			secrets.PathSecret, _ = path.keys.SecretFor(leaf)
		}
		b, err := wire.Marshal(&secrets)
		if err != nil {
			return nil, fmt.Errorf("mls: GroupSecrets: %w", err)
		}
		jobs[i] = suite.SealJob{Public: st.list.adds[i].InitKey, Info: context, Plaintext: b}
	}
	if err := suite.SealMany(s, jobs); err != nil { // 5.1.1-1
		return nil, fail(CheckKey, "sealing to a new member: %w", err)
	}
	for i, k := range st.list.adds {
		ref, err := k.Ref(s)
		if err != nil {
			return nil, fmt.Errorf("mls: KeyPackageRef: %w", err)
		}
		w.Secrets = append(w.Secrets, message.EncryptedGroupSecrets{
			NewMember: ref, Secrets: message.HPKECiphertext{KEMOutput: jobs[i].Enc, Ciphertext: jobs[i].Ciphertext},
		})
	}
	return wire.Marshal(&message.Message{Welcome: w})
}

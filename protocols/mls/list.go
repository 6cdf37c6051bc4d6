package mls

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// list is a list of proposals, sorted by what they do.
type list struct {
	all          []Committed
	extensions   message.Extensions // of the next GroupContext
	needs        *needs             // of extensions
	replaced     bool               // by a GroupContextExtensions
	updates      []update
	removes      []tree.LeafIndex // by Remove and SelfRemove
	adds         []*message.KeyPackage
	psks         []message.PreSharedKeyID
	externalInit *message.ExternalInit
	reInit       *message.ReInit
	ephemeral    []*message.AppEphemeral
	appData      []*message.AppDataUpdate
	needsPath    bool
	seenPSKs     map[string]bool // by pskKey
}

type update struct {
	leaf tree.LeafIndex
	node *message.LeafNode
}

// resolve looks up the proposals that a Commit refers to.
func (g *PublicGroup) resolve(c *message.Commit, committer message.Sender, public bool) ([]Committed, error) {
	all := make([]Committed, 0, len(c.Proposals))
	for i := range c.Proposals {
		p := &c.Proposals[i]
		if p.Proposal != nil {
			all = append(all, Committed{Proposal: p.Proposal, Sender: committer, public: public})
			continue
		}
		known, ok := g.cache.get(p.Reference)
		if !ok { // 12.4-1
			return nil, fail(CheckReference, "commit refers to proposal %x, which is not known", p.Reference)
		}
		if _, self := known.Proposal.Body.(*message.SelfRemove); committer.Type == message.SenderNewMemberCommit && !self { // 12.4.3.2-2
			return nil, fail(CheckExternalByValue, "external commit refers to a %v proposal", known.Proposal.Type)
		}
		all = append(all, known)
	}
	return all, nil
}

// sort checks a list by itself and against the group (Section 12.2) and sorts it.
// committer is the leaf of the committer, for an external Commit meaningless.
func (g *PublicGroup) sort(now time.Time, all []Committed, committer message.Sender, sigs *signatures) (*list, error) {
	l := &list{all: all, extensions: g.now.context.Extensions, needs: g.now.needs, needsPath: len(all) == 0}
	for i := range all { // a GroupContextExtensions counts for all others: Section 12.3
		if b, ok := all[i].Proposal.Body.(*message.GroupContextExtensions); ok {
			if l.replaced { // 12.2-7
				return nil, fail(CheckListExtensions, "two group_context_extensions in one commit")
			}
			l.replaced, l.extensions = true, b.Extensions
		}
	}
	if l.replaced {
		l.needs = g.cfg.needsOf(l.extensions)
	}
	for i := range all {
		p := &all[i]
		if p.Ref == nil { // those sent before were checked then
			if err := g.checkSender(p); err != nil {
				return nil, err
			}
		}
		into := sigs
		if p.Ref != nil {
			into = new(signatures) // verified when it was received
		}
		if p.Ref == nil || l.replaced {
			if err := g.checkBody(now, p, l.needs, into); err != nil {
				return nil, err
			}
		}
		if err := l.take(p, committer); err != nil {
			return nil, err
		}
	}
	if l.reInit != nil && len(all) > 1 { // 12.2-8
		return nil, fail(CheckListReInitAlone, "reinit together with %d other proposals", len(all)-1)
	}
	if committer.Type == message.SenderNewMemberCommit {
		return l, l.checkExternal()
	}
	if l.externalInit != nil { // 12.2-9
		return nil, fail(CheckListExternalInit, "external_init in a member's commit")
	}
	if err := l.checkLeaves(committer); err != nil {
		return nil, err
	}
	return l, g.checkDictionaryKept(l)
}

// take sorts one proposal in.
func (l *list) take(p *Committed, committer message.Sender) error {
	needsPath := true
	switch b := p.Proposal.Body.(type) {
	case *message.Add:
		l.adds, needsPath = append(l.adds, &b.KeyPackage), false
	case *message.Update:
		if p.Sender == committer { // 12.2-1
			return fail(CheckListUpdateOwn, "update of the committer")
		}
		l.updates = append(l.updates, update{tree.LeafIndex(p.Sender.Index), &b.LeafNode})
	case *message.Remove:
		l.removes = append(l.removes, tree.LeafIndex(b.Removed))
	case *message.SelfRemove:
		if p.Ref == nil || p.Sender.Type != message.SenderMember { // ext-self-remove-1
			return fail(CheckSelfRemove, "self_remove that is not a member's, sent before")
		}
		l.removes = append(l.removes, tree.LeafIndex(p.Sender.Index))
	case *message.PreSharedKey:
		key := pskKey(&b.PSK)
		if l.seenPSKs[key] { // 12.2-6
			return fail(CheckListPSKTwice, "PreSharedKeyID of type %v twice in one commit", b.PSK.Type)
		}
		if l.seenPSKs == nil {
			l.seenPSKs = make(map[string]bool)
		}
		l.seenPSKs[key] = true
		l.psks, needsPath = append(l.psks, b.PSK), false
	case *message.ReInit:
		l.reInit, needsPath = b, false
	case *message.ExternalInit:
		if l.externalInit != nil { // 12.2-11
			return fail(CheckListExternal, "two external_init in one commit")
		}
		l.externalInit = b
	case *message.AppEphemeral:
		l.ephemeral, needsPath = append(l.ephemeral, b), false
	case *message.AppDataUpdate:
		l.appData, needsPath = append(l.appData, b), false
	}
	l.needsPath = l.needsPath || needsPath
	return nil
}

// checkLeaves checks that no leaf is changed twice nor the committer's at all.
func (l *list) checkLeaves(committer message.Sender) error {
	seen := make(map[tree.LeafIndex]bool, len(l.updates)+len(l.removes))
	for _, u := range l.updates {
		if seen[u.leaf] { // 12.2-3
			return fail(CheckListLeafTwice, "%s is changed twice", leafName(u.leaf))
		}
		seen[u.leaf] = true
	}
	for _, r := range l.removes {
		if committer.Type == message.SenderMember && r == tree.LeafIndex(committer.Index) { // 12.2-2
			return fail(CheckListRemoveOwn, "%s, the committer, is removed", leafName(r))
		}
		if seen[r] { // 12.2-3
			return fail(CheckListLeafTwice, "%s is changed twice", leafName(r))
		}
		seen[r] = true
	}
	return nil
}

// checkExternal checks the list of an external Commit (Section 12.2, and what
// draft-ietf-mls-extensions-10 adds to it).
func (l *list) checkExternal() error {
	if l.externalInit == nil { // 12.2-11
		return fail(CheckListExternal, "external commit without external_init")
	}
	removes := 0
	for i := range l.all {
		switch l.all[i].Proposal.Body.(type) {
		case *message.ExternalInit, *message.PreSharedKey, *message.SelfRemove, *message.AppDataUpdate, *message.AppEphemeral:
		case *message.Remove:
			removes++
		default: // 12.2-11
			return fail(CheckListExternal, "%v in an external commit", l.all[i].Proposal.Type)
		}
	}
	if removes > 1 { // 12.2-11
		return fail(CheckListExternal, "%d removes in an external commit, want 1 at most", removes)
	}
	return l.checkLeaves(message.Sender{Type: message.SenderNewMemberCommit})
}

// checkDictionaryKept checks that a GroupContextExtensions leaves the
// app_data_dictionary alone where AppDataUpdate is required
// (draft-ietf-mls-extensions-10, Updating Application Data in the GroupContext).
func (g *PublicGroup) checkDictionaryKept(l *list) error {
	if !l.replaced || !slices.Contains(g.now.needs.required.Proposals, g.cfg.points().AppDataUpdate) {
		return nil
	}
	t := g.cfg.points().AppDataDictionary
	before, had := g.now.context.Extensions.Find(t)
	after, has := l.extensions.Find(t)
	if had != has || !bytes.Equal(before, after) { // ext-app-data-5
		return fail(CheckAppDataExtensions, "group_context_extensions changes app_data_dictionary")
	}
	return nil
}

// apply applies the list to the tree (Section 12.3) and returns it with the leaves
// of new members.
func (g *PublicGroup) apply(l *list) (*tree.Tree, []tree.LeafIndex, error) {
	if err := g.checkTypesSupported(l); err != nil {
		return nil, nil, err
	}
	if err := g.cfg.applyAppData(l); err != nil {
		return nil, nil, err
	}
	if len(l.updates)+len(l.removes)+len(l.adds) == 0 {
		return g.now.tree, nil, g.checkMembers(g.now.tree, l)
	}
	e := g.now.tree.Edit()
	for _, u := range l.updates {
		if err := e.Update(u.leaf, u.node); err != nil {
			return nil, nil, treeError(err)
		}
	}
	for _, r := range l.removes {
		if err := e.Remove(r); err != nil {
			return nil, nil, treeError(err)
		}
	}
	if err := g.checkAdds(l, e); err != nil {
		return nil, nil, err
	}
	added := make([]tree.LeafIndex, len(l.adds))
	for i, k := range l.adds {
		var err error
		if added[i], err = e.Add(&k.LeafNode); err != nil {
			return nil, nil, treeError(err)
		}
	}
	t, err := e.Tree()
	if err != nil {
		return nil, nil, treeError(err)
	}
	return t, added, g.checkMembers(t, l)
}

// checkAdds checks that no Add brings a client who is there already or twice
// (Section 12.2). e has the updates and removes.
func (g *PublicGroup) checkAdds(l *list, e *tree.Edit) error {
	seen := make(map[string]bool, len(l.adds))
	for _, k := range l.adds {
		key := string(k.LeafNode.SignatureKey)
		if seen[key] { // 12.2-4
			return fail(CheckListAddTwice, "two adds with the same signature key")
		}
		seen[key] = true
		if i, ok := e.LeafBySignatureKey(k.LeafNode.SignatureKey); ok { // 12.2-5
			return fail(CheckListAddMember, "add of the client at %s", leafName(i))
		}
	}
	if g.cfg.ClientOf == nil || len(l.adds) == 0 {
		return nil
	}
	clear(seen)
	for _, k := range l.adds {
		name := g.cfg.ClientOf(&k.LeafNode)
		if seen[name] { // 12.2-4
			return fail(CheckListAddTwice, "two adds of one client")
		}
		seen[name] = true
	}
	removed := make(map[tree.LeafIndex]bool, len(l.removes))
	for _, i := range l.removes {
		removed[i] = true
	}
	for i, leaf := range g.now.tree.All() {
		if !removed[i] && seen[g.cfg.ClientOf(leaf)] { // 12.2-5
			return fail(CheckListAddMember, "add of the client at %s", leafName(i))
		}
	}
	return nil
}

// checkTypesSupported checks that those who will process the Commit support the
// types of its proposals (Section 12.2).
func (g *PublicGroup) checkTypesSupported(l *list) error {
	var checked typeSet[message.ProposalType]
	for i := range l.all {
		t := l.all[i].Proposal.Type
		if t.IsDefault() || !checked.add(t) {
			continue
		}
		if _, lacks := g.now.tree.UnsupportedProposal(t); !lacks {
			continue
		}
		removed := make(map[tree.LeafIndex]bool, len(l.removes))
		for _, r := range l.removes {
			removed[r] = true
		}
		for i, leaf := range g.now.tree.All() { // one to be removed may lack it
			if !removed[i] && !leaf.Capabilities.SupportsProposal(t) { // 12.2-10
				return fail(CheckListSupported, "%s does not support proposal %v", leafName(i), t)
			}
		}
	}
	return nil
}

// checkMembers checks a tree's members against each other and the GroupContext
// that is to be (Sections 7.3, 11.1). A tree with a new leaf is checked as a whole,
// which costs no more than the number of distinct capabilities.
func (g *PublicGroup) checkMembers(t *tree.Tree, l *list) error {
	if err := g.cfg.checkCredentials(t); err != nil {
		return err
	}
	if !l.replaced && len(l.appData) == 0 {
		return nil // new leaves were checked one by one
	}
	return g.cfg.checkContextSupported(t, l.needs, g.now.needs)
}

// checkCredentials checks that all members support all credential types in use.
func (c *Config) checkCredentials(t *tree.Tree) error {
	for cred := range t.CredentialTypes {
		if i, lacks := t.UnsupportedCredential(cred); lacks { // 7.3-4
			return fail(CheckLeafCredentials, "%s does not support credential %v, which is in use", leafName(i), cred)
		}
	}
	return nil
}

// checkContextSupported checks that all members support what a GroupContext uses
// and requires (Sections 11.1, 12.1.7, 13.4), of which before was so already.
func (c *Config) checkContextSupported(t *tree.Tree, n, before *needs) error {
	if n.err != nil {
		return n.err
	}
	req := &n.required
	extensions := slices.Clone(req.Extensions)
	for _, e := range n.context {
		extensions = append(extensions, e.Type)
	}
	for _, e := range extensions { // 11.1-2
		if i, lacks := t.UnsupportedExtension(e); lacks {
			return fail(CheckRequired, "%s does not support extension %v", leafName(i), e)
		}
	}
	for _, p := range req.Proposals {
		if i, lacks := t.UnsupportedProposal(p); lacks {
			return fail(CheckRequired, "%s does not support proposal %v", leafName(i), p)
		}
	}
	for _, cred := range req.Credentials {
		if i, lacks := t.UnsupportedCredential(cred); lacks {
			return fail(CheckRequired, "%s does not support credential %v", leafName(i), cred)
		}
	}
	if n.sameLists(before) {
		return nil
	}
	for i, leaf := range t.All() { // not counted by the tree: rare
		if err := c.checkLists(leaf, place{what: leafName(i), needs: n}); err != nil {
			return err
		}
	}
	return nil
}

// authorize asks the application.
func (g *PublicGroup) authorize(l *list, committer message.Sender, joiner *message.LeafNode) error {
	if g.cfg.Authorize == nil {
		return nil
	}
	if err := g.cfg.Authorize(&Proposed{g, committer, joiner, l.all}); err != nil { // 12.2-12
		return fail(CheckListApplication, "refused by the application: %w", err)
	}
	return nil
}

// pathError is treeError for an UpdatePath, whose keys have a rule of their own.
func pathError(err error) error {
	var dup *tree.DuplicateKeyError
	if errors.As(err, &dup) && dup.Kind == tree.EncryptionKey { // 12.4.2-3
		return &Error{CheckPathKeys, err}
	}
	return treeError(err)
}

// treeError turns an error of package tree into the check that failed.
func treeError(err error) error {
	var dup *tree.DuplicateKeyError
	switch {
	case errors.As(err, &dup) && dup.Kind == tree.SignatureKey: // 7.3-9
		return &Error{CheckLeafSignatureKey, err}
	case errors.As(err, &dup): // 7.3-10
		return &Error{CheckLeafKey, err}
	case errors.Is(err, tree.ErrKey): // 5.1.1-1
		return &Error{CheckKey, err}
	case errors.Is(err, tree.ErrParentHash): // 7.9.2-1
		return &Error{CheckParentHash, err}
	case errors.Is(err, tree.ErrPath): // 12.4.2-1
		return &Error{CheckPathShape, err}
	case errors.Is(err, tree.ErrUnmerged), errors.Is(err, tree.ErrFormat): // 12.4.3.1-10
		return &Error{CheckTreeShape, err}
	case errors.Is(err, tree.ErrLeaf): // 12.1.3-1
		return &Error{CheckRemoved, err}
	}
	return fmt.Errorf("mls: %w", err)
}

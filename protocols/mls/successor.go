package mls

import (
	"bytes"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// SuccessorOptions say how a group is made that another goes on in.
type SuccessorOptions struct {
	Extensions message.Extensions // of a branch; a reinitialised group has those of the ReInit
	Leaf       LeafOptions
	Path       bool // renews the creator's keys in the first Commit
	Info       GroupInfoOptions
}

// Successor makes the group that a ReInit has announced, with the clients of keys
// besides this one (RFC 9420, Section 11.2). cfg has the new group's suite; id is who
// this client is in it. The Commit that sets the group up is merged: no one else
// sees it.
func (g *Group) Successor(cfg *Config, now time.Time, id *Identity, keys []message.KeyPackage, o SuccessorOptions) (*Group, *Pending, error) {
	r := g.now.reInit
	if r == nil {
		return nil, nil, fail(CheckReInitParameters, "no ReInit was committed")
	}
	if r.Suite != cfg.Suite.ID() { // 11.2-1
		return nil, nil, fail(CheckReInitParameters, "suite %d, the ReInit says %d", cfg.Suite.ID(), r.Suite)
	}
	return g.successor(cfg, now, id, r.GroupID, r.Extensions, message.ResumptionReInit, keys, o)
}

// Branch makes a group of some of this one's members (Section 11.3), as Successor
// does.
func (g *Group) Branch(now time.Time, id *Identity, groupID []byte, keys []message.KeyPackage, o SuccessorOptions) (*Group, *Pending, error) {
	if err := g.usable(); err != nil {
		return nil, nil, err
	}
	return g.successor(g.cfg, now, id, groupID, o.Extensions, message.ResumptionBranch, keys, o)
}

func (g *Group) successor(cfg *Config, now time.Time, id *Identity, groupID []byte, extensions message.Extensions, usage message.ResumptionPSKUsage, keys []message.KeyPackage, o SuccessorOptions) (*Group, *Pending, error) {
	next, err := New(cfg, now, id, groupID, GroupOptions{Extensions: extensions, Leaf: o.Leaf})
	if err != nil {
		return nil, nil, err
	}
	psk := message.PreSharedKeyID{Type: message.PSKResumption, Usage: usage, GroupID: g.GroupID(), Epoch: g.Epoch()}
	secret, ok := g.ResumptionPSK(g.Epoch())
	if !ok {
		return nil, nil, fail(CheckPSKAvailable, "resumption secret of epoch %d is not kept", g.Epoch())
	}
	p, err := cfg.PSKProposal(psk)
	if err != nil {
		return nil, nil, err
	}
	all := []message.Proposal{p}
	for _, k := range keys {
		all = append(all, AddProposal(k))
	}
	next.succession = &succession{p.Body.(*message.PreSharedKey), secret}
	pending, err := next.Commit(now, CommitOptions{Proposals: all, Path: o.Path, Info: o.Info})
	next.succession = nil
	if err != nil {
		return nil, nil, err
	}
	if err := checkSuccessor([]message.PreSharedKeyID{psk}, pending.stage.next, g); err != nil {
		return nil, nil, err
	}
	return next, pending, next.Merge(&pending.Staged)
}

// succession is the one pre-shared key of usage reinit or branch that the first
// Commit of a successor may hold.
type succession struct {
	proposal *message.PreSharedKey
	secret   []byte
}

// checkSuccessor checks that a group is what the pre-shared key says that links it
// to an old one (Sections 11.2, 11.3, 12.4.3.1).
func checkSuccessor(psks []message.PreSharedKeyID, snap *snapshot, old *Group) error {
	for i := range psks {
		if !isSuccession(&psks[i]) {
			continue
		}
		if old == nil || !bytes.Equal(old.GroupID(), psks[i].GroupID) {
			return fail(CheckPSKAvailable, "the group comes from group %s, which was not given", groupName(psks[i].GroupID))
		}
		if psks[i].Usage == message.ResumptionReInit {
			return checkReInit(&psks[i], snap, old)
		}
		return checkBranch(snap, old)
	}
	return nil
}

func checkReInit(id *message.PreSharedKeyID, snap *snapshot, old *Group) error {
	r := old.now.reInit
	if r == nil || id.Epoch != old.Epoch() { // 11.2-1
		return fail(CheckReInitParameters, "the last Commit of the old group has no ReInit")
	}
	c := &snap.context
	if !bytes.Equal(c.GroupID, r.GroupID) || c.Suite != r.Suite || r.Version != message.MLS10 || !sameExtensions(c.Extensions, r.Extensions) { // 11.2-1
		return fail(CheckReInitParameters, "group %s with suite %d is not what the ReInit says", groupName(c.GroupID), c.Suite)
	}
	if c.Epoch != 1 { // 11.2-2
		return fail(CheckReInitEpoch, "epoch %d of a reinitialised group, want 1", c.Epoch)
	}
	if i, ok := missing(old.now.tree, snap.tree, old.cfg); ok { // 11.2-3
		return fail(CheckReInitMembers, "%s of the old group is not in the new one", leafName(i))
	}
	return nil
}

func checkBranch(snap *snapshot, old *Group) error {
	if snap.context.Suite != old.now.context.Suite { // 11.3-1
		return fail(CheckBranchParameters, "suite %d of a subgroup, the group has %d", snap.context.Suite, old.now.context.Suite)
	}
	if snap.context.Epoch != 1 { // 11.3-2
		return fail(CheckBranchEpoch, "epoch %d of a subgroup, want 1", snap.context.Epoch)
	}
	if i, ok := missing(snap.tree, old.now.tree, old.cfg); ok { // 11.3-3
		return fail(CheckBranchMembers, "%s of the subgroup is not in the group", leafName(i))
	}
	return nil
}

// missing returns a member of a that has no equal in b, by credential or as the
// application names them.
func missing(a, b *tree.Tree, cfg *Config) (tree.LeafIndex, bool) {
	known, named := make(map[string]bool), make(map[string]bool)
	for _, leaf := range b.All() {
		known[credentialKey(leaf)] = true
		if cfg.ClientOf != nil {
			named[cfg.ClientOf(leaf)] = true
		}
	}
	for i, leaf := range a.All() {
		if known[credentialKey(leaf)] || cfg.ClientOf != nil && named[cfg.ClientOf(leaf)] {
			continue
		}
		return i, true
	}
	return 0, false
}

func credentialKey(l *message.LeafNode) string {
	return fmt.Sprintf("%d %x %x", l.Credential.Type, l.Credential.Identity, l.Credential.Chain)
}

func sameExtensions(a, b message.Extensions) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Type != b[i].Type || !bytes.Equal(a[i].Data, b[i].Data) {
			return false
		}
	}
	return true
}

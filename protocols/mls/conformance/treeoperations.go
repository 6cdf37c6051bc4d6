package conformance

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// operationCase is one of tree-operations.json.
type operationCase struct {
	suited
	Before     octets         `json:"tree_before"`
	Proposal   octets         `json:"proposal"`
	Sender     tree.LeafIndex `json:"proposal_sender"`
	HashBefore octets         `json:"tree_hash_before"`
	After      octets         `json:"tree_after"`
	HashAfter  octets         `json:"tree_hash_after"`
}

func checkOperation(c *checker, s suite.Suite, v *operationCase) {
	before, err := tree.Parse(s, v.Before)
	if !c.ok("tree_before", err) {
		return
	}
	c.equal("tree_hash_before", before.Hash(), v.HashBefore)
	if before.SignatureKey(v.Sender) == nil {
		c.fail("proposal_sender", "leaf %d is blank", v.Sender)
		return
	}
	var p message.Proposal
	if !c.read("proposal", v.Proposal, &p) {
		return
	}
	e := before.Edit()
	if !c.ok("proposal", apply(e, v.Sender, &p)) {
		return
	}
	after, err := e.Tree()
	if !c.ok("tree_after", err) {
		return
	}
	if b, err := after.Marshal(); c.ok("tree_after", err) {
		c.equal("tree_after", b, v.After)
	}
	c.equal("tree_hash_after", after.Hash(), v.HashAfter)
	if b, err := before.Marshal(); c.ok("tree_before, after the edit", err) {
		c.equal("tree_before, after the edit", b, v.Before)
	}
}

// apply applies a proposal of a member to a tree.
func apply(e *tree.Edit, sender tree.LeafIndex, p *message.Proposal) error {
	switch body := p.Body.(type) {
	case *message.Add:
		_, err := e.Add(&body.KeyPackage.LeafNode)
		return err
	case *message.Update:
		return e.Update(sender, &body.LeafNode)
	case *message.Remove:
		return e.Remove(tree.LeafIndex(body.Removed))
	}
	return &proposalError{p.Type}
}

// proposalError: the file has adds, updates and removes.
type proposalError struct{ got message.ProposalType }

func (e *proposalError) Error() string {
	return "got a proposal of type " + e.got.String() + ", want add, update or remove"
}

package message

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// ProposalOrRef is a proposal in a Commit, by value or by the reference of one sent
// before (RFC 9420, Section 12.4). Exactly one of the fields is set.
//
//	struct {
//	    ProposalOrRefType type; // proposal(1), reference(2)
//	    select (ProposalOrRef.type) {
//	        case proposal:  Proposal proposal;
//	        case reference: ProposalRef reference;
//	    };
//	} ProposalOrRef;
type ProposalOrRef struct {
	Proposal  *Proposal
	Reference ProposalRef
}

func (p *ProposalOrRef) read(r *wire.Reader, c *CodePoints) {
	switch t := r.Uint8(); t {
	case 1:
		p.Proposal = new(Proposal)
		p.Proposal.read(r, c)
	case 2:
		p.Reference = r.Opaque()
	default:
		unknown(r, "ProposalOrRefType", t)
	}
}

func (p *ProposalOrRef) MarshalTLS(w *wire.Writer) {
	if p.Proposal != nil {
		w.Uint8(1)
		p.Proposal.MarshalTLS(w)
		return
	}
	w.Uint8(2)
	w.Opaque(p.Reference)
}

// HPKECiphertext is what EncryptWithLabel makes (RFC 9420, Section 7.6):
//
//	struct {
//	    opaque kem_output<V>;
//	    opaque ciphertext<V>;
//	} HPKECiphertext;
type HPKECiphertext struct{ KEMOutput, Ciphertext []byte }

func (h *HPKECiphertext) UnmarshalTLS(r *wire.Reader) {
	h.KEMOutput = r.Opaque()
	h.Ciphertext = r.Opaque()
}

func (h *HPKECiphertext) MarshalTLS(w *wire.Writer) {
	w.Opaque(h.KEMOutput)
	w.Opaque(h.Ciphertext)
}

// UpdatePathNode is a new key for a node of the sender's filtered direct path, and
// its path secret encrypted to the resolution of the other child (RFC 9420,
// Section 7.6):
//
//	struct {
//	    HPKEPublicKey encryption_key;
//	    HPKECiphertext encrypted_path_secret<V>;
//	} UpdatePathNode;
//
// A receiver opens one ciphertext of thousands, so they are counted when read
// and taken apart when asked for.
type UpdatePathNode struct {
	EncryptionKey []byte
	count         int
	ciphertexts   []byte // the elements of the vector
}

// NewUpdatePathNode returns a node with these ciphertexts.
func NewUpdatePathNode(encryptionKey []byte, secrets []HPKECiphertext) (UpdatePathNode, error) {
	w := wire.NewWriter(nil)
	for i := range secrets {
		secrets[i].MarshalTLS(w)
	}
	b, err := w.Bytes()
	return UpdatePathNode{encryptionKey, len(secrets), b}, err
}

// Len returns how many ciphertexts there are.
func (n *UpdatePathNode) Len() int { return n.count }

// Secret returns ciphertext i, 0 <= i < Len.
func (n *UpdatePathNode) Secret(i int) (h HPKECiphertext) {
	r := wire.NewReader(n.ciphertexts)
	for range i {
		r.Opaque()
		r.Opaque()
	}
	h.UnmarshalTLS(r)
	return h
}

func (n *UpdatePathNode) UnmarshalTLS(r *wire.Reader) {
	n.EncryptionKey = r.Opaque()
	n.ciphertexts = r.Opaque()
	if r.Err() != nil {
		return
	}
	inner := wire.NewReader(n.ciphertexts)
	for !inner.Empty() {
		inner.Opaque()
		inner.Opaque()
		n.count++
	}
	if err := inner.Err(); err != nil {
		r.Fail(err)
	}
}

func (n *UpdatePathNode) MarshalTLS(w *wire.Writer) {
	w.Opaque(n.EncryptionKey)
	w.Opaque(n.ciphertexts)
}

// UpdatePath renews the keys from its sender's leaf to the root (RFC 9420, Section
// 7.6):
//
//	struct {
//	    LeafNode leaf_node;
//	    UpdatePathNode nodes<V>;
//	} UpdatePath;
type UpdatePath struct {
	LeafNode LeafNode
	Nodes    []UpdatePathNode // from the leaf's parent to the root, filtered
}

func (p *UpdatePath) UnmarshalTLS(r *wire.Reader) {
	p.LeafNode.UnmarshalTLS(r)
	p.Nodes = wire.List[UpdatePathNode](r)
}

func (p *UpdatePath) MarshalTLS(w *wire.Writer) {
	p.LeafNode.MarshalTLS(w)
	wire.PutList(w, p.Nodes)
}

// Commit puts proposals into effect and starts an epoch (RFC 9420, Section 12.4):
//
//	struct {
//	    ProposalOrRef proposals<V>;
//	    optional<UpdatePath> path;
//	} Commit;
type Commit struct {
	Proposals []ProposalOrRef
	Path      *UpdatePath // nil if absent
}

// UnmarshalTLS reads with [DefaultCodePoints].
func (c *Commit) UnmarshalTLS(r *wire.Reader) { c.read(r, &DefaultCodePoints) }

func (c *Commit) read(r *wire.Reader, points *CodePoints) {
	r.Vector(func() {
		c.Proposals = wire.Extend(c.Proposals)
		c.Proposals[len(c.Proposals)-1].read(r, points)
	})
	r.Optional(func() {
		c.Path = new(UpdatePath)
		c.Path.UnmarshalTLS(r)
	})
}

func (c *Commit) MarshalTLS(w *wire.Writer) {
	wire.PutList(w, c.Proposals)
	w.Optional(c.Path != nil, func() { c.Path.MarshalTLS(w) })
}

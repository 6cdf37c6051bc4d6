package tree

import (
	"errors"
	"fmt"
)

// What the errors of this package wrap. The numbers in them are those of nodes or
// leaves as the error says.
var (
	// ErrFormat: the bytes are no ratchet tree, private state or page.
	ErrFormat = errors.New("tree: malformed")
	// ErrLeaf: there is no such member, or a leaf can't be used as asked.
	ErrLeaf = errors.New("tree: no such member")
	// ErrFull: the tree has no room for another leaf.
	ErrFull = errors.New("tree: full")
	// ErrKey: a public key is none of the suite or of low order, or is there twice (see DuplicateKeyError).
	ErrKey = errors.New("tree: bad public key")
	// ErrUnmerged: unmerged_leaves is inconsistent (RFC 9420, Section 12.4.3.1).
	ErrUnmerged = errors.New("tree: bad unmerged leaves")
	// ErrParentHash: a parent hash is not valid (RFC 9420, Section 7.9.2).
	ErrParentHash = errors.New("tree: bad parent hash")
	// ErrSignature: a leaf's signature does not verify.
	ErrSignature = errors.New("tree: bad signature of a leaf")
	// ErrPath: an UpdatePath does not fit the tree (RFC 9420, Section 7.5).
	ErrPath = errors.New("tree: update path does not fit")
	// ErrPathSecret: a path secret does not open, or does not give the public
	// keys that came with it.
	ErrPathSecret = errors.New("tree: bad path secret")
	// ErrNotCovered: no ciphertext of an UpdatePath is for this member, as for
	// the sender and for those added by the same Commit.
	ErrNotCovered = errors.New("tree: no path secret for this member")
)

// KeyKind says which key of a node is meant.
type KeyKind uint8

const (
	EncryptionKey KeyKind = 1 // encryption_key of a LeafNode or ParentNode
	SignatureKey  KeyKind = 2 // signature_key of a LeafNode
)

// String returns the field's name in RFC 9420.
func (k KeyKind) String() string {
	switch k {
	case EncryptionKey:
		return "encryption_key"
	case SignatureKey:
		return "signature_key"
	}
	return fmt.Sprintf("KeyKind(%d)", uint8(k))
}

// DuplicateKeyError says that a key is in two places of which it may be in one
// (RFC 9420, Sections 7.3 and 12.4.3.1). It is an ErrKey.
type DuplicateKeyError struct {
	Kind  KeyKind
	At    NodeIndex // a node that has the key
	Other NodeIndex // another; equal to At if a path brings the key twice
}

// Error implements error.
func (e *DuplicateKeyError) Error() string {
	return fmt.Sprintf("tree: %v of node %d is that of node %d too, want unique keys", e.Kind, e.At, e.Other)
}

// Is makes the error an ErrKey.
func (e *DuplicateKeyError) Is(target error) bool { return target == ErrKey }

// CountError says that a part of an UpdatePath has another length than the tree
// demands (RFC 9420, Section 7.6). It is an ErrPath.
type CountError struct {
	What      string    // "nodes" or "ciphertexts"
	At        NodeIndex // the node of the path; for nodes the sender's leaf
	Got, Want int
}

// Error implements error.
func (e *CountError) Error() string {
	return fmt.Sprintf("tree: update path has %d %s at node %d, want %d", e.Got, e.What, e.At, e.Want)
}

// Is makes the error an ErrPath.
func (e *CountError) Is(target error) bool { return target == ErrPath }

package message

import (
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// LeafNodeSource says what a LeafNode was made for (RFC 9420, Section 7.2).
type LeafNodeSource uint8

const (
	SourceKeyPackage LeafNodeSource = 1
	SourceUpdate     LeafNodeSource = 2
	SourceCommit     LeafNodeSource = 3
)

var sourceNames = map[LeafNodeSource]string{SourceKeyPackage: "key_package", SourceUpdate: "update", SourceCommit: "commit"}

// String returns the specification's name, or the number.
func (s LeafNodeSource) String() string { return name(sourceNames, s) }

// Capabilities says what a client supports (RFC 9420, Section 7.2):
//
//	struct {
//	    ProtocolVersion versions<V>;
//	    CipherSuite cipher_suites<V>;
//	    ExtensionType extensions<V>;
//	    ProposalType proposals<V>;
//	    CredentialType credentials<V>;
//	} Capabilities;
type Capabilities struct {
	Versions    []ProtocolVersion
	Suites      []suite.ID
	Extensions  []ExtensionType
	Proposals   []ProposalType
	Credentials []CredentialType
}

func (c *Capabilities) UnmarshalTLS(r *wire.Reader) {
	c.Versions = wire.Codes[ProtocolVersion](r)
	c.Suites = wire.Codes[suite.ID](r)
	c.Extensions = wire.Codes[ExtensionType](r)
	c.Proposals = wire.Codes[ProposalType](r)
	c.Credentials = wire.Codes[CredentialType](r)
}

func (c *Capabilities) MarshalTLS(w *wire.Writer) {
	wire.PutCodes(w, c.Versions)
	wire.PutCodes(w, c.Suites)
	wire.PutCodes(w, c.Extensions)
	wire.PutCodes(w, c.Proposals)
	wire.PutCodes(w, c.Credentials)
}

// SupportsExtension reports whether the capabilities include an extension type,
// as they do those of RFC 9420 without listing them.
func (c *Capabilities) SupportsExtension(t ExtensionType) bool {
	return t.IsDefault() || slices.Contains(c.Extensions, t)
}

// SupportsProposal reports whether the capabilities include a proposal type, as
// they do those of RFC 9420 without listing them.
func (c *Capabilities) SupportsProposal(t ProposalType) bool {
	return t.IsDefault() || slices.Contains(c.Proposals, t)
}

// SupportsCredential reports whether the capabilities list a credential type.
func (c *Capabilities) SupportsCredential(t CredentialType) bool {
	return slices.Contains(c.Credentials, t)
}

// Lifetime is when a KeyPackage may be used, in seconds since 1970 (RFC 9420,
// Section 7.2):
//
//	struct {
//	    uint64 not_before;
//	    uint64 not_after;
//	} Lifetime;
type Lifetime struct{ NotBefore, NotAfter uint64 }

// Includes reports whether now lies in the lifetime, ends included.
func (l Lifetime) Includes(now time.Time) bool {
	s := now.Unix()
	return s >= 0 && l.NotBefore <= uint64(s) && uint64(s) <= l.NotAfter
}

// LeafNode is a member, or who is to become one (RFC 9420, Section 7.2):
//
//	struct {
//	    HPKEPublicKey encryption_key;
//	    SignaturePublicKey signature_key;
//	    Credential credential;
//	    Capabilities capabilities;
//	    LeafNodeSource leaf_node_source;
//	    select (LeafNode.leaf_node_source) {
//	        case key_package: Lifetime lifetime;
//	        case update:      struct{};
//	        case commit:      opaque parent_hash<V>;
//	    };
//	    Extension extensions<V>;
//	    opaque signature<V>; // SignWithLabel(., "LeafNodeTBS", LeafNodeTBS)
//	} LeafNode;
type LeafNode struct {
	EncryptionKey []byte
	SignatureKey  []byte
	Credential    Credential
	Capabilities  Capabilities
	Source        LeafNodeSource
	Lifetime      Lifetime // of SourceKeyPackage
	ParentHash    []byte   // of SourceCommit
	Extensions    Extensions
	Signature     []byte
}

func (l *LeafNode) UnmarshalTLS(r *wire.Reader) {
	l.EncryptionKey = r.Opaque()
	l.SignatureKey = r.Opaque()
	l.Credential.UnmarshalTLS(r)
	l.Capabilities.UnmarshalTLS(r)
	switch l.Source = LeafNodeSource(r.Uint8()); l.Source {
	case SourceKeyPackage:
		l.Lifetime.NotBefore = r.Uint64()
		l.Lifetime.NotAfter = r.Uint64()
	case SourceUpdate:
	case SourceCommit:
		l.ParentHash = r.Opaque()
	default:
		unknown(r, "leaf_node_source", l.Source)
	}
	l.Extensions.UnmarshalTLS(r)
	l.Signature = r.Opaque()
}

func (l *LeafNode) MarshalTLS(w *wire.Writer) {
	l.marshalUnsigned(w)
	w.Opaque(l.Signature)
}

func (l *LeafNode) marshalUnsigned(w *wire.Writer) {
	w.Opaque(l.EncryptionKey)
	w.Opaque(l.SignatureKey)
	l.Credential.MarshalTLS(w)
	l.Capabilities.MarshalTLS(w)
	w.Uint8(uint8(l.Source))
	switch l.Source {
	case SourceKeyPackage:
		w.Uint64(l.Lifetime.NotBefore)
		w.Uint64(l.Lifetime.NotAfter)
	case SourceCommit:
		w.Opaque(l.ParentHash)
	}
	l.Extensions.MarshalTLS(w)
}

// LabelLeafNode is the label of a LeafNode's signature.
const LabelLeafNode = "LeafNodeTBS"

// TBS returns what a LeafNode's signature is over (RFC 9420, Section 7.2). One
// from a KeyPackage belongs to no group; groupID and leafIndex are ignored then.
//
//	struct {
//	    ... // LeafNode without its signature
//	    select (LeafNodeTBS.leaf_node_source) {
//	        case key_package: struct{};
//	        case update, commit:
//	            opaque group_id<V>;
//	            uint32 leaf_index;
//	    };
//	} LeafNodeTBS;
func (l *LeafNode) TBS(groupID []byte, leafIndex uint32) ([]byte, error) {
	w := wire.NewWriter(make([]byte, 0, usualRoom))
	l.writeTBS(w, groupID, leafIndex)
	return w.Bytes()
}

// usualRoom is enough for most LeafNodes and KeyPackages, so that what they are
// written to need not grow step by step.
const usualRoom = 512

func (l *LeafNode) writeTBS(w *wire.Writer, groupID []byte, leafIndex uint32) {
	l.marshalUnsigned(w)
	if l.Source != SourceKeyPackage {
		w.Opaque(groupID)
		w.Uint32(leafIndex)
	}
}

// Sign sets the LeafNode's signature.
func (l *LeafNode) Sign(s suite.Suite, private suite.PrivateKey, groupID []byte, leafIndex uint32) error {
	w := wire.NewWriter(make([]byte, 0, usualRoom))
	labeled.WriteSignContent(w, LabelLeafNode, func() { l.writeTBS(w, groupID, leafIndex) })
	content, err := w.Bytes()
	if err != nil {
		return err
	}
	l.Signature, err = s.Sign(private, content)
	return err
}

// Verify checks the LeafNode's signature.
func (l *LeafNode) Verify(s suite.Suite, groupID []byte, leafIndex uint32) error {
	tbs, err := l.TBS(groupID, leafIndex)
	if err != nil {
		return err
	}
	return labeled.Verify(s, l.SignatureKey, LabelLeafNode, tbs, l.Signature)
}

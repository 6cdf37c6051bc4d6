package message

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// KeyPackage is what a client publishes so that others can add it to groups (RFC
// 9420, Section 10):
//
//	struct {
//	    ProtocolVersion version;
//	    CipherSuite cipher_suite;
//	    HPKEPublicKey init_key;
//	    LeafNode leaf_node;
//	    Extension extensions<V>;
//	    opaque signature<V>; // SignWithLabel(., "KeyPackageTBS", KeyPackageTBS)
//	} KeyPackage;
type KeyPackage struct {
	Version    ProtocolVersion
	Suite      suite.ID
	InitKey    []byte
	LeafNode   LeafNode
	Extensions Extensions
	Signature  []byte
}

// UnmarshalTLS reads KeyPackages of every version and suite: it is for
// validation to refuse those that a group can't use.
func (k *KeyPackage) UnmarshalTLS(r *wire.Reader) {
	k.Version = ProtocolVersion(r.Uint16())
	k.Suite = suite.ID(r.Uint16())
	k.InitKey = r.Opaque()
	k.LeafNode.UnmarshalTLS(r)
	k.Extensions.UnmarshalTLS(r)
	k.Signature = r.Opaque()
}

func (k *KeyPackage) MarshalTLS(w *wire.Writer) {
	k.marshalUnsigned(w)
	w.Opaque(k.Signature)
}

func (k *KeyPackage) marshalUnsigned(w *wire.Writer) {
	w.Uint16(uint16(k.Version))
	w.Uint16(uint16(k.Suite))
	w.Opaque(k.InitKey)
	k.LeafNode.MarshalTLS(w)
	k.Extensions.MarshalTLS(w)
}

// LabelKeyPackage is the label of a KeyPackage's signature.
const LabelKeyPackage = "KeyPackageTBS"

// TBS returns what the signature is over: KeyPackageTBS, the KeyPackage without
// its signature.
func (k *KeyPackage) TBS() ([]byte, error) {
	w := wire.NewWriter(make([]byte, 0, usualRoom))
	k.marshalUnsigned(w)
	return w.Bytes()
}

// Sign sets the signature, with the key that the LeafNode names.
func (k *KeyPackage) Sign(s suite.Suite, private suite.PrivateKey) error {
	w := wire.NewWriter(make([]byte, 0, usualRoom))
	labeled.WriteSignContent(w, LabelKeyPackage, func() { k.marshalUnsigned(w) })
	content, err := w.Bytes()
	if err != nil {
		return err
	}
	k.Signature, err = s.Sign(private, content)
	return err
}

// Verify checks the KeyPackage's own signature, not that of its LeafNode.
func (k *KeyPackage) Verify(s suite.Suite) error {
	tbs, err := k.TBS()
	if err != nil {
		return err
	}
	return labeled.Verify(s, k.LeafNode.SignatureKey, LabelKeyPackage, tbs, k.Signature)
}

// KeyPackageRef names a KeyPackage (RFC 9420, Section 5.2).
type KeyPackageRef []byte

// Ref returns the KeyPackage's reference under a suite, which is the
// KeyPackage's own.
func (k *KeyPackage) Ref(s suite.Suite) (KeyPackageRef, error) {
	b, err := wire.Append(make([]byte, 0, usualRoom), k)
	if err != nil {
		return nil, err
	}
	return labeled.RefHash(s, nil, "MLS 1.0 KeyPackage Reference", b), nil
}

package message

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// GroupInfo describes a group to those who join it (RFC 9420, Section 12.4.3):
//
//	struct {
//	    GroupContext group_context;
//	    Extension extensions<V>;
//	    MAC confirmation_tag;
//	    uint32 signer;
//	    opaque signature<V>; // SignWithLabel(., "GroupInfoTBS", GroupInfoTBS)
//	} GroupInfo;
type GroupInfo struct {
	Context         GroupContext
	Extensions      Extensions
	ConfirmationTag []byte
	Signer          uint32 // a leaf index
	Signature       []byte
}

func (g *GroupInfo) UnmarshalTLS(r *wire.Reader) {
	g.Context.UnmarshalTLS(r)
	g.Extensions.UnmarshalTLS(r)
	g.ConfirmationTag = r.Opaque()
	g.Signer = r.Uint32()
	g.Signature = r.Opaque()
}

func (g *GroupInfo) MarshalTLS(w *wire.Writer) {
	g.marshalUnsigned(w)
	w.Opaque(g.Signature)
}

func (g *GroupInfo) marshalUnsigned(w *wire.Writer) {
	g.Context.MarshalTLS(w)
	g.Extensions.MarshalTLS(w)
	w.Opaque(g.ConfirmationTag)
	w.Uint32(g.Signer)
}

// labelGroupInfo is the label of a GroupInfo's signature.
const labelGroupInfo = "GroupInfoTBS"

// TBS returns what the signature is over: GroupInfoTBS, the GroupInfo without its
// signature.
func (g *GroupInfo) TBS() ([]byte, error) {
	w := wire.NewWriter(nil)
	g.marshalUnsigned(w)
	return w.Bytes()
}

// Sign sets the signature, with the key of the signer's leaf.
func (g *GroupInfo) Sign(s suite.Suite, private suite.PrivateKey) error {
	tbs, err := g.TBS()
	if err != nil {
		return err
	}
	g.Signature, err = labeled.Sign(s, private, labelGroupInfo, tbs)
	return err
}

// Verify checks the signature under the key of the signer's leaf.
func (g *GroupInfo) Verify(s suite.Suite, public []byte) error {
	tbs, err := g.TBS()
	if err != nil {
		return err
	}
	return labeled.Verify(s, public, labelGroupInfo, tbs, g.Signature)
}

// GroupSecrets is what a new member is told in secret (RFC 9420, Section 12.4.3.1):
//
//	struct {
//	    opaque joiner_secret<V>;
//	    optional<PathSecret> path_secret; // struct { opaque path_secret<V>; }
//	    PreSharedKeyID psks<V>;
//	} GroupSecrets;
type GroupSecrets struct {
	JoinerSecret []byte
	PathSecret   []byte // nil if absent
	PSKs         []PreSharedKeyID
}

func (g *GroupSecrets) UnmarshalTLS(r *wire.Reader) {
	g.JoinerSecret = r.Opaque()
	r.Optional(func() { g.PathSecret = r.Opaque() })
	g.PSKs = wire.List[PreSharedKeyID](r)
}

func (g *GroupSecrets) MarshalTLS(w *wire.Writer) {
	w.Opaque(g.JoinerSecret)
	w.Optional(g.PathSecret != nil, func() { w.Opaque(g.PathSecret) })
	wire.PutList(w, g.PSKs)
}

// EncryptedGroupSecrets is GroupSecrets encrypted to one KeyPackage (RFC 9420,
// Section 12.4.3.1):
//
//	struct {
//	    KeyPackageRef new_member;
//	    HPKECiphertext encrypted_group_secrets;
//	} EncryptedGroupSecrets;
type EncryptedGroupSecrets struct {
	NewMember KeyPackageRef
	Secrets   HPKECiphertext
}

func (e *EncryptedGroupSecrets) UnmarshalTLS(r *wire.Reader) {
	e.NewMember = r.Opaque()
	e.Secrets.UnmarshalTLS(r)
}

func (e *EncryptedGroupSecrets) MarshalTLS(w *wire.Writer) {
	w.Opaque(e.NewMember)
	e.Secrets.MarshalTLS(w)
}

// Welcome lets new members into a group (RFC 9420, Section 12.4.3.1):
//
//	struct {
//	    CipherSuite cipher_suite;
//	    EncryptedGroupSecrets secrets<V>;
//	    opaque encrypted_group_info<V>;
//	} Welcome;
type Welcome struct {
	Suite              suite.ID
	Secrets            []EncryptedGroupSecrets
	EncryptedGroupInfo []byte
}

func (m *Welcome) UnmarshalTLS(r *wire.Reader) {
	m.Suite = suite.ID(r.Uint16())
	m.Secrets = wire.List[EncryptedGroupSecrets](r)
	m.EncryptedGroupInfo = r.Opaque()
}

func (m *Welcome) MarshalTLS(w *wire.Writer) {
	w.Uint16(uint16(m.Suite))
	wire.PutList(w, m.Secrets)
	w.Opaque(m.EncryptedGroupInfo)
}

package mimi

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// The labels of draft-ietf-mimi-protocol-06, for SignWithLabel and EncryptWithLabel
// (RFC 9420, Sections 5.1.2 and 5.1.3).
const (
	LabelKeyMaterialRequest     = "KeyMaterialRequestTBS"
	LabelGroupInfoRequest       = "GroupInfoRequestTBS"
	LabelGroupInfoResponse      = "GroupInfoResponseTBS"
	LabelGroupInfoAndTree       = "GroupInfo and ratchet_tree encryption"
	LabelFrankingIntegrity      = "FrankingIntegrityTBS"
	LabelPseudonymousCredential = "PseudonymousCredentialTBS"
)

// written returns what write writes.
func written(write func(*wire.Writer)) ([]byte, error) {
	w := wire.NewWriter(nil)
	write(w)
	return w.Bytes()
}

// wantSuite refuses to use a suite in place of another.
func wantSuite(what string, s suite.Suite, want suite.ID) error {
	if s.ID() != want {
		return fmt.Errorf("mimi: %s: suite %s, want %s", what, s.ID(), want)
	}
	return nil
}

// TBS returns what the signature is over, KeyMaterialRequestTBS: the request
// without its signature.
func (m *KeyMaterialRequest) TBS() ([]byte, error) { return written(m.marshalUnsigned) }

// SignatureSuite returns the suite whose signature algorithm the request is signed
// with: the first of AcceptableCiphersuites (deviation 3), or 0 if there is none.
func (m *KeyMaterialRequest) SignatureSuite() suite.ID {
	if len(m.AcceptableCiphersuites) == 0 {
		return 0
	}
	return m.AcceptableCiphersuites[0]
}

// Sign sets the signature, with the key of RequesterSignatureKey. s is of
// [KeyMaterialRequest.SignatureSuite].
func (m *KeyMaterialRequest) Sign(s suite.Suite, private suite.PrivateKey) error {
	if err := wantSuite("KeyMaterialRequest", s, m.SignatureSuite()); err != nil {
		return err
	}
	tbs, err := m.TBS()
	if err != nil {
		return err
	}
	m.Signature, err = labeled.Sign(s, private, LabelKeyMaterialRequest, tbs)
	return err
}

// Verify checks the signature under RequesterSignatureKey. Whether that is the key
// of RequesterCredential is for the caller to know. s is of
// [KeyMaterialRequest.SignatureSuite].
func (m *KeyMaterialRequest) Verify(s suite.Suite) error {
	if err := wantSuite("KeyMaterialRequest", s, m.SignatureSuite()); err != nil {
		return err
	}
	tbs, err := m.TBS()
	if err != nil {
		return err
	}
	return labeled.Verify(s, m.RequesterSignatureKey, LabelKeyMaterialRequest, tbs, m.Signature)
}

// TBS returns what the signature is over:
//
//	struct {
//	    Protocol protocol;
//	    select (protocol) {
//	        case mls10:
//	            CipherSuite cipher_suite;
//	            SignaturePublicKey requestingSignatureKey;
//	            Credential requestingCredential;
//	            HPKEPublicKey groupInfoPublicKey;
//	            optional opaque joiningCode<V>;
//	    };
//	} GroupInfoRequestTBS;
//
// An empty joining code is one that is absent (deviation 5).
func (m *GroupInfoRequest) TBS() ([]byte, error) {
	return written(func(w *wire.Writer) {
		m.marshalHead(w)
		w.Optional(len(m.JoiningCode) > 0, func() { w.Opaque(m.JoiningCode) })
	})
}

// Sign sets the signature, with the key of RequestingSignatureKey. s is of
// CipherSuite.
func (m *GroupInfoRequest) Sign(s suite.Suite, private suite.PrivateKey) error {
	if err := wantSuite("GroupInfoRequest", s, m.CipherSuite); err != nil {
		return err
	}
	tbs, err := m.TBS()
	if err != nil {
		return err
	}
	m.Signature, err = labeled.Sign(s, private, LabelGroupInfoRequest, tbs)
	return err
}

// Verify checks the signature under RequestingSignatureKey. Whether that is the key
// of RequestingCredential is for the caller to know. s is of CipherSuite.
func (m *GroupInfoRequest) Verify(s suite.Suite) error {
	if err := wantSuite("GroupInfoRequest", s, m.CipherSuite); err != nil {
		return err
	}
	tbs, err := m.TBS()
	if err != nil {
		return err
	}
	return labeled.Verify(s, m.RequestingSignatureKey, LabelGroupInfoRequest, tbs, m.Signature)
}

// TBS returns what the signature of a successful response is over,
// GroupInfoResponseTBS: the response without its signature. There is none for other
// codes.
//
//	struct {
//	    Protocol version;
//	    opaque room_id<V>;
//	    GroupInfoCode status;
//	    select (protocol) {
//	        case mls10:
//	            CipherSuite cipher_suite;
//	            ExternalSender hub_sender;
//	            HPKECiphertext encrypted_groupinfo_and_tree;
//	    };
//	} GroupInfoResponseTBS;
func (m *GroupInfoResponse) TBS() ([]byte, error) {
	if m.Status != GroupInfoSuccess {
		return nil, fmt.Errorf("mimi: GroupInfoResponse: %s is not signed", m.Status)
	}
	return written(m.marshalUnsigned)
}

// Sign sets the signature, with the key of HubSender. s is of CipherSuite.
func (m *GroupInfoResponse) Sign(s suite.Suite, private suite.PrivateKey) error {
	if err := wantSuite("GroupInfoResponse", s, m.CipherSuite); err != nil {
		return err
	}
	tbs, err := m.TBS()
	if err != nil {
		return err
	}
	m.Signature, err = labeled.Sign(s, private, LabelGroupInfoResponse, tbs)
	return err
}

// Verify checks the signature under the key of HubSender. Whether that is the hub
// is for the caller to know. s is of CipherSuite.
func (m *GroupInfoResponse) Verify(s suite.Suite) error {
	if err := wantSuite("GroupInfoResponse", s, m.CipherSuite); err != nil {
		return err
	}
	tbs, err := m.TBS()
	if err != nil {
		return err
	}
	return labeled.Verify(s, m.HubSender.SignatureKey, LabelGroupInfoResponse, tbs, m.Signature)
}

// NewGroupInfoResponse answers a request: it encrypts content to the key in the
// request and signs the response as sender, whose key private is. s is of the
// request's CipherSuite (deviation 23).
func NewGroupInfoResponse(s suite.Suite, request *GroupInfoRequest, room IdentifierURI, content *GroupInfoRatchetTreeTBE, sender message.ExternalSender, private suite.PrivateKey) (*GroupInfoResponse, error) {
	if err := wantSuite("GroupInfoRequest", s, request.CipherSuite); err != nil {
		return nil, err
	}
	plaintext, err := wire.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("mimi: GroupInfoRatchetTreeTBE: %w", err)
	}
	kem, ciphertext, err := labeled.Encrypt(s, request.GroupInfoPublicKey, LabelGroupInfoAndTree, []byte(room), plaintext)
	if err != nil {
		return nil, fmt.Errorf("mimi: encrypting GroupInfo to groupInfoPublicKey: %w", err)
	}
	m := &GroupInfoResponse{
		RoomID:                    room,
		Status:                    GroupInfoSuccess,
		CipherSuite:               s.ID(),
		HubSender:                 sender,
		EncryptedGroupInfoAndTree: message.HPKECiphertext{KEMOutput: kem, Ciphertext: ciphertext},
	}
	if err := m.Sign(s, private); err != nil {
		return nil, err
	}
	return m, nil
}

// Open verifies a successful response for room and decrypts it with the private key
// of the request's groupInfoPublicKey. points nil means [DefaultCodePoints]. The
// GroupInfo's own signature is for package mls to verify, which has the tree.
func (m *GroupInfoResponse) Open(s suite.Suite, room IdentifierURI, private suite.PrivateKey, points *CodePoints) (*GroupInfoRatchetTreeTBE, error) {
	if m.Status != GroupInfoSuccess {
		return nil, fmt.Errorf("mimi: GroupInfoResponse: %s, want %s", m.Status, GroupInfoSuccess)
	}
	if m.RoomID != room {
		return nil, fmt.Errorf("mimi: GroupInfoResponse: for room %q, want %q", m.RoomID, room)
	}
	if err := m.Verify(s); err != nil {
		return nil, fmt.Errorf("mimi: GroupInfoResponse: %w", err)
	}
	c := &m.EncryptedGroupInfoAndTree
	plaintext, err := labeled.Decrypt(s, private, LabelGroupInfoAndTree, []byte(m.RoomID), c.KEMOutput, c.Ciphertext)
	if err != nil {
		return nil, fmt.Errorf("mimi: GroupInfoResponse: %w", err)
	}
	return ParseGroupInfoRatchetTreeTBE(plaintext, points)
}

// TBS returns what the signature in the IdentityLinkTBE is over,
// PseudonymousCredentialTBS: the credential without its ciphertext.
func (c *PseudonymousCredential) TBS() ([]byte, error) { return written(c.marshalUnsigned) }

// Link makes the IdentityLinkTBE of a pseudonym: client is the real credential, and
// private the key that it vouches for.
func (c *PseudonymousCredential) Link(s suite.Suite, client message.Credential, private suite.PrivateKey) (*IdentityLinkTBE, error) {
	tbs, err := c.TBS()
	if err != nil {
		return nil, err
	}
	signature, err := labeled.Sign(s, private, LabelPseudonymousCredential, tbs)
	if err != nil {
		return nil, err
	}
	return &IdentityLinkTBE{signature, client}, nil
}

// Verify checks that the holder of public, the key that the real credential vouches
// for, has taken the pseudonym c.
func (l *IdentityLinkTBE) Verify(s suite.Suite, c *PseudonymousCredential, public []byte) error {
	tbs, err := c.TBS()
	if err != nil {
		return err
	}
	return labeled.Verify(s, public, LabelPseudonymousCredential, tbs, l.PseudonymousCredentialSignature)
}

package mimi

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// KeyMaterialRequest asks for a KeyPackage of each client of a user
// (draft-ietf-mimi-protocol-06, Fetch Key Material):
//
//	struct {
//	    Protocol protocol;
//	    IdentifierUri requestingUser;
//	    IdentifierUri targetUser;
//	    IdentifierUri roomId;
//	    select (protocol) {
//	        case mls10:
//	            CipherSuite acceptableCiphersuites<V>;
//	            RequiredCapabilities requiredCapabilities;
//	            SignaturePublicKey requesterSignatureKey;
//	            Credential requesterCredential;
//	            // SignWithLabel(., "KeyMaterialRequestTBS", KeyMaterialRequestTBS)
//	            opaque key_material_request_signature<V>;
//	    };
//	} KeyMaterialRequest;
type KeyMaterialRequest struct {
	RequestingUser         IdentifierURI
	TargetUser             IdentifierURI
	RoomID                 IdentifierURI // empty outside of a room
	AcceptableCiphersuites []suite.ID    // at least one
	RequiredCapabilities   message.RequiredCapabilities
	RequesterSignatureKey  []byte
	RequesterCredential    message.Credential
	Signature              []byte // key_material_request_signature
}

// ParseKeyMaterialRequest reads the body of a request to keyMaterial. For a
// protocol other than MLS 1.0 the error wraps a [*ProtocolError].
func ParseKeyMaterialRequest(b []byte) (*KeyMaterialRequest, error) {
	m := new(KeyMaterialRequest)
	if err := parse(b, "KeyMaterialRequest", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *KeyMaterialRequest) UnmarshalTLS(r *wire.Reader) {
	protocol(r)
	m.RequestingUser.UnmarshalTLS(r)
	m.TargetUser.UnmarshalTLS(r)
	m.RoomID.UnmarshalTLS(r)
	m.AcceptableCiphersuites = wire.Codes[suite.ID](r)
	m.RequiredCapabilities.UnmarshalTLS(r)
	m.RequesterSignatureKey = r.Opaque()
	m.RequesterCredential.UnmarshalTLS(r)
	m.Signature = r.Opaque()
}

func (m *KeyMaterialRequest) MarshalTLS(w *wire.Writer) {
	m.marshalUnsigned(w)
	w.Opaque(m.Signature)
}

// marshalUnsigned writes KeyMaterialRequestTBS: the request without its signature.
func (m *KeyMaterialRequest) marshalUnsigned(w *wire.Writer) {
	putProtocol(w)
	m.RequestingUser.MarshalTLS(w)
	m.TargetUser.MarshalTLS(w)
	m.RoomID.MarshalTLS(w)
	wire.PutCodes(w, m.AcceptableCiphersuites)
	m.RequiredCapabilities.MarshalTLS(w)
	w.Opaque(m.RequesterSignatureKey)
	m.RequesterCredential.MarshalTLS(w)
}

// KeyMaterialUserCode says what became of a KeyMaterialRequest
// (draft-ietf-mimi-protocol-06, Fetch Key Material).
type KeyMaterialUserCode uint8

const (
	UserSuccess              KeyMaterialUserCode = 0
	UserPartialSuccess       KeyMaterialUserCode = 1
	UserIncompatibleProtocol KeyMaterialUserCode = 2
	UserNoCompatibleMaterial KeyMaterialUserCode = 3
	UserUnknown              KeyMaterialUserCode = 4
	UserNoConsent            KeyMaterialUserCode = 5
	UserNoConsentForThisRoom KeyMaterialUserCode = 6
	UserDeleted              KeyMaterialUserCode = 7
)

var userCodeNames = map[KeyMaterialUserCode]string{
	UserSuccess:              "success",
	UserPartialSuccess:       "partialSuccess",
	UserIncompatibleProtocol: "incompatibleProtocol",
	UserNoCompatibleMaterial: "noCompatibleMaterial",
	UserUnknown:              "userUnknown",
	UserNoConsent:            "noConsent",
	UserNoConsentForThisRoom: "noConsentForThisRoom",
	UserDeleted:              "userDeleted",
}

// String returns the draft's name, or the number.
func (c KeyMaterialUserCode) String() string { return name(userCodeNames, c) }

// KeyMaterialClientCode says what became of it for one client.
type KeyMaterialClientCode uint8

const (
	ClientSuccess              KeyMaterialClientCode = 0
	ClientKeyMaterialExhausted KeyMaterialClientCode = 1
	ClientNothingCompatible    KeyMaterialClientCode = 2
)

var clientCodeNames = map[KeyMaterialClientCode]string{
	ClientSuccess:              "success",
	ClientKeyMaterialExhausted: "keyMaterialExhausted",
	ClientNothingCompatible:    "nothingCompatible",
}

// String returns the draft's name, or the number.
func (c KeyMaterialClientCode) String() string { return name(clientCodeNames, c) }

// ClientKeyMaterial is what there is for one client:
//
//	struct {
//	    KeyMaterialClientCode clientStatus;
//	    IdentifierUri clientUri;
//	    select (protocol) {
//	        case mls10:
//	            select (clientStatus) {
//	                case success:           KeyPackage keyPackage;
//	                case nothingCompatible: optional<Capabilities> clientCapabilities;
//	            };
//	    };
//	} ClientKeyMaterial;
type ClientKeyMaterial struct {
	ClientStatus       KeyMaterialClientCode
	ClientURI          IdentifierURI
	KeyPackage         *message.KeyPackage   // of ClientSuccess
	ClientCapabilities *message.Capabilities // of ClientNothingCompatible, or nil
}

func (c *ClientKeyMaterial) UnmarshalTLS(r *wire.Reader) {
	c.ClientStatus = code(r, "KeyMaterialClientCode", clientCodeNames)
	c.ClientURI.UnmarshalTLS(r)
	switch c.ClientStatus {
	case ClientSuccess:
		c.KeyPackage = new(message.KeyPackage)
		c.KeyPackage.UnmarshalTLS(r)
	case ClientNothingCompatible:
		r.Optional(func() {
			c.ClientCapabilities = new(message.Capabilities)
			c.ClientCapabilities.UnmarshalTLS(r)
		})
	}
}

func (c *ClientKeyMaterial) MarshalTLS(w *wire.Writer) {
	putCode(w, "KeyMaterialClientCode", clientCodeNames, c.ClientStatus)
	c.ClientURI.MarshalTLS(w)
	switch c.ClientStatus {
	case ClientSuccess:
		if c.KeyPackage == nil {
			w.Fail(missing("keyPackage"))
			return
		}
		c.KeyPackage.MarshalTLS(w)
	case ClientNothingCompatible:
		w.Optional(c.ClientCapabilities != nil, func() { c.ClientCapabilities.MarshalTLS(w) })
	}
}

// KeyMaterialResponse answers a KeyMaterialRequest:
//
//	struct {
//	    Protocol protocol;
//	    KeyMaterialUserCode userStatus;
//	    IdentifierUri userUri;
//	    ClientKeyMaterial clients<V>;
//	} KeyMaterialResponse;
type KeyMaterialResponse struct {
	UserStatus KeyMaterialUserCode
	UserURI    IdentifierURI
	Clients    []ClientKeyMaterial
}

// ParseKeyMaterialResponse reads the body of a response of keyMaterial.
func ParseKeyMaterialResponse(b []byte) (*KeyMaterialResponse, error) {
	m := new(KeyMaterialResponse)
	if err := parse(b, "KeyMaterialResponse", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *KeyMaterialResponse) UnmarshalTLS(r *wire.Reader) {
	protocol(r)
	m.UserStatus = code(r, "KeyMaterialUserCode", userCodeNames)
	m.UserURI.UnmarshalTLS(r)
	m.Clients = wire.List[ClientKeyMaterial](r)
}

func (m *KeyMaterialResponse) MarshalTLS(w *wire.Writer) {
	putProtocol(w)
	putCode(w, "KeyMaterialUserCode", userCodeNames, m.UserStatus)
	m.UserURI.MarshalTLS(w)
	wire.PutList(w, m.Clients)
}

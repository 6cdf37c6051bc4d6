package mimi

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ConsentOperation says what a ConsentEntry does (draft-ietf-mimi-protocol-06,
// Convey explicit consent).
type ConsentOperation uint8

const (
	ConsentCancel  ConsentOperation = 0 // to requestConsent
	ConsentRequest ConsentOperation = 1 // to requestConsent
	ConsentGrant   ConsentOperation = 2 // to updateConsent
	ConsentRevoke  ConsentOperation = 3 // to updateConsent
)

var consentNames = map[ConsentOperation]string{
	ConsentCancel:  "cancel",
	ConsentRequest: "request",
	ConsentGrant:   "grant",
	ConsentRevoke:  "revoke",
}

// String returns the draft's name, or the number.
func (c ConsentOperation) String() string { return name(consentNames, c) }

// ConsentEntry asks for, grants or ends the consent of a target to be added to
// rooms by a requester (draft-ietf-mimi-protocol-06, Convey explicit consent):
//
//	struct {
//	    ConsentOperation consentOperation;
//	    IdentifierUri requesterUri;
//	    IdentifierUri targetUri;
//	    optional<RoomId> roomId;
//	    select (consentOperation) {
//	        case grant: KeyPackage clientKeyPackages<V>;
//	    };
//	    AppDataDictionary consent_extensions;
//	} ConsentEntry;
type ConsentEntry struct {
	ConsentOperation  ConsentOperation
	RequesterURI      IdentifierURI
	TargetURI         IdentifierURI
	RoomID            *IdentifierURI       // nil for every room
	ClientKeyPackages []message.KeyPackage // of ConsentGrant
	ConsentExtensions message.AppDataDictionary
}

// ParseConsentEntry reads the body of a request to requestConsent or updateConsent.
func ParseConsentEntry(b []byte) (*ConsentEntry, error) {
	m := new(ConsentEntry)
	if err := parse(b, "ConsentEntry", m.UnmarshalTLS); err != nil {
		return nil, err
	}
	return m, nil
}

// Scope returns what the entry is about.
func (m *ConsentEntry) Scope() ConsentScope {
	return ConsentScope{m.RequesterURI, m.TargetURI, m.RoomID}
}

func (m *ConsentEntry) UnmarshalTLS(r *wire.Reader) {
	m.ConsentOperation = code(r, "ConsentOperation", consentNames)
	m.RequesterURI.UnmarshalTLS(r)
	m.TargetURI.UnmarshalTLS(r)
	m.RoomID = optionalURI(r)
	if m.ConsentOperation == ConsentGrant {
		m.ClientKeyPackages = wire.List[message.KeyPackage](r)
	}
	m.ConsentExtensions.UnmarshalTLS(r)
}

func (m *ConsentEntry) MarshalTLS(w *wire.Writer) {
	putCode(w, "ConsentOperation", consentNames, m.ConsentOperation)
	m.RequesterURI.MarshalTLS(w)
	m.TargetURI.MarshalTLS(w)
	putOptionalURI(w, m.RoomID)
	if m.ConsentOperation == ConsentGrant {
		wire.PutList(w, m.ClientKeyPackages)
	}
	m.ConsentExtensions.MarshalTLS(w)
}

// ConsentScope is what consent is for, by which requests and cancellations belong
// together:
//
//	struct {
//	    IdentifierUri requesterUri;
//	    IdentifierUri targetUri;
//	    optional<RoomId> roomId;
//	} ConsentScope;
type ConsentScope struct {
	RequesterURI IdentifierURI
	TargetURI    IdentifierURI
	RoomID       *IdentifierURI // nil for every room
}

func (s *ConsentScope) UnmarshalTLS(r *wire.Reader) {
	s.RequesterURI.UnmarshalTLS(r)
	s.TargetURI.UnmarshalTLS(r)
	s.RoomID = optionalURI(r)
}

func (s *ConsentScope) MarshalTLS(w *wire.Writer) {
	s.RequesterURI.MarshalTLS(w)
	s.TargetURI.MarshalTLS(w)
	putOptionalURI(w, s.RoomID)
}

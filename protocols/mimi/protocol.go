package mimi

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Protocol is the end-to-end protocol that a body speaks of
// (draft-ietf-mimi-protocol-06, MIMI Endpoints and Framing):
//
//	enum {
//	    reserved(0),
//	    mls10(1),
//	    (255)
//	} Protocol;
type Protocol uint8

// MLS10 is the only protocol there is.
const MLS10 Protocol = 1

var protocolNames = map[Protocol]string{MLS10: "mls10"}

// String returns the draft's name, or the number.
func (p Protocol) String() string { return name(protocolNames, p) }

// ProtocolError says that a body is of another protocol than MLS 1.0, so that what
// follows has no layout. A provider that is asked for key material answers it with
// [UserIncompatibleProtocol].
type ProtocolError struct{ Protocol Protocol }

// Error implements error.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("protocol %d, want %d (mls10)", uint8(e.Protocol), MLS10)
}

// protocol reads a Protocol, of which there is one.
func protocol(r *wire.Reader) {
	if p := Protocol(r.Uint8()); r.Err() == nil && p != MLS10 {
		r.Fail(&ProtocolError{p})
	}
}

// putProtocol writes it.
func putProtocol(w *wire.Writer) { w.Uint8(uint8(MLS10)) }

// IdentifierURI names a user, a client or a room (draft-ietf-mimi-protocol-06,
// Fetch Key Material), byte for byte as it was sent, for signatures are over it:
//
//	struct { opaque uri<V>; } IdentifierUri;
//
// An empty one says that there is none, where the draft lets one be left out
// (deviation 12). One that was read is at most [ident.MaxURI] bytes and need not be
// a MIMI URI; [IdentifierURI.Ident] says whether it is.
type IdentifierURI string

// URI returns the canonical form of u as it goes over the wire.
func URI(u ident.URI) IdentifierURI { return IdentifierURI(u.String()) }

// Ident parses the URI.
func (u IdentifierURI) Ident() (ident.URI, error) { return ident.ParseURI(string(u)) }

// Is reports whether u is a MIMI URI of a kind, and returns it.
func (u IdentifierURI) Is(kind ident.Kind) (ident.URI, bool) {
	v, err := u.Ident()
	return v, err == nil && v.Kind() == kind
}

// Equal reports whether two URIs are the same: byte for byte, or in canonical form.
// An empty one equals none.
func (u IdentifierURI) Equal(v IdentifierURI) bool {
	if u == v {
		return u != ""
	}
	a, err := u.Ident()
	if err != nil {
		return false
	}
	b, err := v.Ident()
	return err == nil && a == b
}

func (u *IdentifierURI) UnmarshalTLS(r *wire.Reader) {
	b := r.Opaque()
	if len(b) > ident.MaxURI {
		r.Fail(fmt.Errorf("uri of %d bytes, want at most %d", len(b), ident.MaxURI))
		return
	}
	*u = IdentifierURI(b)
}

func (u IdentifierURI) MarshalTLS(w *wire.Writer) {
	if len(u) > ident.MaxURI {
		w.Fail(fmt.Errorf("uri of %d bytes, want at most %d", len(u), ident.MaxURI))
	}
	w.OpaqueString(string(u))
}

// optionalURI reads an optional<RoomId>.
func optionalURI(r *wire.Reader) (u *IdentifierURI) {
	r.Optional(func() {
		u = new(IdentifierURI)
		u.UnmarshalTLS(r)
	})
	return u
}

func putOptionalURI(w *wire.Writer, u *IdentifierURI) {
	w.Optional(u != nil, func() { u.MarshalTLS(w) })
}

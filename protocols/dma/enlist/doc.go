// Package enlist is the request by which a partner's user gets an account at a
// gatekeeper, and its answer, as bytes: the technical specification in WhatsApp's
// Reference Offer 1.0.3 of 26 September 2025 (enlistment). It is sans-IO.
//
//	POST /3p/interop_reg, application/x-www-form-urlencoded
//
//	authkey     32 bytes   the static key of the chat channel (package noise)
//	e_keytype    1 byte    05
//	e_regid      4 bytes   registration ID, big-endian
//	e_ident     32 bytes   identity key
//	e_skey_id    3 bytes   signed prekey: ID, big-endian
//	e_skey_val  32 bytes   ... its key
//	e_skey_sig  64 bytes   ... and its signature
//	token       up to 4 KB the partner's proof of who the user is, a JWT
//
//	200 {"login":"1-10853634039893@interop","status":"ok"}
//	200 {"reason":"bad_integrator","status":"fail"}
//
// Binary fields are in base64url (RFC 4648, Section 5) without padding. The gatekeeper checks that the
// identifier is the token's and the version of the interoperability protocol, which says
// that the form has both; under which names is not public, so that they are parameters:
// see [Names].
//
// A client starts with [Names.Encode] and reads the answer with [ParseAnswer]; a server
// starts with [Names.Parse]. Whether the token is good is for package token.
package enlist

import "fmt"

// Path is where the form is posted to, and ContentType what it is.
const (
	Path        = "/3p/interop_reg"
	ContentType = "application/x-www-form-urlencoded"
)

// MaxToken is the longest token in bytes (Reference Offer).
const MaxToken = 4 << 10

// Bounds of this implementation.
const (
	MaxForm       = 16 << 10 // bytes of a form
	MaxAnswer     = 4 << 10  // bytes of an answer
	MaxIdentifier = 256      // bytes of an identifier
	maxFields     = 64       // of a form, with those that nobody knows
)

// Error says which field of a form is wrong, and how.
type Error struct {
	Field  string // "" for the form as a whole
	Detail string // what came and what was expected
	Reason Reason // what the gatekeeper answers
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field == "" {
		return "enlist: form: " + e.Detail
	}
	return "enlist: field " + e.Field + ": " + e.Detail
}

func wrong(reason Reason, field, format string, args ...any) *Error {
	return &Error{field, fmt.Sprintf(format, args...), reason}
}

// Package noise secures the chat channel between a device and a gatekeeper with the
// Noise Protocol Framework, revision 34 (https://noiseprotocol.org/noise.html), in the
// pattern Noise_XX_25519_AESGCM_SHA256. It is sans-IO: bytes come in and go out.
//
// That the channel is a modified Noise, with a handshake at each connect whose last
// message carries the client's token, is in the technical specification of WhatsApp's
// Reference Offer 1.0.3. Frames, prologue and the client's payload are as public client
// sources have them (https://github.com/tulir/whatsmeow, read). The rest is assumed: see
// [Dialect], [Certificate] and [ClientPayload].
//
//	client                                   server
//	prologue, frame(e) ──────────────────▶   Server.Prologue, Server.Hello
//	     ◀───────── frame(e, ee, s, es, certificate)
//	frame(s, se, payload) ───────────────▶   Server.Finish
//	frame(stanza) ◀──────────────────────▶   Channel.Open, Channel.Seal
//
//	frame = length (3 bytes, big-endian) body
//
// Both sides get a [Channel]. A client starts with [NewClient], a server with
// [NewServer]; the package example shows a whole connection. [Connect] and [Accept] carry
// the handshake over a stream.
//
// Keys and randomness come from a suite.Suite of X25519; AES-256-GCM and SHA-256 are
// those of github.com/flynn/noise, as no suite has both with X25519.
//
// Nothing of a recorded handshake is of use again: the server's ephemeral key is a new
// one each time, so that a replayed last message does not open. The first message is
// anybody's and costs the server one key pair and two DHs.
//
// The package does not check the token, which is for package token and the shell, and
// does not read stanzas.
package noise

import (
	"errors"
	"fmt"
)

// The kinds of failure, which an [Error] wraps.
var (
	// ErrPrologue: the peer speaks another protocol or another version of it.
	ErrPrologue = errors.New("other prologue")
	// ErrFrame: the length of a frame is 0 or beyond the bound.
	ErrFrame = errors.New("frame length")
	// ErrMessage: a handshake message is no such message.
	ErrMessage = errors.New("malformed handshake message")
	// ErrHandshake: a handshake message does not open: it was changed, replayed, or is
	// for somebody else.
	ErrHandshake = errors.New("handshake message does not open")
	// ErrServer: the server is not the one that the client wants.
	ErrServer = errors.New("other server")
	// ErrPayload: the client's payload is none.
	ErrPayload = errors.New("malformed client payload")
	// ErrOpen: a message on the channel was changed, repeated, reordered or left out.
	ErrOpen = errors.New("message does not open")
	// ErrExhausted: the channel's keys have served their number of messages; a new
	// handshake makes others.
	ErrExhausted = errors.New("keys are exhausted")
	// ErrState: the step is not due, or an earlier one failed. It is the caller's fault.
	ErrState = errors.New("not due")
)

// Error says what went wrong where.
type Error struct {
	Kind   error  // one of the kinds above
	Where  string // the step: "server hello"
	Detail string // what came and what was expected; may be empty
	Err    error  // what lies beneath, or nil
}

// Error implements error.
func (e *Error) Error() string {
	s := "noise: " + e.Where + ": " + e.Kind.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the kind and what lies beneath.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

func fail(kind error, where, format string, args ...any) *Error {
	return &Error{Kind: kind, Where: where, Detail: fmt.Sprintf(format, args...)}
}

func failed(kind error, where string, err error) *Error {
	return &Error{Kind: kind, Where: where, Err: err}
}

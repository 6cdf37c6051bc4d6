// Package channel is the connection of a MIMI provider's own clients: one for each
// client, on which both sides send stanzas (package stanza; schema.md, Rooms of MIMI).
// draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/) leaves this connection to
// each provider.
//
//	frame = length (3 bytes, big-endian) stanza (binary form, not compressed)
//
// It is over TLS, or over the channel of gatekeepers, Noise (package dma/noise), where
// each frame is sealed by itself.
//
//	client                                server
//	<iq> <login client>token ───────▶     Authenticator, Config.Open
//	     ◀─────────────── result or error
//	     ◀──── <message>, <notification>  what is not acknowledged
//	     ◀─────────── <ib> <offline>      that was all of it
//	     ◀──── <message>, <notification>  what comes
//	<ack room seq> ─────────────────▶     Session.Ack
//	<iq>, <message> ────────────────▶     Session.Call..., several at once
//	     ◀─────────── <iq>, <ack>         in the order in which they are ready
//	<iq xmlns="w:p"> ───────────────▶     keepalive
//	     ◀─────────── <ib> <error>        the connection ends, and why
//
// A [Server] has the authenticated client of a connection put into all that the client
// asks. What waits to be sent to a client is bounded: a client that does not read, is
// silent, or sends slowly is disconnected. Nothing is lost by that, as what it has not
// acknowledged comes again on the next connection. A new connection of a client ends the
// one before.
//
// [Dial] is the client's side. It does not connect again by itself.
//
// The package stores nothing and decides nothing about rooms: that is the [Session]'s.
package channel

import "errors"

// Protocol is the connection's name in TLS (RFC 7301).
const Protocol = "mimi-stanza"

// ErrEnded says that a connection has ended. What was asked on it and not answered may
// have been done or not.
var ErrEnded = errors.New("channel: the connection has ended")

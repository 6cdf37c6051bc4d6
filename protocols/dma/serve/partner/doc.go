// Package partner runs a partner's server, the machine dma.Partner, on sockets and disks:
// what the technical specification in WhatsApp's Reference Offer 1.0.3 of 26 September 2025
// has a gatekeeper ask of it, over HTTP/1.1 and HTTP/2 with TLS 1.3.
//
//	gatekeeper ── GET  /.well-known/oauth/openid/jwks ──▶ ┐
//	gatekeeper ── POST /push, bearer token ─────────────▶ ├ partner ─▶ machine ─▶ journal ─ store
//	gatekeeper ── GET  /media/{storage_ref} ────────────▶ │
//	own device ── POST /lab/token, user and credential ─▶ │
//	own device ── GET  /lab/wait, the same ─────────────▶ ┘
//
// The keys are those of the tokens by which its users prove to the gatekeeper who they are
// (package token). A push says that something waits for a user; its token is verified with
// the keys that the gatekeeper publishes, and the answer is an empty 200.
//
// How a partner knows its users is its own affair, so that the rest is assumed: a user has
// a credential, which the user's device shows to get a token, by HTTP's Basic
// authentication (RFC 7617), and joins at [JoinPath] with an invitation of the operator.
//
// A server starts with [New] and serves with [Server.Serve]. Keys change by themselves,
// see [Config].RotateEvery. A device is a [Client] of it: who waits at [WaitPath] is woken
// by a push. It does not host media: Config.Media does.
package partner

// Package check looks whether a partner's implementation passes the milestones by which
// WhatsApp takes partners on, as far as the technical specification in its Reference Offer
// 1.0.3 of 26 September 2025, public clients and what this project assumes say what they
// are: identities by tokens (RFC 7519); Noise and the chat protocol; messaging; media, features and blocking;
// deletion; reachability. It also looks whether a partner's proxy keeps its four rules.
//
//	partner's server ◀── keys, pushes ────── checker: a gatekeeper, two of its users
//	partner's device ── form, chat channel ─▶
//
// It plays the gatekeeper: see [Partner]. The partner's device is somebody else's, so that
// its user is asked to do what is to be seen, step by step: [Config].Ask. What then does not
// come is not seen, which is no pass; what the implementation has to do by itself and does
// not is a failure.
//
// For a proxy it plays the gatekeeper and the devices, and needs nobody: see [Proxy].
//
// It sees what crosses its interface and nothing else: what the app shows, or does with what
// it could read, it can't tell.
package check

// Package serve runs the machines of package dma on sockets and disks: a [Gatekeeper],
// the stand-in for a gatekeeper's servers, and a [Device]. What they speak is public in
// the technical specification of WhatsApp's Reference Offer 1.0.3, which builds on Noise
// (https://noiseprotocol.org/noise.html) and JSON Web Tokens (RFC 7519); what is assumed is
// said where it is (packages dma, noise, enlist and token).
//
//	device ── POST /3p/interop_reg, TLS 1.3 ──▶ enlistment ─┐
//	                                                        ├▶ machine ─▶ journal ─ store
//	device ── Noise over TCP ──▶ chat channel ──────────────┘                │
//	   ▲                                                                     │
//	   └────────── acknowledgements, messages: once they are durable ◀───────┘
//
// A step of a machine returns records and what is to be sent. The journal writes the
// records of all steps in order, those that wait together in one transaction, and lets
// nothing leave before. If the store fails, the server stops.
//
// A gatekeeper starts with [New] and serves with [Gatekeeper.ServeHTTPS] and
// [Gatekeeper.ServeChat]. A device starts with [Enlist] once, then [NewDevice],
// [Device.Run] and [Device.Do].
//
// A partner is told by a push that a message waits for a user who is not connected.
//
// Media are encrypted by devices (package media). What native users send is hosted by the
// gatekeeper ([Media], on a blob.Store), what partners' users send by their partner
// ([PartnerMedia] is a stand-in), from which the gatekeeper passes it on to its users
// ([MediaSource]). [Device.SendMedia] and [Device.SaveMedia] are the other ends.
//
// Who takes more than a share, by address, partner or client, is refused or read later:
// [Limits] and [Rates]. The operator has [Gatekeeper.Admin]. The log says why something
// was refused in few phrases, and names no user as others know them.
package serve

import "errors"

// ErrStopped: the gatekeeper or device does not work any more. What was asked may have
// been done or not.
var ErrStopped = errors.New("serve: stopped")

// What the records of a store begin with, by whose they are.
const (
	machinePrefix = "dma/"
	inboxPrefix   = "inbox/"
	accountKey    = "serve/account"
)

// Package dma is the interoperability interface that a gatekeeper offers under
// Article 7 of the Digital Markets Act, as state machines: [Gatekeeper],
// [Proxy], [Partner] (the partner's server) and [Device] (a client of either
// side).
//
// Source: what is public of WhatsApp's and Messenger's interface, that is the
// technical specification in WhatsApp's Reference Offer 1.0.3 of 26 September
// 2025 and Meta's engineering post of 6 March 2024. The partner documentation is
// under NDA. Where this package goes beyond the public texts, the comment says
// "assumed".
//
//	partner device ──chat channel──▶ gatekeeper ◀──chat channel── native device
//	      │  ▲                          │
//	      │  └────────── push ──────────┤ POST {base}/push
//	      └─▶ (proxy) ─────────────────▶│
//	                               partner server
//
// All machines are sans-IO: Step(now, input) returns what to persist, to send
// and to report, and changes nothing if it returns an error. They own no
// goroutine, clock, socket or file. Frames are stanzas in the binary encoding of
// protocols/stanza; end-to-end encryption is any adapter of package protocols.
//
// Groups are over sender keys: the gatekeeper says who is in one, and passes a message that
// was sealed once on to all of them (group.go says what of that is assumed).
//
// How to start: [NewGatekeeper], then feed it [Enlist] and [Connect]; see the
// package example.
//
// It does not do enlistment over HTTPS (package enlist), ownership proofs by JWT
// (package token), the Noise handshake (package noise), or the encryption of media
// (package media) and their transfer: a shell has authenticated whom it connects,
// and media are known by reference and size.
package dma

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// ConnID names one chat connection at one end of it. 0 is none.
type ConnID uint64

// Input is what a machine can be told. The set is sealed: the inputs are the
// types of this package with the method.
type Input interface{ input() }

// The inputs from connections and time, common to all machines.
type (
	// Connect: a chat connection stands and its handshake authenticated Account.
	// To a [Device] it says that its own connection stands.
	Connect struct {
		Conn    ConnID
		Account ident.Address
		// IP is the client's address. A proxy passes on the one it saw (Reference
		// Offer, proxy rule 3).
		IP netip.Addr
	}
	// Disconnect: the connection is gone, whoever closed it.
	Disconnect struct{ Conn ConnID }
	// Frame: one stanza in the binary encoding arrived.
	Frame struct {
		Conn ConnID
		Data []byte
	}
	// Wake: the time that an earlier Output.WakeAt asked for has come. A wake that
	// comes early or late does no harm.
	Wake struct{}
)

func (Connect) input()    {}
func (Disconnect) input() {}
func (Frame) input()      {}
func (Wake) input()       {}

// Output says what the shell has to do, in this order: write Persist, then make
// the Sends and Pushes, then note WakeAt. Its slices are valid until the next
// Step; the bytes in them belong to the caller.
type Output struct {
	// Persist are records to write durably BEFORE anything is sent. A crash
	// between the two must look like a crash before the Step or after it.
	Persist []protocols.Record
	// Sends go out in order, each on its connection.
	Sends []Send
	// Pushes are HTTP requests to partner servers; loss of one is harmless.
	Pushes []Push
	// Dials asks for connections to the gatekeeper, and Upstream are the frames for
	// those that stand (proxy only). Wakes are the users whose devices a partner's
	// server wakes by its own push channel.
	Dials    []Dial
	Upstream []Send
	Wakes    []string
	// Events is what the machine has to tell: to the user of a device, to the
	// operator of a server.
	Events []Event
	// Account answers [Register] and [Enlist]; ID answers [Compose] and [CreateGroup].
	Account ident.Address
	ID      string
	// WakeAt is when the machine wants to be woken; zero means not at all. It
	// replaces the one of the Step before.
	WakeAt time.Time
}

func (o *Output) reset() {
	*o = Output{
		Persist: o.Persist[:0], Sends: o.Sends[:0], Pushes: o.Pushes[:0], Events: o.Events[:0],
		Dials: o.Dials[:0], Upstream: o.Upstream[:0], Wakes: o.Wakes[:0],
	}
}

// Send is a frame for a connection, or its end.
type Send struct {
	Conn  ConnID
	Frame []byte // nil with Close: no frame
	Close bool   // close the connection after the frame
	Lossy bool   // a frame that is late is worse than none: leave it out if much waits
}

// Push is POST {base}/push at a partner server: a message waits for one of its
// users.
type Push struct {
	Integrator uint16
	To         string // user-visible identifier
}

// Event is something that happened, for users, operators, traces and checks.
type Event struct {
	Kind    EventKind
	ID      string        // message ID, or empty
	Peer    ident.Address // who it is from or about
	Account ident.Address // at a server: whose account; at a device: empty
	Group   ident.Address // the group that it is of, or empty
	Content *Content      // with MessageDelivered, else nil
	Sent    time.Time     // with MessageDelivered: when the gatekeeper accepted it
	Inbox   stanza.Inbox  // with MessageDelivered: where a native user sees a partner's user's message
	Reason  string        // with refusals and drops: why
	Size    int           // bytes of the stanza's frame, with MessageSealed and at a server
	Plain   int           // with MessageSealed: bytes of the padded plaintext
	Padding int           // with MessageSealed: how many of them are padding
	Sealed  int           // with MessageSealed: bytes of the end-to-end payload

	Media *stanza.MediaConn // with MediaAllowed: where, and the token; it is a secret
}

// EventKind says what an [Event] is about.
type EventKind uint8

// Events of a device.
const (
	_                EventKind = iota
	MessageSealed              // the message is encrypted and about to be sent
	MessageAccepted            // the gatekeeper acknowledged the message: it is durable there
	MessageRefused             // the gatekeeper or its policy refused the message
	MessageDelivered           // the user sees a message
	DeliveryReceipt            // the peer's device has the message
	ReadReceipt                // the peer read the message
	RetryAsked                 // the peer could not decrypt; the message is sealed anew
	Undecryptable              // a message could not be decrypted; a retry was asked for
	GivenUp                    // no more retries: the message is lost, and its user told so
	TypingStarted              // the peer is typing
	PingReceived               // a partner's user asks to be allowed to write
	ConsentGiven               // the native user allows this user or app
	ConsentRefused             // the native user declined or withdrew
	IdentityChanged            // the peer has another identity key than before
	AgreementRevoked           // the gatekeeper ended the partner's agreement
	GroupCreated               // the group that the user wished to make is there; ID is that of the wish
	GroupChanged               // a group has other members; Peer is who made it so, if that is known
	GroupLeft                  // the user is in a group no more
	GroupRefused               // a wish about a group, or for Peer in it, was refused; ID is that of the wish
	MediaAllowed               // the gatekeeper says where media are hosted
	MediaRefused               // it does not
)

// Events of a gatekeeper.
const (
	Routed     EventKind = 64 + iota // a message was accepted for a mailbox
	HandedOut                        // a message was sent to its recipient
	Settled                          // the recipient has it; it left the mailbox
	Dropped                          // it left the mailbox undelivered: expired, consent withdrawn, revoked
	KeysLow                          // an account runs out of one-time prekeys
	KeysGone                         // a bundle was handed out without a one-time prekey
	Unenlisted                       // an account is no more: its user wished so, or was away for too long
)

// GivenUpReason is the reason of a [Dropped] message that its recipient could not
// decrypt after all retries.
const GivenUpReason = "given up by the recipient"

var eventNames = map[EventKind]string{
	MessageSealed: "sealed", MessageAccepted: "accepted", MessageRefused: "refused", MessageDelivered: "delivered",
	DeliveryReceipt: "delivery receipt", ReadReceipt: "read receipt", RetryAsked: "retry asked",
	Undecryptable: "undecryptable", GivenUp: "given up", TypingStarted: "typing", PingReceived: "ping",
	ConsentGiven: "consent given", ConsentRefused: "consent refused", IdentityChanged: "identity changed",
	AgreementRevoked: "agreement revoked", GroupCreated: "group created", GroupChanged: "group changed",
	GroupLeft: "group left", GroupRefused: "group refused",
	MediaAllowed: "media allowed", MediaRefused: "media refused", Routed: "routed", HandedOut: "handed out", Settled: "settled",
	Dropped: "dropped", KeysLow: "keys low", KeysGone: "keys gone", Unenlisted: "un-enlisted",
}

// String returns the kind in words.
func (k EventKind) String() string {
	if s, ok := eventNames[k]; ok {
		return s
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

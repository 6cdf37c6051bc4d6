// Package v3 is the Signal Protocol in version 3: X3DH, Double Ratchet and
// Sender Keys, on go.mau.fi/libsignal. With the build tag nogpl it is empty but
// for this comment and leaves the GPL-3.0 library out of the binary: there is no
// [Adapter] then, and package adapters lists none.
//
// Specifications: X3DH revision 1 and Double Ratchet revision 1 at
// https://signal.org/docs/, safety numbers and sender keys as in
// signalapp/libsignal. Wire format, key material and XEdDSA: package signal.
//
// # What the library does and what not
//
// The library's are the key agreement, the chains and their derivations, the
// curve, and the state of a session. The verbs on top of a state are
// this package's, since the library's own session and group ciphers
//
//   - compute a MAC over what they would have written and with a fixed version
//     byte, not over the bytes received, so that they reject signalapp/libsignal
//     0.24.0 and later (which marks its version 3 messages 0x34) and accept
//     bytes that nobody authenticated;
//   - panic on some malformed messages and accept short keys and bad padding;
//   - change a session before its message's MAC is verified, lose updates when
//     called concurrently, let a counter underflow, and take prekey id 0 for
//     none;
//   - draw from the process's randomness and not from the client's suite.
//
// Here a message is parsed strictly first (package signal), a session is read
// from its record anew for each operation, and what the operation changed is
// written back as one batch when all of it succeeded. A session is worked on
// under its own lock. A panic of the library would be turned into an error at
// the edge; no input is known that causes one.
//
// The MAC of a SignalMessage is
//
//	HMAC-SHA256(mac_key, 0x05 ‖ sender's identity ‖ 0x05 ‖ receiver's identity ‖ received)[:8]
//
// where received is the message without its MAC, as it arrived.
//
// # Groups
//
// A group is sender keys plus a list of members. Change tells the list's change to
// all members in their pairwise sessions ([signal.GroupMessage]); SealGroup first
// sends the client's sender key to those that lack it, then the message to all.
// After a removal the next message's key is a fresh one. Each member needs a
// session with each other member before it first speaks; a [protocols.MissingSessionsError]
// says with whom, since only a server has the bundles. Who may change a group is
// not decided here: any member's change is applied.
//
// # Records
//
// State is a set of records, each written anew as a whole when it changes:
//
//	local                  registration id, identity, ids of prekeys
//	signed/ID              a signed prekey: the current one or the one before
//	one-time/ID            a one-time prekey, until it is used
//	session/PEER           the states of a session, the current one first
//	identity/PEER          the identity key last seen of a peer
//	group/GROUP            members, who holds our sender key, a pending change
//	group-key/GROUP        our sender key
//	sender/GROUP/PEER      a member's sender keys, at most 5
//
// Names are path-escaped (RFC 3986), ids are six hexadecimal digits. A deleted key
// is gone from the records; the memory that it was in is not overwritten.
//
// # Bounds
//
// A receiving chain is derived at most 2000 messages ahead and keeps at most 2000
// skipped keys; a session keeps 5 receiving chains and 40 earlier states. To tell
// that a message is forged takes at most 2000 steps of a chain and, if its ratchet
// key is new, one X25519 for each state. A message whose chain is no longer kept
// cannot be told from a forgery, even if it is a replay. A PreKeySignalMessage
// without one-time prekey can be replayed once its session has left these 40 states
// (X3DH, Section 4.2).
//
// # Randomness
//
// Every random byte comes from [protocols.Config]'s Suite, those of ratchet keys
// and signatures too, so a client under a seeded suite replays byte for byte.
// Nothing else goes through the suite: the library calls its algorithms itself,
// so that a counting suite counts none of them.
package v3

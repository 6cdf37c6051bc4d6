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
// # Bounds
//
// A receiving chain is derived at most 2000 messages ahead, keeps at most 2000
// skipped keys, a session keeps 5 receiving chains and 40 earlier states. A
// PreKeySignalMessage without one-time prekey can be replayed once its session
// has left these 40 states (X3DH, Section 4.2).
//
// # Randomness
//
// Every random byte comes from [protocols.Config]'s Suite, those of ratchet keys
// and signatures too, so a client under a seeded suite replays byte for byte.
// Nothing else goes through the suite: the library calls its algorithms itself,
// so that a counting suite counts none of them.
package v3

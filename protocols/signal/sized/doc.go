// Package sized is the twin of the Signal adapter (signal-v3) for large
// simulations: an adapter whose messages have the sizes of the real ones, byte
// for byte over a whole conversation, and whose sessions have the same state
// machine, at a thousandth of the cost.
//
// # What is modelled
//
// The layout of the messages, the key agreement (X3DH, revision 1,
// https://signal.org/docs/specifications/x3dh/), the ratchet with its counters,
// skipped messages and limits (Double Ratchet, revision 1,
// https://signal.org/docs/specifications/doubleratchet/), one-time and signed
// prekeys, archived sessions and changes of identity, groups under sender keys
// with their distribution and membership. Replayed and altered
// messages are refused with the errors of the real adapter. The payload carries
// the plaintext masked, so that a test which looks for plaintext on the wire
// finds none.
//
// # What is not
//
// There is no cryptography at all. Keys are 64-bit values, MACs are checksums,
// signatures are filler, and all of them can be computed from what is on the
// wire. [Adapter.Claims] sets Modelled, and every result made with this package
// is labelled so. It cannot talk to the real adapter.
//
// Start with [Adapter].
package sized

// Package signal is what every profile of the Signal Protocol shares: the bytes
// on the wire, the layout of published key material, XEdDSA signatures, safety
// numbers and content padding. It holds no session and links no Signal library; a
// profile does that (package v3 on go.mau.fi/libsignal).
//
// The messages follow the Double Ratchet and X3DH specifications of
// https://signal.org/docs/ and, for what those leave open, the protobufs of
// signalapp/libsignal (rust/protocol/src/proto/wire.proto). Every message is
//
//	version byte ‖ protobuf ‖ trailer
//
// where the version byte holds the message's version in its high half and the
// newest version that the sender speaks in its low half:
//
//	SignalMessage                 0x33 ‖ protobuf ‖ MAC[8]
//	  ratchet_key=1 (33 B)  counter=2  previous_counter=3  ciphertext=4
//	PreKeySignalMessage           0x33 ‖ protobuf
//	  pre_key_id=1 (absent without a one-time prekey)  base_key=2 (33 B)
//	  identity_key=3 (33 B)  message=4 (a whole SignalMessage)
//	  registration_id=5  signed_pre_key_id=6
//	SenderKeyMessage              0x33 ‖ protobuf ‖ XEdDSA signature[64]
//	SenderKeyDistributionMessage  0x33 ‖ protobuf
//	  both in two layouts, see [Layout]
//
// A public key on the wire is the byte 0x05 and 32 bytes of X25519. Every field
// is written, zeros too, in ascending order of its number, so a message's size
// follows from its integers and its ciphertext's length; the ciphertext of n
// bytes is n + 16 - n%16 bytes long (AES-256-CBC with PKCS #7 padding).
//
// # Parsing
//
// Parsers are strict: each field once, none unknown, integers of at most 32 bits
// in their shortest form, keys of exactly 33 bytes with type 0x05 and a
// canonical coordinate, ciphertexts of whole blocks. Fields may stand in any
// order, as protobuf allows. Strictness is not pedantry here: what surrounds the
// inner message of a PreKeySignalMessage is not under any MAC, so every other
// spelling of the same values would be a forgery that verifies. Parsing checks
// form only; nothing it returns is authenticated.
package signal

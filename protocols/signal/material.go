package signal

import "encoding/binary"

// StaticSize is the size of a [Static] in bytes.
const StaticSize = 4 + 32 + 3 + 32 + SignatureSize

// Static is the reusable part of a client's key material: what a user enlists
// with. All integers are big-endian, keys come without their type byte:
//
//	struct {
//	    uint32 registration_id;
//	    opaque identity_key[32];
//	    uint24 signed_pre_key_id;
//	    opaque signed_pre_key[32];
//	    opaque signature[64];  // XEdDSA by identity_key over 0x05 ‖ signed_pre_key
//	} Static;
//
// A one-time key's value is its 32-byte public key, again without type byte.
type Static struct {
	RegistrationID uint32
	IdentityKey    [32]byte
	SignedPreKeyID uint32 // at most MaxPreKeyID
	SignedPreKey   [32]byte
	Signature      [SignatureSize]byte
}

// ParseStatic reads key material. The signature is not verified.
func ParseStatic(b []byte) (Static, error) {
	const what = "key material"
	if len(b) != StaticSize {
		return Static{}, malformed(what, "%d bytes, expected %d", len(b), StaticSize)
	}
	s := Static{
		RegistrationID: binary.BigEndian.Uint32(b),
		IdentityKey:    [32]byte(b[4:]),
		SignedPreKeyID: uint32(b[36])<<16 | uint32(b[37])<<8 | uint32(b[38]),
		SignedPreKey:   [32]byte(b[39:]),
		Signature:      [SignatureSize]byte(b[71:]),
	}
	if s.SignedPreKeyID > MaxPreKeyID {
		return Static{}, malformed(what, "signed prekey id %d is reserved", s.SignedPreKeyID)
	}
	if !canonical(&s.IdentityKey) || !canonical(&s.SignedPreKey) {
		return Static{}, malformed(what, "a public key is beyond the field's prime")
	}
	return s, nil
}

// Append appends the key material to dst.
func (s *Static) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, s.RegistrationID)
	dst = append(dst, s.IdentityKey[:]...)
	dst = append(dst, byte(s.SignedPreKeyID>>16), byte(s.SignedPreKeyID>>8), byte(s.SignedPreKeyID))
	dst = append(dst, s.SignedPreKey[:]...)
	return append(dst, s.Signature[:]...)
}

// ParseOneTime reads the value of a one-time key.
func ParseOneTime(b []byte) (key [32]byte, err error) {
	const what = "one-time key"
	if len(b) != len(key) {
		return key, malformed(what, "%d bytes, expected %d", len(b), len(key))
	}
	key = [32]byte(b)
	if !canonical(&key) {
		return key, malformed(what, "public key beyond the field's prime")
	}
	return key, nil
}

// Signed returns the bytes that a signature over a public key covers: the key
// with its type byte.
func Signed(key *[32]byte) []byte {
	return append([]byte{keyTypeDJB}, key[:]...)
}

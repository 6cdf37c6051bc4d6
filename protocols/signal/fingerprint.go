package signal

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"
)

// Parameters of the numeric fingerprint, version 0, as all Signal clients use.
const (
	fingerprintVersion    = 0
	fingerprintIterations = 5200
	fingerprintGroups     = 6 // of five digits, per party
)

// SafetyNumber returns the 60 digits that two users compare: both users' numeric
// fingerprints, the smaller one first, so that both see the same. A fingerprint
// is SHA-512 iterated 5200 times over identity key and stable identifier,
// shortened to 30 digits (signalapp/libsignal, rust/protocol/src/fingerprint.rs).
// The keys come without type byte.
func SafetyNumber(localID []byte, localKey *[32]byte, remoteID []byte, remoteKey *[32]byte) string {
	local, remote := fingerprint(localID, localKey), fingerprint(remoteID, remoteKey)
	if remote < local {
		local, remote = remote, local
	}
	return local + remote
}

func fingerprint(id []byte, key *[32]byte) string {
	public := Signed(key)
	in := binary.BigEndian.AppendUint16(nil, fingerprintVersion)
	in = append(in, public...)
	in = append(in, id...)
	in = append(in, public...)
	hash := sha512.Sum512(in)
	in = append(in[:0], make([]byte, len(hash)+len(public))...)
	for range fingerprintIterations - 1 {
		copy(in, hash[:])
		copy(in[len(hash):], public)
		hash = sha512.Sum512(in)
	}
	digits := make([]byte, 0, 5*fingerprintGroups)
	for i := range fingerprintGroups {
		group := hash[5*i : 5*i+5]
		n := uint64(group[0])<<32 | uint64(binary.BigEndian.Uint32(group[1:]))
		digits = fmt.Appendf(digits, "%05d", n%100000)
	}
	return string(digits)
}

package signal

// Sizes and bytes of the protocol.
const (
	// VersionByte is the first byte of every message that a v3 client writes:
	// version 3, and it speaks nothing newer.
	VersionByte = 0x33
	// VersionByteOfV4 is what signalapp/libsignal 0.24.0 to 0.72.1, which also
	// speaks version 4, writes into its version 3 sessions.
	VersionByteOfV4 = 0x34
	// PublicKeySize is the size of a public key on the wire, with its type byte.
	PublicKeySize = 33
	// MACSize is the size of a SignalMessage's truncated HMAC-SHA256.
	MACSize = 8
	// SignatureSize is the size of an XEdDSA signature.
	SignatureSize = 64

	keyTypeDJB = 0x05
	blockSize  = 16 // AES
)

// MaxPreKeyID is the largest id of a prekey: 24 bits less the value that the
// Signal libraries reserve.
const MaxPreKeyID = 1<<24 - 2

// Message is a SignalMessage: one message of a Double Ratchet session.
type Message struct {
	Version         byte // [VersionByte] or [VersionByteOfV4]
	RatchetKey      [32]byte
	Counter         uint32 // number of the message in its sending chain, from 0
	PreviousCounter uint32 // last number in the sending chain before
	Ciphertext      []byte // whole AES blocks, at least one
	MAC             [MACSize]byte
}

// ParseMessage reads a SignalMessage. Its Ciphertext aliases b.
func ParseMessage(b []byte) (Message, error) {
	const what = "SignalMessage"
	if len(b) < 1+MACSize {
		return Message{}, malformed(what, "%d bytes", len(b))
	}
	m := Message{Version: b[0]}
	if !known(m.Version) {
		return Message{}, malformed(what, "version byte %#02x", m.Version)
	}
	mac := len(b) - MACSize
	f, err := parseFields(what, "-biib", b[1:mac])
	if err != nil {
		return Message{}, err
	}
	if err := f.require(1, 2, 3, 4); err != nil {
		return Message{}, err
	}
	if m.RatchetKey, err = f.key(1); err != nil {
		return Message{}, err
	}
	if m.Ciphertext, err = f.blocks(4); err != nil {
		return Message{}, err
	}
	m.Counter, m.PreviousCounter = f.num[2], f.num[3]
	m.MAC = [MACSize]byte(b[mac:])
	return m, nil
}

// Append appends the message with its MAC to dst.
func (m *Message) Append(dst []byte) []byte {
	return append(m.AppendAuthenticated(dst), m.MAC[:]...)
}

// AppendAuthenticated appends the part of the message that its MAC covers:
// version byte and protobuf.
func (m *Message) AppendAuthenticated(dst []byte) []byte {
	dst = append(dst, m.Version)
	dst = appendKey(dst, 1, &m.RatchetKey)
	dst = appendInt(dst, 2, m.Counter)
	dst = appendInt(dst, 3, m.PreviousCounter)
	return appendBytes(dst, 4, m.Ciphertext)
}

// Authenticated returns the part of a received SignalMessage that its MAC
// covers. It must have passed [ParseMessage]. Computing the MAC over these bytes
// and not over a re-encoding is what lets other encoders' messages verify.
func Authenticated(message []byte) []byte {
	return message[:len(message)-MACSize]
}

func known(version byte) bool {
	return version == VersionByte || version == VersionByteOfV4
}

// PreKeyMessage is a PreKeySignalMessage: a [Message] with what its receiver
// needs to complete X3DH (X3DH, Section 3.3). An initiator sends these until the
// first answer arrives.
//
// No MAC covers it. Tampering with the keys and the ids shows, since they change
// the secret that the inner message's MAC is made with; tampering with the
// registration id does not.
type PreKeyMessage struct {
	Version        byte // equals the inner message's
	RegistrationID uint32
	HasPreKey      bool   // false if the bundle held no one-time prekey
	PreKeyID       uint32 // 0 is an id as any other
	SignedPreKeyID uint32
	BaseKey        [32]byte // X3DH's EK_A
	IdentityKey    [32]byte // X3DH's IK_A
	Message        []byte   // a SignalMessage
}

// ParsePreKeyMessage reads a PreKeySignalMessage. Its Message aliases b and is
// itself checked by [ParseMessage].
func ParsePreKeyMessage(b []byte) (PreKeyMessage, error) {
	const what = "PreKeySignalMessage"
	if len(b) == 0 {
		return PreKeyMessage{}, malformed(what, "empty")
	}
	m := PreKeyMessage{Version: b[0]}
	if !known(m.Version) {
		return PreKeyMessage{}, malformed(what, "version byte %#02x", m.Version)
	}
	f, err := parseFields(what, "-ibbbii", b[1:])
	if err != nil {
		return PreKeyMessage{}, err
	}
	if err := f.require(2, 3, 4, 5, 6); err != nil {
		return PreKeyMessage{}, err
	}
	if m.BaseKey, err = f.key(2); err != nil {
		return PreKeyMessage{}, err
	}
	if m.IdentityKey, err = f.key(3); err != nil {
		return PreKeyMessage{}, err
	}
	m.Message = f.data[4]
	inner, err := ParseMessage(m.Message)
	if err != nil {
		return PreKeyMessage{}, err
	}
	if inner.Version != m.Version {
		return PreKeyMessage{}, malformed(what, "version byte %#02x around a message with %#02x", m.Version, inner.Version)
	}
	m.HasPreKey, m.PreKeyID = f.seen[1], f.num[1]
	m.RegistrationID, m.SignedPreKeyID = f.num[5], f.num[6]
	return m, nil
}

// Append appends the message to dst.
func (m *PreKeyMessage) Append(dst []byte) []byte {
	dst = append(dst, m.Version)
	if m.HasPreKey {
		dst = appendInt(dst, 1, m.PreKeyID)
	}
	dst = appendKey(dst, 2, &m.BaseKey)
	dst = appendKey(dst, 3, &m.IdentityKey)
	dst = appendBytes(dst, 4, m.Message)
	dst = appendInt(dst, 5, m.RegistrationID)
	return appendInt(dst, 6, m.SignedPreKeyID)
}

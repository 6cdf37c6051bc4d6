package sized

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Types of the <enc> element, and the version of Signal's payloads in it.
const (
	typePreKey    = "pkmsg" // PreKeySignalMessage
	typeMessage   = "msg"   // SignalMessage
	typeSenderKey = "skmsg" // SenderKeyMessage
	encVersion    = 2
)

const blockSize = 16 // of AES-CBC, which pads as PKCS #7

// message is a parsed SignalMessage. It aliases the bytes it was parsed from.
type message struct {
	ratchet uint64
	counter uint32
	body    []byte
	digest  uint64 // of what the MAC covers
	mac     uint64
}

// preKeyMessage is a parsed PreKeySignalMessage.
type preKeyMessage struct {
	base     uint64
	identity uint64
	header   header
	message  message
}

func varintSize(v uint32) int { return (bits.Len32(v|1) + 6) / 7 }

// paddedSize is the size of n bytes under AES-CBC with PKCS #7 padding.
func paddedSize(n int) int { return n - n%blockSize + blockSize }

const keyField = 2 + signal.PublicKeySize // with tag and length

// messageSize is the size of a SignalMessage around a ciphertext of body bytes.
func messageSize(counter, previous uint32, body int) int {
	return 1 + keyField + 1 + varintSize(counter) + 1 + varintSize(previous) +
		1 + varintSize(uint32(body)) + body + signal.MACSize
}

// preKeyMessageSize is the size of a PreKeySignalMessage around a SignalMessage
// of inner bytes, and where in it that message begins.
func preKeyMessageSize(h header, inner int) (size, at int) {
	at = 1 + 2*keyField + 1 + varintSize(uint32(inner))
	if h.hasOneTime {
		at += 1 + varintSize(h.oneTime)
	}
	return at + inner + 1 + varintSize(h.registration) + 1 + varintSize(h.signed), at
}

// appendMessage appends a SignalMessage with the given keys and counters. The
// last bytes that b has room for become the message's last: sized rightly, the
// codec then copies the body to where it already is.
func (st *state) appendMessage(b []byte, plaintext []byte, key messageKey) []byte {
	body := paddedSize(len(plaintext))
	end := len(b) + messageSize(st.counter, st.previous, body) - signal.MACSize
	m := signal.Message{
		Version:         signal.VersionByte,
		RatchetKey:      expand(st.ratchet),
		Counter:         st.counter,
		PreviousCounter: st.previous,
		Ciphertext:      b[end-body : end],
	}
	pad(m.Ciphertext, plaintext)
	mask(m.Ciphertext, m.Ciphertext, key.stream())
	start := len(b)
	b = m.AppendAuthenticated(b)
	return binary.LittleEndian.AppendUint64(b, key.mac(digest(b[start:])))
}

// pad writes plaintext to dst and fills it up.
func pad(dst, plaintext []byte) {
	n := copy(dst, plaintext)
	for i := n; i < len(dst); i++ {
		dst[i] = byte(len(dst) - n)
	}
}

// unpad removes what pad added.
func unpad(b []byte) ([]byte, error) {
	n := int(b[len(b)-1])
	if n == 0 || n > blockSize {
		return nil, malformed("padding")
	}
	for _, v := range b[len(b)-n:] {
		if int(v) != n {
			return nil, malformed("padding")
		}
	}
	return b[:len(b)-n], nil
}

func malformed(what string) error {
	return fmt.Errorf("%s: %w", what, protocols.ErrMalformed)
}

// parseMessage parses a SignalMessage.
func parseMessage(b []byte) (message, error) {
	m, err := signal.ParseMessage(b)
	if err != nil {
		return message{}, fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
	}
	return message{
		ratchet: fold(&m.RatchetKey),
		counter: m.Counter,
		body:    m.Ciphertext,
		digest:  digest(signal.Authenticated(b)),
		mac:     binary.LittleEndian.Uint64(m.MAC[:]),
	}, nil
}

// parsePreKeyMessage parses a PreKeySignalMessage.
func parsePreKeyMessage(b []byte) (preKeyMessage, error) {
	p, err := signal.ParsePreKeyMessage(b)
	if err != nil {
		return preKeyMessage{}, fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
	}
	inner, err := parseMessage(p.Message)
	return preKeyMessage{
		base:     fold(&p.BaseKey),
		identity: fold(&p.IdentityKey),
		header:   header{p.HasPreKey, p.PreKeyID, p.SignedPreKeyID, p.RegistrationID},
		message:  inner,
	}, err
}

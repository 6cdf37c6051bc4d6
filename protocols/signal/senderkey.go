package signal

import (
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// Layout is one of the two ways in which sender-key messages are written.
//
//	                  WhatsApp (the first one, 2014)     official, since 2021
//	SenderKeyMessage  id=1 iteration=2 ciphertext=3      distribution_uuid=1 chain_id=2
//	                                                     iteration=3 ciphertext=4
//	Distribution      id=1 iteration=2 chain_key=3       distribution_uuid=1 chain_id=2
//	                  signing_key=4                      iteration=3 chain_key=4 signing_key=5
//
// A distribution UUID names the sender's stream of keys, so that a sender may
// have several towards different sets of people.
type Layout uint8

const (
	// LayoutWhatsApp has no distribution UUID. It is the zero value.
	LayoutWhatsApp Layout = iota
	// LayoutOfficial is that of signalapp/libsignal.
	LayoutOfficial
)

// first is how far the layout's field numbers are shifted.
func (l Layout) first() int { return int(l) }

// SenderKeyMessage is a message to a group, under a sender key.
type SenderKeyMessage struct {
	DistributionID [16]byte // zero in LayoutWhatsApp
	ChainID        uint32   // the sender key's id, drawn at random
	Iteration      uint32   // number of the message in its chain, from 0
	Ciphertext     []byte   // whole AES blocks, at least one
	Signature      [SignatureSize]byte
}

// ParseSenderKeyMessage reads a SenderKeyMessage. Its Ciphertext aliases b. The
// signature covers all of b but its last [SignatureSize] bytes and is not
// verified.
func (l Layout) ParseSenderKeyMessage(b []byte) (SenderKeyMessage, error) {
	const what = "SenderKeyMessage"
	if len(b) < 1+SignatureSize {
		return SenderKeyMessage{}, malformed(what, "%d bytes", len(b))
	}
	if b[0] != VersionByte {
		return SenderKeyMessage{}, malformed(what, "version byte %#02x", b[0])
	}
	signature := len(b) - SignatureSize
	k := kind("-iib")
	if l == LayoutOfficial {
		k = "-biib"
	}
	f, err := parseFields(what, k, b[1:signature])
	if err != nil {
		return SenderKeyMessage{}, err
	}
	at := l.first()
	if err := f.require(1, at+1, at+2, at+3); err != nil {
		return SenderKeyMessage{}, err
	}
	m := SenderKeyMessage{
		ChainID:   f.num[at+1],
		Iteration: f.num[at+2],
		Signature: [SignatureSize]byte(b[signature:]),
	}
	if m.DistributionID, err = l.distributionID(&f); err != nil {
		return SenderKeyMessage{}, err
	}
	if m.Ciphertext, err = f.blocks(at + 3); err != nil {
		return SenderKeyMessage{}, err
	}
	return m, nil
}

// AppendSenderKeyMessage appends the message to dst, with its signature.
func (l Layout) AppendSenderKeyMessage(dst []byte, m *SenderKeyMessage) []byte {
	return append(l.AppendSigned(dst, m), m.Signature[:]...)
}

// AppendSigned appends the part of the message that its signature covers.
func (l Layout) AppendSigned(dst []byte, m *SenderKeyMessage) []byte {
	dst = append(dst, VersionByte)
	dst, at := l.appendDistributionID(dst, &m.DistributionID)
	dst = appendInt(dst, at+1, m.ChainID)
	dst = appendInt(dst, at+2, m.Iteration)
	return appendBytes(dst, at+3, m.Ciphertext)
}

// SenderKeyDistribution is a SenderKeyDistributionMessage: the sender key itself,
// to be sent to each member of a group in a pairwise session.
type SenderKeyDistribution struct {
	DistributionID [16]byte // zero in LayoutWhatsApp
	ChainID        uint32
	Iteration      uint32 // of the chain key
	ChainKey       [32]byte
	SigningKey     [32]byte // public
}

// Format hides the chain key from every verb of package fmt.
func (SenderKeyDistribution) Format(f fmt.State, _ rune) {
	io.WriteString(f, "signal.SenderKeyDistribution(hidden)")
}

// ParseDistribution reads a SenderKeyDistributionMessage.
func (l Layout) ParseDistribution(b []byte) (SenderKeyDistribution, error) {
	const what = "SenderKeyDistributionMessage"
	if len(b) == 0 {
		return SenderKeyDistribution{}, malformed(what, "empty")
	}
	if b[0] != VersionByte {
		return SenderKeyDistribution{}, malformed(what, "version byte %#02x", b[0])
	}
	k := kind("-iibb")
	if l == LayoutOfficial {
		k = "-biibb"
	}
	f, err := parseFields(what, k, b[1:])
	if err != nil {
		return SenderKeyDistribution{}, err
	}
	at := l.first()
	if err := f.require(1, at+1, at+2, at+3, at+4); err != nil {
		return SenderKeyDistribution{}, err
	}
	d := SenderKeyDistribution{ChainID: f.num[at+1], Iteration: f.num[at+2]}
	if d.DistributionID, err = l.distributionID(&f); err != nil {
		return SenderKeyDistribution{}, err
	}
	if len(f.data[at+3]) != len(d.ChainKey) {
		return SenderKeyDistribution{}, malformed(what, "chain key of %d bytes, expected %d", len(f.data[at+3]), len(d.ChainKey))
	}
	d.ChainKey = [32]byte(f.data[at+3])
	if d.SigningKey, err = f.key(at + 4); err != nil {
		return SenderKeyDistribution{}, err
	}
	return d, nil
}

// AppendDistribution appends the message to dst.
func (l Layout) AppendDistribution(dst []byte, d *SenderKeyDistribution) []byte {
	dst = append(dst, VersionByte)
	dst, at := l.appendDistributionID(dst, &d.DistributionID)
	dst = appendInt(dst, at+1, d.ChainID)
	dst = appendInt(dst, at+2, d.Iteration)
	dst = appendBytes(dst, at+3, d.ChainKey[:])
	return appendKey(dst, at+4, &d.SigningKey)
}

func (l Layout) distributionID(f *fields) (id [16]byte, err error) {
	if l == LayoutWhatsApp {
		return id, nil
	}
	if len(f.data[1]) != len(id) {
		return id, malformed(f.what, "distribution UUID of %d bytes, expected %d", len(f.data[1]), len(id))
	}
	return [16]byte(f.data[1]), nil
}

// appendDistributionID appends the UUID if the layout has one, and says by how
// much the numbers of the fields that follow are shifted.
func (l Layout) appendDistributionID(dst []byte, id *[16]byte) ([]byte, protowire.Number) {
	if l == LayoutWhatsApp {
		return dst, 0
	}
	return appendBytes(dst, 1, id[:]), 1
}

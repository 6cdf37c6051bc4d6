//go:build !nogpl

package v3

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/groups/ratchet"
	"golang.org/x/crypto/cryptobyte"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// maxSenderKeys is how many sender keys of one member are kept.
const maxSenderKeys = 5

// senderKey is one member's sending chain in a group.
type senderKey struct {
	distributionID [16]byte
	chainID        uint32
	chain          *ratchet.SenderChainKey
	signing        *ecc.ECKeyPair // private key nil if another's
	skipped        []skippedKey   // of another's chain, oldest first
}

// skippedKey is the seed of the keys of a message not yet received.
type skippedKey struct {
	iteration uint32
	seed      []byte
}

// newSenderKey makes the client's own key for a group. The chain id is drawn
// among those of five bytes as a varint and 31 bits, which is what
// signalapp/libsignal allows, so that no message's size is chance.
func newSenderKey(r *random) (*senderKey, error) {
	var seed [16 + 4 + 32]byte
	if err := r.read(seed[:]); err != nil {
		return nil, err
	}
	signing, err := r.keyPair()
	if err != nil {
		return nil, err
	}
	k := &senderKey{
		distributionID: [16]byte(seed[:16]),
		chainID:        binary.BigEndian.Uint32(seed[16:])&(1<<30-1) | 1<<30,
		chain:          ratchet.NewSenderChainKey(0, slices.Clone(seed[20:])),
		signing:        signing,
	}
	k.distributionID[6] = k.distributionID[6]&0x0f | 0x40 // UUID version 4
	k.distributionID[8] = k.distributionID[8]&0x3f | 0x80 // RFC 9562, Section 5.4
	return k, nil
}

// distribution is what another member needs to read from here on.
func (k *senderKey) distribution(l signal.Layout) []byte {
	d := signal.SenderKeyDistribution{
		ChainID:    k.chainID,
		Iteration:  k.chain.Iteration(),
		ChainKey:   [32]byte(k.chain.Seed()),
		SigningKey: public(k.signing),
	}
	if l == signal.LayoutOfficial {
		d.DistributionID = k.distributionID
	}
	return l.AppendDistribution(nil, &d)
}

// encrypt makes the next SenderKeyMessage and advances the chain.
func (k *senderKey) encrypt(r *random, l signal.Layout, plaintext []byte) ([]byte, error) {
	if k.chain.Iteration() == math.MaxUint32 {
		return nil, errExhausted
	}
	keys, err := k.chain.SenderMessageKey()
	if err != nil {
		return nil, err
	}
	m := signal.SenderKeyMessage{ChainID: k.chainID, Iteration: k.chain.Iteration()}
	if l == signal.LayoutOfficial {
		m.DistributionID = k.distributionID
	}
	if m.Ciphertext, err = encryptCBC(keys.CipherKey(), keys.Iv(), plaintext); err != nil {
		return nil, err
	}
	out := l.AppendSigned(make([]byte, 0, len(m.Ciphertext)+senderKeyOverhead), &m)
	signature, err := r.sign(k.signing, out)
	if err != nil {
		return nil, err
	}
	k.chain = k.chain.Next()
	return append(out, signature[:]...), nil
}

// senderKeyOverhead is the most that a SenderKeyMessage is longer than its
// ciphertext.
const senderKeyOverhead = 1 + 18 + 6 + 6 + 6 + signal.SignatureSize

// decrypt opens a SenderKeyMessage that was received as the given bytes. With an
// error, k is of no use any more.
func (k *senderKey) decrypt(m *signal.SenderKeyMessage, received []byte) ([]byte, error) {
	signed := received[:len(received)-signal.SignatureSize]
	signer := public(k.signing)
	if !signal.Verify(&signer, signed, &m.Signature) {
		return nil, fmt.Errorf("%w: signature of message %d", protocols.ErrAuthentication, m.Iteration)
	}
	keys, err := k.messageKey(m.Iteration)
	if err != nil {
		return nil, err
	}
	plaintext, err := decryptCBC(keys.CipherKey(), keys.Iv(), m.Ciphertext)
	if err != nil {
		return nil, fmt.Errorf("%w: message %d: %v", protocols.ErrMalformed, m.Iteration, err)
	}
	return plaintext, nil
}

// messageKey takes the key of one message and keeps those skipped on the way.
func (k *senderKey) messageKey(iteration uint32) (*ratchet.SenderMessageKey, error) {
	if iteration < k.chain.Iteration() {
		for i, s := range k.skipped {
			if s.iteration == iteration {
				k.skipped = slices.Delete(k.skipped, i, i+1)
				return ratchet.NewSenderMessageKey(iteration, s.seed)
			}
		}
		return nil, fmt.Errorf("%w: iteration %d", protocols.ErrReplayed, iteration)
	}
	if iteration-k.chain.Iteration() > maxAhead || iteration == math.MaxUint32 {
		return nil, fmt.Errorf("%w: iteration %d, expected at most %d", protocols.ErrTooFarAhead, iteration, uint64(k.chain.Iteration())+maxAhead)
	}
	for k.chain.Iteration() < iteration {
		skipped, err := k.chain.SenderMessageKey()
		if err != nil {
			return nil, err
		}
		k.skipped = append(k.skipped, skippedKey{skipped.Iteration(), skipped.Seed()})
		k.chain = k.chain.Next()
	}
	k.skipped = k.skipped[max(0, len(k.skipped)-maxSkipped):]
	keys, err := k.chain.SenderMessageKey()
	k.chain = k.chain.Next()
	return keys, err
}

// A record of sender keys lists them, the newest first. A client's own has one,
// with its private key.
//
//	struct {
//	    uint8 version;
//	    struct {
//	        opaque distribution_id[16]; uint32 chain_id;
//	        uint32 iteration; opaque chain_key[32];
//	        opaque signing_key[32]; optional<opaque> private_key[32];
//	        struct { uint32 iteration; opaque seed[32]; } skipped<0..2000>;
//	    } key[1..5];
//	}
func encodeSenderKeys(keys []*senderKey) []byte {
	n := 1
	for _, k := range keys {
		n += 16 + 4 + 4 + 32 + 32 + 33 + 2 + 36*len(k.skipped)
	}
	b := cryptobyte.NewFixedBuilder(make([]byte, 0, n))
	b.AddUint8(recordVersion)
	for _, k := range keys {
		b.AddBytes(k.distributionID[:])
		b.AddUint32(k.chainID)
		b.AddUint32(k.chain.Iteration())
		b.AddBytes(k.chain.Seed())
		signing := public(k.signing)
		b.AddBytes(signing[:])
		addBool(b, k.signing.PrivateKey() != nil)
		if k.signing.PrivateKey() != nil {
			priv := private(k.signing)
			b.AddBytes(priv[:])
		}
		b.AddUint16(uint16(len(k.skipped)))
		for _, s := range k.skipped {
			b.AddUint32(s.iteration)
			b.AddBytes(s.seed)
		}
	}
	return b.BytesOrPanic() // the builder was sized for all of it
}

func decodeSenderKeys(b []byte) ([]*senderKey, error) {
	if b == nil {
		return nil, nil
	}
	r := reader{String: b}
	r.ok(readVersion(&r.String))
	var keys []*senderKey
	for !r.failed && !r.Empty() {
		k := &senderKey{
			distributionID: [16]byte(r.bytes(16)),
			chainID:        r.uint32(),
		}
		iteration := r.uint32()
		k.chain = ratchet.NewSenderChainKey(iteration, r.bytes(32))
		signing := ecc.NewDjbECPublicKey([32]byte(r.bytes(32)))
		if r.bool() {
			k.signing = ecc.NewECKeyPair(signing, ecc.NewDjbECPrivateKey([32]byte(r.bytes(32))))
		} else {
			k.signing = ecc.NewECKeyPair(signing, nil)
		}
		k.skipped = make([]skippedKey, r.count(2, maxSkipped))
		for i := range k.skipped {
			k.skipped[i] = skippedKey{r.uint32(), r.bytes(32)}
		}
		keys = append(keys, k)
	}
	if r.failed || len(keys) == 0 || len(keys) > maxSenderKeys {
		return nil, fmt.Errorf("%w: sender keys", errRecord)
	}
	return keys, nil
}

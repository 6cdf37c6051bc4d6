package sized

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// maxSenderKeys is how many sender keys of one member are kept.
const maxSenderKeys = 5

// senderKey is one member's sending chain in a group. Of the client's own, chain
// and signing are the cores of the keys that it distributes; of another's, their
// folds.
type senderKey struct {
	distributionID [16]byte // zero in WhatsApp's layout
	chainID        uint32   // five bytes as a varint, as in signal-v3
	next           uint32   // iteration of the next message
	chain          uint64
	signing        uint64
	skipped        spans // of another's
}

func newSenderKey(c *client) *senderKey {
	k := &senderKey{
		chainID: uint32(c.fresh())&(1<<30-1) | 1<<30,
		chain:   c.fresh(),
		signing: c.fresh(),
	}
	if c.layout == signal.LayoutOfficial {
		binary.BigEndian.PutUint64(k.distributionID[:], c.fresh())
		binary.BigEndian.PutUint64(k.distributionID[8:], c.fresh())
	}
	return k
}

func (k *senderKey) names(distributionID [16]byte, chainID uint32) bool {
	return k.chainID == chainID && k.distributionID == distributionID
}

// distribution is what another member needs to read from here on.
func (k *senderKey) distribution(l signal.Layout) []byte {
	return l.AppendDistribution(nil, &signal.SenderKeyDistribution{
		DistributionID: k.distributionID,
		ChainID:        k.chainID,
		Iteration:      k.next,
		ChainKey:       expand(k.chain),
		SigningKey:     expand(k.signing),
	})
}

// senderKeyStream is the key under which a message is masked.
func senderKeyStream(chain uint64, iteration uint32) uint64 {
	return mix(mix2(chain, uint64(iteration)) + 1)
}

// senderKeySignature is the filler that stands for a message's signature.
func senderKeySignature(signing, digest uint64) [signal.SignatureSize]byte {
	return signature(mix(signing+1), digest)
}

// senderKeyMessageSize is the size of a SenderKeyMessage without its signature.
func senderKeyMessageSize(l signal.Layout, chainID, iteration uint32, body int) int {
	n := 1 + 1 + varintSize(chainID) + 1 + varintSize(iteration) + 1 + varintSize(uint32(body)) + body
	if l == signal.LayoutOfficial {
		n += 2 + 16
	}
	return n
}

// seal makes the next SenderKeyMessage under the client's own key.
func (k *senderKey) seal(l signal.Layout, plaintext []byte) []byte {
	body := paddedSize(len(plaintext))
	end := senderKeyMessageSize(l, k.chainID, k.next, body)
	b := make([]byte, end, end+signal.SignatureSize)
	m := signal.SenderKeyMessage{
		DistributionID: k.distributionID,
		ChainID:        k.chainID,
		Iteration:      k.next,
		Ciphertext:     b[end-body:], // where the codec puts it
	}
	pad(m.Ciphertext, plaintext)
	mask(m.Ciphertext, m.Ciphertext, senderKeyStream(public(k.chain), k.next))
	b = l.AppendSigned(b[:0], &m)
	s := senderKeySignature(public(k.signing), digest(b))
	k.next++
	return append(b, s[:]...)
}

// open opens a SenderKeyMessage under another's key, as received.
func (k *senderKey) open(m *signal.SenderKeyMessage, received []byte) ([]byte, error) {
	signed := received[:len(received)-signal.SignatureSize]
	if m.Signature != senderKeySignature(k.signing, digest(signed)) {
		return nil, fmt.Errorf("signature: %w", protocols.ErrAuthentication)
	}
	switch {
	case m.Iteration < k.next:
		if k.skipped.find(0, m.Iteration) < 0 {
			return nil, protocols.ErrReplayed
		}
	case m.Iteration-k.next > maxFuture || m.Iteration == math.MaxUint32:
		return nil, protocols.ErrTooFarAhead
	}
	b := make([]byte, len(m.Ciphertext))
	mask(b, m.Ciphertext, senderKeyStream(k.chain, m.Iteration))
	plaintext, err := unpad(b)
	if err != nil {
		return nil, err
	}
	k.next = k.skipped.pass(0, k.next, m.Iteration)
	return plaintext, nil
}

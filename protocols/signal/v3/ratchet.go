//go:build !nogpl

package v3

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/chain"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/message"
	"go.mau.fi/libsignal/keys/root"
	"go.mau.fi/libsignal/state/record"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// maxAhead is how many messages of a chain may be skipped at once.
const maxAhead = 2000

var errExhausted = errors.New("the sending chain has no counter left")

// encrypt is RatchetEncrypt (Double Ratchet, Section 3.4). It advances state.
func encrypt(state *record.State, plaintext []byte) ([]byte, error) {
	sending := state.SenderChainKey()
	if sending.Index() == math.MaxUint32 {
		return nil, errExhausted
	}
	keys := sending.MessageKeys()
	ciphertext, err := encryptCBC(keys.CipherKey(), keys.Iv(), plaintext)
	if err != nil {
		return nil, err
	}
	m := signal.Message{
		Version:         signal.VersionByte,
		RatchetKey:      state.SenderRatchetKey().PublicKey(),
		Counter:         sending.Index(),
		PreviousCounter: state.PreviousCounter(),
		Ciphertext:      ciphertext,
	}
	out := m.AppendAuthenticated(make([]byte, 0, len(ciphertext)+messageOverhead))
	mac := macOf(keys, state.LocalIdentityKey(), state.RemoteIdentityKey(), out)
	out = append(out, mac[:signal.MACSize]...)
	state.SetSenderChainKey(sending.NextKey())
	return out, nil
}

// messageOverhead is the most that a SignalMessage is longer than its ciphertext.
const messageOverhead = 1 + 2 + signal.PublicKeySize + 6 + 6 + 6 + signal.MACSize

// decrypt is RatchetDecrypt (Double Ratchet, Section 3.4) of a message that was
// received as the given bytes. It advances state, after verifying the MAC; with
// an error, state is of no use any more.
func decrypt(r *random, state *record.State, m *signal.Message, received []byte) ([]byte, error) {
	theirs := ecc.NewDjbECPublicKey(m.RatchetKey)
	if !state.HasReceiverChain(theirs) {
		return decryptInNewChain(r, state, theirs, m, received)
	}
	receiving := state.ReceiverChainKey(theirs)
	if m.Counter < receiving.Index() {
		return decryptSkipped(state, theirs, m, received)
	}
	last, err := ahead(receiving, m.Counter)
	if err != nil {
		return nil, err
	}
	plaintext, err := open(state, last.MessageKeys(), m, received)
	if err != nil {
		return nil, err
	}
	skip(state, theirs, receiving, last)
	return plaintext, nil
}

// decryptSkipped opens a message that others overtook (TrySkippedMessageKeys).
func decryptSkipped(state *record.State, theirs ecc.ECPublicKeyable, m *signal.Message, received []byte) ([]byte, error) {
	if !state.HasMessageKeys(theirs, m.Counter) {
		return nil, fmt.Errorf("%w: counter %d", protocols.ErrReplayed, m.Counter)
	}
	return open(state, state.RemoveMessageKeys(theirs, m.Counter), m, received)
}

// decryptInNewChain opens a message under a ratchet key seen first (DHRatchet).
// The step of the sending chain waits for the MAC to verify.
func decryptInNewChain(r *random, state *record.State, theirs ecc.ECPublicKeyable, m *signal.Message, received []byte) ([]byte, error) {
	receiving, err := state.RootKey().CreateChain(theirs, state.SenderRatchetKeyPair())
	if err != nil {
		return nil, err
	}
	first := receiving.ChainKey.Current()
	last, err := ahead(first, m.Counter)
	if err != nil {
		return nil, err
	}
	plaintext, err := open(state, last.MessageKeys(), m, received)
	if err != nil {
		return nil, err
	}
	ours, err := r.keyPair()
	if err != nil {
		return nil, err
	}
	sending, err := receiving.RootKey.CreateChain(theirs, ours)
	if err != nil {
		return nil, err
	}
	// The last counter of the sending chain that ends here; 0 also if nothing was
	// sent in it, as signalapp/libsignal has it.
	state.SetPreviousCounter(max(state.SenderChainKey().Index(), 1) - 1)
	state.SetRootKey(sending.RootKey.(*root.Key))
	state.AddReceiverChain(theirs, first)
	state.SetSenderChain(ours, sending.ChainKey)
	skip(state, theirs, first, last)
	return plaintext, nil
}

// ahead derives the chain key of a message at or after the chain's position.
func ahead(key *chain.Key, counter uint32) (*chain.Key, error) {
	if n := counter - key.Index(); n > maxAhead || counter == math.MaxUint32 {
		return nil, fmt.Errorf("%w: counter %d, expected at most %d", protocols.ErrTooFarAhead, counter, uint64(key.Index())+maxAhead)
	}
	for key.Index() < counter {
		key = key.NextKey()
	}
	return key, nil
}

// skip moves the receiving chain behind last and keeps the message keys from
// first up to it (SkipMessageKeys).
func skip(state *record.State, theirs ecc.ECPublicKeyable, first, last *chain.Key) {
	for key := first; key.Index() < last.Index(); key = key.NextKey() {
		state.SetMessageKeys(theirs, key.MessageKeys())
	}
	state.SetReceiverChainKey(theirs, last.NextKey())
}

// open verifies and decrypts a message with its keys. An initiator's session is
// acknowledged by it.
func open(state *record.State, keys *message.Keys, m *signal.Message, received []byte) ([]byte, error) {
	mac := macOf(keys, state.RemoteIdentityKey(), state.LocalIdentityKey(), signal.Authenticated(received))
	if !hmac.Equal(mac[:signal.MACSize], m.MAC[:]) {
		return nil, fmt.Errorf("%w: MAC of message %d", protocols.ErrAuthentication, m.Counter)
	}
	plaintext, err := decryptCBC(keys.CipherKey(), keys.Iv(), m.Ciphertext)
	if err != nil {
		return nil, fmt.Errorf("%w: message %d: %v", protocols.ErrMalformed, m.Counter, err)
	}
	state.ClearUnackPreKeyMessage()
	return plaintext, nil
}

// macOf computes a message's MAC, of which the first 8 bytes are sent.
func macOf(keys *message.Keys, sender, receiver *identity.Key, authenticated []byte) [sha256.Size]byte {
	mac := hmac.New(sha256.New, keys.MacKey())
	mac.Write(sender.Serialize())
	mac.Write(receiver.Serialize())
	mac.Write(authenticated)
	return [sha256.Size]byte(mac.Sum(nil))
}

package rooms

import (
	"encoding/binary"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// verified are the signatures that somebody in a large world has found to hold: of a
// message or a Welcome, all verify the same ones. They are verified once.
type verified map[[32]byte]struct{}

// maxVerified bounds what is remembered.
const maxVerified = 1 << 17

// memo is a suite that verifies a signature once.
type memo struct {
	suite.Suite
	known verified
}

// named is whom the credentials of a large world name.
type named map[string][2]ident.URI

// users is [mimi.Client] with a memory.
func (n named) users(c *message.Credential) (client, user ident.URI, err error) {
	if c.Type == message.CredentialBasic {
		if known, ok := n[string(c.Identity)]; ok {
			return known[0], known[1], nil
		}
	}
	if client, user, err = mimi.Client(c); err == nil {
		n[string(c.Identity)] = [2]ident.URI{client, user}
	}
	return client, user, err
}

// key is the hash of a signature with all that it is about.
func (m memo) key(public, message, signature []byte) (k [32]byte) {
	b := make([]byte, 0, 8+len(public)+len(signature)+32)
	b = binary.BigEndian.AppendUint32(b, uint32(len(public)))
	b = append(b, public...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(signature)))
	b = append(b, signature...)
	copy(k[:], m.Hash(nil, m.Hash(b, message)))
	return k
}

func (m memo) note(k [32]byte) {
	if len(m.known) >= maxVerified {
		clear(m.known)
	}
	m.known[k] = struct{}{}
}

// Verify implements [suite.Suite].
func (m memo) Verify(public, message, signature []byte) error {
	k := m.key(public, message, signature)
	if _, ok := m.known[k]; ok {
		return nil
	}
	err := m.Suite.Verify(public, message, signature)
	if err == nil {
		m.note(k)
	}
	return err
}

// VerifyBatch implements [suite.BatchVerifier].
func (m memo) VerifyBatch(batch []suite.Signature) (bad int, err error) {
	var fresh []suite.Signature
	var places []int
	var keys [][32]byte
	for i, s := range batch {
		k := m.key(s.Public, s.Message, s.Signature)
		if _, ok := m.known[k]; !ok {
			fresh, places, keys = append(fresh, s), append(places, i), append(keys, k)
		}
	}
	if len(fresh) == 0 {
		return -1, nil
	}
	if bad, err = suite.VerifyBatch(m.Suite, fresh); err != nil {
		return places[bad], err
	}
	for _, k := range keys {
		m.note(k)
	}
	return -1, nil
}

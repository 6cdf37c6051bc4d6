package adapter

import (
	"encoding/binary"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// SafetyNumber returns 60 digits that both users compare, 30 of each. MLS defines
// none; they are a hash of each user's identifier and signature key, in the form
// that users of Signal know.
func (c *client) SafetyNumber(localID, remoteID []byte, address protocols.Address) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[address]
	if p == nil {
		return "", fmt.Errorf("mls: safety number: %w: no identity of %s", protocols.ErrNoSession, address)
	}
	a, err := c.digits(localID, c.self.Signer.Public)
	if err != nil {
		return "", err
	}
	b, err := c.digits(remoteID, p.identity)
	if err != nil {
		return "", err
	}
	return min(a, b) + max(a, b), nil
}

func (c *client) digits(id, key []byte) (string, error) {
	w := wire.NewWriter(nil)
	w.Opaque(id)
	w.Opaque(key)
	b, err := w.Bytes()
	if err != nil {
		return "", fmt.Errorf("mls: safety number: %w", err)
	}
	out := ""
	h := c.suite.Expand(c.suite.Extract([]byte("mimi-lab safety number"), b), []byte("digits"), 6*8)
	for i := 0; i < len(h); i += 8 {
		out += fmt.Sprintf("%05d", binary.BigEndian.Uint64(h[i:])%100_000)
	}
	return out, nil
}

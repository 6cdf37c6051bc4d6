package dma

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// seenKey names a message that was accepted or shown: half of the SHA-256 of its
// sender, ID and attempt. It is as good as the three, and small: a service
// remembers very many.
type seenKey [16]byte

func newSeenKey(from ident.Address, id string, attempt int) seenKey {
	var room [128]byte
	b, _ := from.AppendText(room[:0]) // an address that came in a stanza is valid
	b = append(b, 0, byte(attempt))
	b = append(b, id...)
	sum := sha256.Sum256(b)
	return seenKey(sum[:])
}

// seenRing remembers the last [seenWindow] keys. Its zero value is empty.
type seenRing struct {
	ring  []seenKey // by count modulo seenWindow
	count uint64    // keys added so far
}

func (s *seenRing) has(k seenKey) bool { return slices.Contains(s.ring, k) }

// add remembers k, forgetting the oldest one beyond the window.
func (s *seenRing) add(k seenKey) { s.put(s.count, k) }

// put remembers k as the n-th.
func (s *seenRing) put(n uint64, k seenKey) {
	slot := int(n % seenWindow)
	for len(s.ring) <= slot {
		s.ring = append(s.ring, seenKey{})
	}
	s.ring[slot] = k
	s.count = max(s.count, n+1)
}

// record returns the stored form of the newest key: a slot for the record's name, the
// number and key for its value. Its inverse is restore.
func (s *seenRing) record() (slot int, value []byte) {
	n := s.count - 1
	slot = int(n % seenWindow)
	return slot, append(binary.BigEndian.AppendUint64(nil, n), s.ring[slot][:]...)
}

func (s *seenRing) restore(value []byte) error {
	if len(value) != 8+len(seenKey{}) {
		return errors.New("a key of another size")
	}
	s.put(binary.BigEndian.Uint64(value), seenKey(value[8:]))
	return nil
}

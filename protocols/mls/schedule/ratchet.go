package schedule

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Ratchet is one of the two hash ratchets of a member (RFC 9420, Section 9).
type Ratchet uint8

const (
	Handshake   Ratchet = iota // of proposals and commits
	Application                // of application data
)

// String returns the specification's name.
func (r Ratchet) String() string {
	if r == Handshake {
		return "handshake"
	}
	return "application"
}

// RatchetFor returns the ratchet that protects a type of content.
func RatchetFor(t message.ContentType) Ratchet {
	if t == message.ContentApplication {
		return Application
	}
	return Handshake
}

// The longest of all suites; shorter values stand at the beginning.
const (
	maxHash  = 64
	maxKey   = 32
	maxNonce = 12
)

// slot is the key and nonce of one generation.
type slot struct {
	generation uint32
	key        [maxKey]byte
	nonce      [maxNonce]byte
}

// step is a slot with the secret of the generation after it.
type step struct {
	slot
	after [maxHash]byte
}

// ratchet is what is left of a hash ratchet (RFC 9420, Section 9.1).
type ratchet struct {
	next   uint64        // the generation of secret; 2^32 when there are no more
	secret [maxHash]byte // ratchet_secret_[N]_[next]
	kept   []slot        // skipped generations, ascending, all below next
}

// sender is the two ratchets of a member, by Ratchet.
type sender [2]ratchet

// newSender returns the ratchets that the secret of a leaf begins.
func newSender(s suite.Suite, leaf []byte) *sender {
	var m sender
	for r, label := range [...]string{Handshake: "handshake", Application: "application"} {
		take(m[r].secret[:], labeled.DeriveSecret(s, leaf, label))
	}
	return &m
}

// take moves a secret to its place.
func take(dst, secret []byte) {
	copy(dst, secret)
	clear(secret)
}

// find returns the kept slot of a generation, nil if there is none.
func (r *ratchet) find(generation uint32) (*slot, int) {
	i, ok := slices.BinarySearchFunc(r.kept, generation, func(s slot, g uint32) int { return int(int64(s.generation) - int64(g)) })
	if !ok {
		return nil, i
	}
	return &r.kept[i], i
}

// keep adds skipped generations, above all others, and lets go of the oldest
// beyond most.
func (r *ratchet) keep(skipped []step, most int) {
	for i := range skipped {
		r.kept = push(r.kept)
		r.kept[len(r.kept)-1] = skipped[i].slot
	}
	r.kept = shift(r.kept, max(0, len(r.kept)-most))
}

// wipe overwrites the ratchet.
func (r *ratchet) wipe() {
	clear(r.kept)
	*r = ratchet{}
}

// push adds a zero to v. Where append would leave secrets behind in what v was
// before, they are overwritten.
func push[T slot | step](v []T) []T {
	if len(v) == cap(v) {
		more := make([]T, len(v), max(1, 2*len(v)))
		copy(more, v)
		clear(v)
		v = more
	}
	return v[:len(v)+1]
}

// shift removes the first n of v and overwrites them.
func shift[T slot | step](v []T, n int) []T {
	if n == 0 {
		return v
	}
	rest := copy(v, v[n:])
	clear(v[rest:])
	return v[:rest]
}

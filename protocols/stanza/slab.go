package stanza

import (
	"cmp"
	"strings"
)

// slab hands out slices that share few allocations. Each chunk is at least twice
// as large as the one before, up to a limit, so what is allocated is at most
// about twice what is handed out.
type slab[T any] struct {
	free  []T
	next  int
	chunk []T // the largest so far, to begin with after a reset
}

// Sizes of a slab's chunks in elements.
const (
	firstChunk = 2
	lastChunk  = 256
)

// take returns n fresh elements. most bounds how many can be asked for from now
// on, n included.
func (s *slab[T]) take(n, most int) []T {
	if n > len(s.free) {
		s.next = min(max(2*s.next, firstChunk), lastChunk)
		s.free = make([]T, max(n, min(s.next, most)))
		if len(s.free) > len(s.chunk) {
			s.chunk = s.free
		}
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}

// reset takes back everything that was handed out.
func (s *slab[T]) reset() {
	clear(s.chunk)
	s.free, s.next = s.chunk, 0
}

// arena holds many short strings in few allocations.
type arena struct {
	chunk strings.Builder
	size  int // of the chunks to come; 0 means arenaChunk
	// scratch is room for one string under construction: the longest packed one.
	scratch [2 * maxPacked]byte
}

// Sizes of an arena's chunks in bytes: for one stanza and for many.
const (
	arenaChunk  = 192
	sharedChunk = 1024
)

// add returns b as a string.
func (a *arena) add(b []byte) string {
	start := a.chunk.Len()
	if a.chunk.Cap()-start < len(b) {
		a.chunk.Reset() // the strings handed out keep the old chunk
		a.chunk.Grow(max(len(b), cmp.Or(a.size, arenaChunk)))
		start = 0
	}
	a.chunk.Write(b)
	return a.chunk.String()[start:]
}

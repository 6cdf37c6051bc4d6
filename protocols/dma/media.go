package dma

import (
	"fmt"
	"strconv"
)

// Media is what a media host knows of the media it keeps: a reference and the
// size of a ciphertext. The ciphertext itself is the shell's: package media encrypts it, package
// serve moves it. Here it is modelled, for simulations.
//
// A partner hosts what its users send, and the gatekeeper's media host fetches it
// from there for the native user; the gatekeeper hosts what native users send
// (Reference Offer, media).
type Media struct {
	prefix string
	next   uint64
	sizes  map[string]uint64
}

// Put takes a ciphertext of size bytes and returns its reference.
func (m *Media) Put(size uint64) string {
	if m.sizes == nil {
		m.sizes = make(map[string]uint64)
	}
	m.next++
	ref := m.prefix + strconv.FormatUint(m.next, 36)
	m.sizes[ref] = size
	return ref
}

// Get returns the size of the ciphertext behind ref in bytes.
func (m *Media) Get(ref string) (uint64, error) {
	size, ok := m.sizes[ref]
	if !ok {
		return 0, fmt.Errorf("dma: media: no %q here", ref)
	}
	return size, nil
}

// Sizes of the encryption of media: AES-256-CBC with PKCS #7 padding and a MAC cut
// to 10 bytes (read in public clients).
const (
	mediaBlock = 16
	mediaMAC   = 10
)

// MediaCiphertext returns the size in bytes of the ciphertext of a medium of n
// bytes.
func MediaCiphertext(n uint64) uint64 { return (n/mediaBlock+1)*mediaBlock + mediaMAC }

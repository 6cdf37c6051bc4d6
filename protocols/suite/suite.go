// Package suite is the crypto seam of mimi-lab: every key, signature, AEAD,
// KEM, KDF and random byte of the protocol packages goes through a [Suite], so
// that one body of protocol code can run for real, replay byte for byte, be
// counted, or be modelled by size alone.
package suite

import "io"

// Suite is one set of algorithms bound to one source of randomness.
type Suite interface {
	// Rand is the source of every random byte a protocol draws.
	Rand() io.Reader
}

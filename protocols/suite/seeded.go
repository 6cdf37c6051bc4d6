package suite

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"sync"
)

// NewSeeded returns the suite with the real algorithms whose randomness is a
// function of seed and label: the same calls in the same order give the same
// keys, signatures and ciphertexts, byte for byte, on any machine and in any
// version of this package that keeps its test of fixed outputs. Labels keep
// apart those who share a seed, such as the nodes of a simulation.
//
// Where methods are called concurrently, the order in which they draw is up to
// the scheduler and so are the outputs.
func NewSeeded(id ID, seed [32]byte, label string) (Suite, error) {
	if err := id.check(); err != nil {
		return nil, err
	}
	return &std{id: id, rand: newStream(seed, label)}, nil
}

// stream is ChaCha8 keyed by SHA-256 of the seed and the label. The lock is there
// because a Suite may be used concurrently; it keeps draws whole, not in order.
type stream struct {
	mu  sync.Mutex
	src *rand.ChaCha8 // guarded by mu
}

func newStream(seed [32]byte, label string) io.Reader {
	const domain = "mimi-lab suite seeded v1"
	b := append([]byte(domain), seed[:]...) // both of fixed length, so the label's bounds are plain
	return &stream{src: rand.NewChaCha8(sha256.Sum256(append(b, label...)))}
}

// Read fills p. It never fails.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.src.Read(p)
}

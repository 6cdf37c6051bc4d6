package mls

import (
	"crypto/sha256"
	"sync"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Shared is a cache for many members of groups in one process, such as a
// simulation: the public part of a Commit is checked by the first of them and
// taken by the others, so that a further member costs its own secrets and no
// more. All who share one must have configurations that check alike; time counts
// as that of the first.
//
// The zero value is ready. It may be used concurrently.
type Shared struct {
	mu     sync.Mutex
	stages map[[sha256.Size]byte]*stage
	order  [][sha256.Size]byte // oldest first
	snaps  map[[sha256.Size]byte]*snapshot
	joined [][sha256.Size]byte
}

// sharedStages is how many Commits are remembered. Members take a Commit at about
// the same time; one that comes later pays for itself.
const sharedStages = 64

// stageKey names a Commit and the state that it starts from.
func stageKey(base *snapshot, c *message.AuthenticatedContent) (key [sha256.Size]byte, ok bool) {
	w := wire.NewWriter(nil)
	w.Opaque(base.encoded)
	c.MarshalTLS(w)
	b, err := w.Bytes()
	return sha256.Sum256(b), err == nil
}

// staged returns a stage that another member made of the same Commit.
func (s *Shared) staged(base *snapshot, c *message.AuthenticatedContent) *stage {
	if s == nil {
		return nil
	}
	key, ok := stageKey(base, c)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.stages[key]; st != nil && st.base == base {
		return st
	}
	return nil
}

// keep remembers a stage.
func (s *Shared) keep(base *snapshot, c *message.AuthenticatedContent, st *stage) {
	if s == nil {
		return
	}
	key, ok := stageKey(base, c)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stages == nil {
		s.stages = make(map[[sha256.Size]byte]*stage)
	}
	s.stages[key] = st
	s.order = append(s.order, key)
	if len(s.order) > sharedStages {
		delete(s.stages, s.order[0])
		s.order = s.order[1:]
	}
}

// epoch returns the snapshot of an epoch that a member of the process has joined
// with the same context and confirmation tag, and so has checked.
func (s *Shared) epoch(context, tag []byte) *snapshot {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snaps[epochKey(context, tag)]
}

// keepEpoch remembers an epoch.
func (s *Shared) keepEpoch(snap *snapshot) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snaps == nil {
		s.snaps = make(map[[sha256.Size]byte]*snapshot)
	}
	key := epochKey(snap.encoded, snap.tag)
	if s.snaps[key] != nil {
		return
	}
	s.snaps[key] = snap
	s.joined = append(s.joined, key)
	if len(s.joined) > sharedStages {
		delete(s.snaps, s.joined[0])
		s.joined = s.joined[1:]
	}
}

func epochKey(context, tag []byte) [sha256.Size]byte {
	w := wire.NewWriter(nil)
	w.Opaque(context)
	w.Opaque(tag)
	b, _ := w.Bytes() // both were read from messages that carried their length
	return sha256.Sum256(b)
}

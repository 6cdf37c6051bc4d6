package gateway

import (
	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// ref is a message that both sides have, by the name that each gives it.
type ref struct {
	N      uint64            `json:"n"`      // its number, of which its slot follows
	Signal string            `json:"signal"` // its ID in the chat
	MIMI   content.MessageID `json:"mimi"`   // its ID in the room, of the first version
	Last   content.MessageID `json:"last"`   // of the newest version
	Own    bool              `json:"own,omitempty"`
	// Reaction is the user's reaction to it, of the first version; zero for none.
	Reaction content.MessageID `json:"reaction,omitzero"`
	// Shown is the room's reaction that the chat shows on it; zero for none. A chat
	// shows one of each of the two.
	Shown content.MessageID `json:"shown,omitzero"`
}

// refs are the last messages of a thread. A ring: what is older is forgotten, and what
// answers it goes without its reference.
type refs struct {
	ring     []*ref
	next     uint64
	bySignal map[string]*ref
	byMIMI   map[content.MessageID]*ref
}

func newRefs(size int) refs {
	return refs{ring: make([]*ref, size), bySignal: make(map[string]*ref), byMIMI: make(map[content.MessageID]*ref)}
}

// slot is where the n-th message has its place.
func (r *refs) slot(n uint64) int { return int(n % uint64(len(r.ring))) }

// add takes a message in, in place of the oldest.
func (r *refs) add(x ref) *ref {
	x.N = r.next
	r.put(&x)
	return &x
}

// put is add for a message that has its number.
func (r *refs) put(x *ref) {
	i := r.slot(x.N)
	if old := r.ring[i]; old != nil {
		r.forget(old)
	}
	r.ring[i] = x
	r.bySignal[x.Signal] = x
	r.byMIMI[x.MIMI], r.byMIMI[x.Last] = x, x
	r.next = max(r.next, x.N+1)
}

// forget takes a message out.
func (r *refs) forget(x *ref) {
	if i := r.slot(x.N); r.ring[i] == x {
		r.ring[i] = nil
	}
	if r.bySignal[x.Signal] == x {
		delete(r.bySignal, x.Signal)
	}
	for _, id := range []content.MessageID{x.MIMI, x.Last} {
		if r.byMIMI[id] == x {
			delete(r.byMIMI, id)
		}
	}
}

// renew notes a newer version.
func (r *refs) renew(x *ref, last content.MessageID) {
	if x.Last != x.MIMI && r.byMIMI[x.Last] == x {
		delete(r.byMIMI, x.Last)
	}
	x.Last = last
	r.byMIMI[last] = x
}

// signal and mimi find a message by the name that one side gives it, or nil.
func (r *refs) signal(id string) *ref {
	if id == "" {
		return nil
	}
	return r.bySignal[id]
}

func (r *refs) mimi(id content.MessageID) *ref {
	if id.IsZero() {
		return nil
	}
	return r.byMIMI[id]
}

// showing finds the message on which a reaction is shown, or nil.
func (r *refs) showing(reaction content.MessageID) *ref {
	if reaction.IsZero() {
		return nil
	}
	for _, x := range r.ring {
		if x != nil && x.Shown == reaction {
			return x
		}
	}
	return nil
}

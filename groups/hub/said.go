package hub

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// said are the last application messages of a room. A client that had no answer sends the
// same again, and gets the answer that it would have had; who sends what another has sent
// is refused, since receivers have used its key up.
type said struct {
	byMessage map[string]*utterance
	ring      []*utterance // the n-th is at n modulo its length; nil before the first
	next      uint64       // how many there were
}

// utterance is a message that was accepted.
type utterance struct {
	sums
	n    uint64 // among those of its room
	time uint64 // accepted_timestamp
}

// sums are hashes of a message: of its MLSMessage, and of the request that it came in,
// which has its sender too.
type sums struct{ message, request string }

func (h *Hub) sumsOf(req *mimi.SubmitMessageRequest, body []byte) (sums, error) {
	b, err := wire.Append(make([]byte, 0, len(body)), &message.Message{Private: req.AppMessage})
	if err != nil {
		return sums{}, err
	}
	s := h.groups.Suite
	return sums{string(s.Hash(nil, b)), string(s.Hash(nil, body))}, nil
}

// has reports whether a message was accepted before, in whatever request.
func (s *said) has(sum sums) bool { return s.byMessage[sum.message] != nil }

// before reports whether a request was accepted before, of a provider that answers for
// its sender, and when.
func (s *said) before(sum sums, from string, req *mimi.SubmitMessageRequest) (at uint64, ok bool) {
	u := s.byMessage[sum.message]
	if u == nil || u.request != sum.request {
		return 0, false
	}
	sender, ok := userURI(req.SendingURI)
	return u.time, ok && sender.Provider() == from
}

// add remembers a message in place of the oldest, if there are as many as most.
func (s *said) add(u *utterance, most int) {
	if s.ring == nil {
		s.byMessage, s.ring = make(map[string]*utterance), make([]*utterance, most)
	}
	at := &s.ring[u.n%uint64(most)]
	if *at != nil {
		delete(s.byMessage, (*at).message)
	}
	*at = u
	s.byMessage[u.message] = u
	s.next = u.n + 1
}

// remind remembers a message that is accepted.
func (h *Hub) remind(r *chatRoom, sum sums, at uint64) {
	u := &utterance{sum, r.said.next, at}
	r.said.add(u, h.cfg.Remembered)
	h.put(r.saidKey(u.n%uint64(h.cfg.Remembered)), u.marshal())
}

func (r *chatRoom) saidKey(slot uint64) string { return r.key + "said/" + number(slot) }

// marshal writes
//
//	struct {
//	    uint64 n;
//	    opaque message<V>;    // its hash
//	    opaque request<V>;    // its hash
//	    uint64 time;          // accepted_timestamp
//	} Said;
func (u *utterance) marshal() []byte {
	return value(2*8+2*(1+64), func(w *wire.Writer) {
		w.Uint64(u.n)
		w.OpaqueString(u.message)
		w.OpaqueString(u.request)
		w.Uint64(u.time)
	})
}

func (u *utterance) read(r *wire.Reader) {
	u.n = r.Uint64()
	u.message, u.request = string(r.Opaque()), string(r.Opaque())
	u.time = r.Uint64()
}

// restore takes the messages that were remembered, at most as many as most: the last one
// and those right before it. A hub that was configured to remember more or fewer has left
// records in slots that are others' now, so that there may be older ones with gaps.
func (s *said) restore(list []*utterance, most int) error {
	slices.SortFunc(list, func(a, b *utterance) int { return cmp.Compare(a.n, b.n) })
	first := len(list)
	for first > 0 && len(list)-first < most && (first == len(list) || list[first-1].n+1 == list[first].n) {
		first--
	}
	for i, u := range list {
		if i > 0 && u.n == list[i-1].n {
			return fmt.Errorf("message %d is there twice", u.n)
		}
		if i < first {
			continue
		}
		if s.has(u.sums) {
			return errors.New("a message is there twice")
		}
		s.add(u, most)
	}
	return nil
}

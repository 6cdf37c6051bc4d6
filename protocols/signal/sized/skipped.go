package sized

import "slices"

// span is a run of skipped messages [from, to) of one chain whose keys are kept.
type span struct {
	chain    uint64
	from, to uint32
}

// spans are those of all chains of a session, in order of counter within each.
type spans []span

// find returns the index of the span that holds a message's key, or -1.
func (s spans) find(chain uint64, counter uint32) int {
	for i, p := range s {
		if p.chain == chain && p.from <= counter && counter < p.to {
			return i
		}
	}
	return -1
}

// pass notes that a message of a chain was opened that stands at next, and
// returns where the chain stands then.
func (s *spans) pass(chain uint64, next, counter uint32) uint32 {
	if counter < next {
		s.take(chain, counter)
		return next
	}
	if counter > next {
		*s = append(*s, span{chain, next, counter})
		s.limit(chain)
	}
	return counter + 1
}

// take removes the key of one message, which is there.
func (s *spans) take(chain uint64, counter uint32) {
	i := s.find(chain, counter)
	p := &(*s)[i]
	switch {
	case p.to-p.from == 1:
		*s = slices.Delete(*s, i, i+1)
	case counter == p.from:
		p.from++
	case counter == p.to-1:
		p.to--
	default:
		after := span{chain, counter + 1, p.to}
		p.to = counter
		*s = slices.Insert(*s, i+1, after)
	}
}

// limit forgets the oldest keys of a chain beyond maxSkipped.
func (s *spans) limit(chain uint64) {
	over := -maxSkipped
	for _, p := range *s {
		if p.chain == chain {
			over += int(p.to - p.from)
		}
	}
	for i := 0; over > 0; {
		p := &(*s)[i]
		switch n := int(p.to - p.from); {
		case p.chain != chain:
			i++
		case n > over:
			p.from += uint32(over)
			over = 0
		default:
			over -= n
			*s = slices.Delete(*s, i, i+1)
		}
	}
}

// forget removes all keys of a chain.
func (s *spans) forget(chain uint64) {
	*s = slices.DeleteFunc(*s, func(p span) bool { return p.chain == chain })
}

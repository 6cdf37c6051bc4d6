package sized

import (
	"errors"

	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// oneTimeKeys is the set of one-time keys that were issued and not yet used.
// The keys themselves are derived from the client's seed.
type oneTimeKeys struct {
	next uint32   // the id of the key that will be issued next
	base uint32   // id of the first bit of unused
	bits []uint64 // one bit per key from base on, set while it is unused
}

// issue adds n keys and returns the id of the first.
func (k *oneTimeKeys) issue(n int) (uint32, error) {
	if uint64(k.next)+uint64(n) > signal.MaxPreKeyID+1 {
		return 0, errors.New(Name + ": one-time key ids are used up")
	}
	first := k.next
	if len(k.bits) == 0 {
		k.base = first
	}
	for range n {
		i := k.next - k.base
		if int(i/64) == len(k.bits) {
			k.bits = append(k.bits, 0)
		}
		k.bits[i/64] |= 1 << (i % 64)
		k.next++
	}
	return first, nil
}

func (k *oneTimeKeys) has(id uint32) bool {
	return id >= k.base && id < k.next && k.bits[(id-k.base)/64]>>((id-k.base)%64)&1 == 1
}

// use removes a key that has reported.
func (k *oneTimeKeys) use(id uint32) {
	i := id - k.base
	k.bits[i/64] &^= 1 << (i % 64)
	for len(k.bits) > 0 && k.bits[0] == 0 {
		k.bits = k.bits[1:]
		k.base += 64
	}
}

// valid reports whether a restored set could have come about.
func (k *oneTimeKeys) valid() bool {
	if len(k.bits) == 0 {
		return true
	}
	issued := uint64(k.next) - uint64(k.base)
	if k.base == 0 || k.base >= k.next || uint64(len(k.bits)) != (issued+63)/64 {
		return false
	}
	return issued%64 == 0 || k.bits[len(k.bits)-1]>>(issued%64) == 0
}

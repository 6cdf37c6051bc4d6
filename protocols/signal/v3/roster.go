//go:build !nogpl

package v3

import (
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// roster is a client's view of a group.
type roster struct {
	members []member // without the client itself, sorted by address
	pending *signal.GroupChange
	hosted  bool // the members are what a server says
}

// member is another member of a group.
type member struct {
	address protocols.Address
	// holds is the base key of the session in which the member was sent this
	// client's current sender key, zero if it was not. A member with another
	// session by now may have lost the key and is sent it again.
	holds [32]byte
}

func byAddress(m member, a protocols.Address) int { return cmp.Compare(m.address, a) }

func (r *roster) find(a protocols.Address) (int, bool) {
	return slices.BinarySearchFunc(r.members, a, byAddress)
}

func (r *roster) has(a protocols.Address) bool {
	_, ok := r.find(a)
	return ok
}

func (r *roster) add(a protocols.Address) {
	if i, ok := r.find(a); !ok {
		r.members = slices.Insert(r.members, i, member{address: a})
	}
}

func (r *roster) remove(a protocols.Address) {
	if i, ok := r.find(a); ok {
		r.members = slices.Delete(r.members, i, i+1)
	}
}

// addresses returns the members with the client itself, sorted.
func (r *roster) addresses(self protocols.Address) []protocols.Address {
	out := make([]protocols.Address, 0, len(r.members)+1)
	for _, m := range r.members {
		out = append(out, m.address)
	}
	i, _ := slices.BinarySearch(out, self)
	return slices.Insert(out, i, self)
}

// A group record:
//
//	struct {
//	    uint8 version;
//	    struct { opaque address<1..2^16-1>; opaque holds[32]; } member<0..2^24-1>;
//	    opaque pending<0..2^24-1>;  // a signal.GroupMessage, or empty
//	    uint8 hosted = 1;           // absent if it is not
//	}
func (r *roster) encode(g protocols.GroupID) []byte {
	b := cryptobyte.NewBuilder([]byte{recordVersion})
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, m := range r.members {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(m.address)) })
			b.AddBytes(m.holds[:])
		}
	})
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		if r.pending != nil {
			m := signal.GroupMessage{GroupID: []byte(g), Change: r.pending}
			b.AddBytes(m.Append(nil))
		}
	})
	if r.hosted {
		b.AddUint8(1)
	}
	return b.BytesOrPanic() // checkChange bounds both lists
}

func decodeRoster(b []byte) (*roster, error) {
	s := cryptobyte.String(b)
	var members, pending cryptobyte.String
	if !readVersion(&s) || !s.ReadUint24LengthPrefixed(&members) || !s.ReadUint24LengthPrefixed(&pending) {
		return nil, fmt.Errorf("%w: group", errRecord)
	}
	var r roster
	if !s.Empty() {
		var hosted uint8
		if !s.ReadUint8(&hosted) || hosted != 1 || !s.Empty() || !pending.Empty() {
			return nil, fmt.Errorf("%w: group", errRecord)
		}
		r.hosted = true
	}
	for !members.Empty() {
		var address cryptobyte.String
		var m member
		if !members.ReadUint16LengthPrefixed(&address) || len(address) == 0 || !members.CopyBytes(m.holds[:]) {
			return nil, fmt.Errorf("%w: group member", errRecord)
		}
		m.address = protocols.Address(address)
		if n := len(r.members); n > 0 && r.members[n-1].address >= m.address {
			return nil, fmt.Errorf("%w: group members out of order", errRecord)
		}
		r.members = append(r.members, m)
	}
	if !pending.Empty() {
		m, err := signal.ParseGroupMessage(pending)
		if err != nil || m.Change == nil {
			return nil, fmt.Errorf("%w: pending change: %v", errRecord, err)
		}
		r.pending = m.Change
	}
	return &r, nil
}

package sized

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// The record of a group. A text is its length in two bytes and its bytes.
//
//	group       version(1)
//	            members: count(4), each address(text) holds(8)
//	            pending: length(4), a signal.GroupMessage or nothing
//	            own: count(1), 0 or 1 sender key
//	            others: count(4), each address(text) count(1) sender keys
//	            hosted: 1(1), or nothing
//	sender key  distribution id(16) chain id(4) next(4) chain(8) signing(8)
//	            skipped, as in a session
func (c *client) groupRecord(id protocols.GroupID) protocols.Record {
	r := protocols.Record{Key: keyGroup + escape(string(id))}
	g := c.groups[id]
	if g == nil {
		return r
	}
	b := []byte{recordVersion}
	b = binary.BigEndian.AppendUint32(b, uint32(len(g.members)))
	for _, m := range g.members {
		b = appendText(b, m.address)
		b = binary.BigEndian.AppendUint64(b, m.holds)
	}
	var pending []byte
	if g.pending != nil {
		m := signal.GroupMessage{GroupID: []byte(id), Change: g.pending}
		pending = m.Append(nil)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(pending)))
	b = append(b, pending...)
	if g.own == nil {
		b = append(b, 0)
	} else {
		b = g.own.append(append(b, 1))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(g.keys)))
	for _, a := range slices.Sorted(maps.Keys(g.keys)) {
		b = append(appendText(b, a), byte(len(g.keys[a])))
		for i := range g.keys[a] {
			b = g.keys[a][i].append(b)
		}
	}
	if g.hosted {
		b = append(b, 1)
	}
	r.Value = b
	return r
}

// appendText appends an address, which is at most maxAddressSize bytes long.
func appendText(b []byte, a protocols.Address) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(a))), a...)
}

func (k *senderKey) append(b []byte) []byte {
	b = append(b, k.distributionID[:]...)
	b = binary.BigEndian.AppendUint32(b, k.chainID)
	b = binary.BigEndian.AppendUint32(b, k.next)
	b = binary.BigEndian.AppendUint64(b, k.chain)
	b = binary.BigEndian.AppendUint64(b, k.signing)
	return k.skipped.append(b)
}

// bytes reads n bytes that follow, if so many do.
func (f *field) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	return f.take(int(n))
}

func (f *field) text() protocols.Address {
	return protocols.Address(f.bytes(uint32(binary.BigEndian.Uint16(f.take(2)))))
}

func (f *field) senderKey() senderKey {
	k := senderKey{
		distributionID: [16]byte(f.take(16)),
		chainID:        f.uint32(),
		next:           f.uint32(),
		chain:          f.uint64(),
		signing:        f.uint64(),
	}
	k.skipped = parseSpans(f, func(chain uint64) (uint32, bool) { return k.next, chain == 0 })
	return k
}

// parseGroup returns nil if b is no group of the client self.
func parseGroup(id string, self protocols.Address, b []byte) *group {
	f := field{b: b}
	f.bad = f.uint8() != recordVersion
	g := new(group)
	last := protocols.Address("")
	for n := f.uint32(); n > 0 && !f.bad; n-- {
		m := member{address: f.text(), holds: f.uint64()}
		f.bad = f.bad || m.address <= last || m.address == self
		last = m.address
		g.members = append(g.members, m)
	}
	if pending := f.bytes(f.uint32()); len(pending) > 0 {
		m, err := signal.ParseGroupMessage(pending)
		f.bad = f.bad || err != nil || m.Change == nil || string(m.GroupID) != id
		g.pending = m.Change
	}
	switch f.uint8() {
	case 0:
	case 1:
		k := f.senderKey()
		g.own = &k
	default:
		f.bad = true
	}
	last = ""
	for n := f.uint32(); n > 0 && !f.bad; n-- {
		a, count := f.text(), f.uint8()
		f.bad = f.bad || a <= last || !g.has(a) || count == 0 || count > maxSenderKeys
		last = a
		if g.keys == nil {
			g.keys = make(map[protocols.Address][]senderKey)
		}
		for ; count > 0 && !f.bad; count-- {
			g.keys[a] = append(g.keys[a], f.senderKey())
		}
	}
	if !f.bad && len(f.b) > 0 {
		g.hosted = f.uint8() == 1 && g.pending == nil
		f.bad = !g.hosted
	}
	if f.bad || len(f.b) != 0 {
		return nil
	}
	return g
}

package sized

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Records of a client's state. Integers are big-endian; every value begins with
// the version of its layout.
//
//	"client"            version(1) registration id(4) seed(8) rotations(4)
//	                    next one-time key(4) address
//	"onetime"           version(1) base(4) words(8 each)
//	"session/" + peer   version(1) identity(8) states (current, then archived)
//	state               base(8) remote(8) root(8) ratchet(8) sending(8) counter(4)
//	                    previous(4) role(1) base core(8) header: has one-time(1)
//	                    one-time(4) signed(4) registration(4)
//	                    chains: count(1), each ratchet(8) secret(8) next(4)
//	                    skipped: count(4), each ratchet(8) from(4) to(4)
//	"group/" + id       see grouprecord.go
//
// In a key, the bytes of peer other than letters, digits and "-._~:@+" are
// written as "%XX".
const (
	recordVersion = 1
	keyClient     = "client"
	keyOneTime    = "onetime"
	keySession    = "session/"
	keyGroup      = "group/"
)

// State implements [protocols.Client].
func (c *client) State() []protocols.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	records := make([]protocols.Record, 0, 2+len(c.sessions)+len(c.groups))
	records = append(records, c.clientRecord(), c.oneTimeRecord())
	for _, s := range c.sessions {
		records = append(records, s.record())
	}
	for id := range c.groups {
		records = append(records, c.groupRecord(id))
	}
	c.exported()
	return sorted(records)
}

// Changes implements [protocols.Client].
func (c *client) Changes() []protocols.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	var records []protocols.Record
	if c.changedClient {
		records = append(records, c.clientRecord())
	}
	if c.changedOneTime {
		records = append(records, c.oneTimeRecord())
	}
	for _, s := range c.changed {
		records = append(records, s.record())
	}
	for id := range c.changedGroups {
		records = append(records, c.groupRecord(id))
	}
	c.exported()
	return sorted(records)
}

// exported notes that everything has been exported.
func (c *client) exported() {
	c.changedClient, c.changedOneTime = false, false
	for _, s := range c.changed {
		s.changed = false
	}
	clear(c.changed)
	c.changed = c.changed[:0]
	clear(c.changedGroups)
}

func sorted(records []protocols.Record) []protocols.Record {
	slices.SortFunc(records, func(a, b protocols.Record) int { return strings.Compare(a.Key, b.Key) })
	return records
}

func (c *client) clientRecord() protocols.Record {
	b := []byte{recordVersion}
	b = binary.BigEndian.AppendUint32(b, c.registration)
	b = binary.BigEndian.AppendUint64(b, c.seed)
	b = binary.BigEndian.AppendUint32(b, c.rotations)
	b = binary.BigEndian.AppendUint32(b, c.oneTime.next)
	b = append(b, c.address...)
	return protocols.Record{Key: keyClient, Value: b}
}

func (c *client) oneTimeRecord() protocols.Record {
	b := []byte{recordVersion}
	b = binary.BigEndian.AppendUint32(b, c.oneTime.base)
	for _, w := range c.oneTime.bits {
		b = binary.BigEndian.AppendUint64(b, w)
	}
	return protocols.Record{Key: keyOneTime, Value: b}
}

func (s *session) record() protocols.Record {
	b := binary.BigEndian.AppendUint64([]byte{recordVersion}, s.identity)
	b = s.current.append(b)
	for i := range s.archived {
		b = s.archived[i].append(b)
	}
	return protocols.Record{Key: keySession + escape(string(s.peer)), Value: b}
}

func (s *state) append(b []byte) []byte {
	for _, v := range []uint64{s.base, s.remote, s.root, s.ratchet, s.sending} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = binary.BigEndian.AppendUint32(b, s.counter)
	b = binary.BigEndian.AppendUint32(b, s.previous)
	b = append(b, byte(s.role))
	b = binary.BigEndian.AppendUint64(b, s.baseCore)
	var has byte
	if s.header.hasOneTime {
		has = 1
	}
	b = append(b, has)
	b = binary.BigEndian.AppendUint32(b, s.header.oneTime)
	b = binary.BigEndian.AppendUint32(b, s.header.signed)
	b = binary.BigEndian.AppendUint32(b, s.header.registration)
	b = append(b, s.n)
	for _, c := range s.chains[:s.n] {
		b = binary.BigEndian.AppendUint64(b, c.ratchet)
		b = binary.BigEndian.AppendUint64(b, c.secret)
		b = binary.BigEndian.AppendUint32(b, c.next)
	}
	return s.skipped.append(b)
}

func (s spans) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	for _, p := range s {
		b = binary.BigEndian.AppendUint64(b, p.chain)
		b = binary.BigEndian.AppendUint32(b, p.from)
		b = binary.BigEndian.AppendUint32(b, p.to)
	}
	return b
}

// field reads the integers of a record. After the first fault it is bad and
// returns zeros.
type field struct {
	b   []byte
	bad bool
}

func (f *field) take(n int) []byte {
	if f.bad || len(f.b) < n {
		f.bad = true
		return make([]byte, n)
	}
	v := f.b[:n]
	f.b = f.b[n:]
	return v
}

func (f *field) uint8() byte    { return f.take(1)[0] }
func (f *field) uint32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }
func (f *field) uint64() uint64 { return binary.BigEndian.Uint64(f.take(8)) }

// restore makes a client from records. Of several records with one key the last
// counts; one without a value deletes.
func restore(address protocols.Address, layout signal.Layout, random uint64, records []protocols.Record) (*client, error) {
	last := make(map[string][]byte, len(records))
	for _, r := range records {
		if r.Value == nil {
			delete(last, r.Key)
		} else {
			last[r.Key] = r.Value
		}
	}
	fault := func(key string) (*client, error) {
		return nil, fmt.Errorf(Name+": restore %s: record %q: %w", address, key, protocols.ErrState)
	}

	f := field{b: last[keyClient]}
	version := f.uint8()
	c := newClient(address, layout, f.uint32(), f.uint64(), random)
	c.rotations, c.oneTime.next = f.uint32(), f.uint32()
	if f.bad || version != recordVersion || string(f.b) != string(address) ||
		c.rotations >= signal.MaxPreKeyID || c.oneTime.next-1 > signal.MaxPreKeyID {
		return fault(keyClient)
	}
	f = field{b: last[keyOneTime]}
	version, c.oneTime.base = f.uint8(), f.uint32()
	for !f.bad && len(f.b) > 0 {
		c.oneTime.bits = append(c.oneTime.bits, f.uint64())
	}
	if f.bad || version != recordVersion || !c.oneTime.valid() {
		return fault(keyOneTime)
	}
	delete(last, keyClient)
	delete(last, keyOneTime)

	for key, value := range last {
		kind, name, _ := strings.Cut(key, "/")
		name, escaped := unescape(name)
		if !escaped || !c.restoreRecord(kind+"/", name, value) {
			return fault(key)
		}
	}
	return c, nil
}

// restoreRecord takes one session or group. It reports whether it is one.
func (c *client) restoreRecord(kind, name string, value []byte) bool {
	switch kind {
	case keySession:
		s := parseSession(protocols.Address(name), value)
		if s == nil {
			return false
		}
		c.sessions.add(s)
		return true
	case keyGroup:
		g := parseGroup(name, c.address, value)
		if g == nil {
			return false
		}
		if c.groups == nil {
			c.groups = make(map[protocols.GroupID]*group)
		}
		c.groups[protocols.GroupID(name)] = g
		return true
	}
	return false
}

// parseSession returns nil if b is no session.
func parseSession(peer protocols.Address, b []byte) *session {
	f := field{b: b}
	if f.uint8() != recordVersion {
		return nil
	}
	s := &session{peer: peer, identity: f.uint64(), current: parseState(&f)}
	for !f.bad && len(f.b) > 0 {
		s.archived = append(s.archived, parseState(&f))
	}
	if f.bad || len(s.archived) > maxArchived {
		return nil
	}
	return s
}

func parseState(f *field) state {
	var s state
	for _, v := range []*uint64{&s.base, &s.remote, &s.root, &s.ratchet, &s.sending} {
		*v = f.uint64()
	}
	s.counter, s.previous = f.uint32(), f.uint32()
	s.role, s.baseCore = role(f.uint8()), f.uint64()
	has := f.uint8()
	s.header = header{has == 1, f.uint32(), f.uint32(), f.uint32()}
	s.n = f.uint8()
	if s.role > waiting || has > 1 || s.n < 1 || s.n > maxChains {
		f.bad = true
		return s
	}
	for i := range s.n {
		s.chains[i] = chain{ratchet: f.uint64(), secret: f.uint64(), next: f.uint32()}
	}
	s.skipped = parseSpans(f, func(key uint64) (uint32, bool) {
		if i := s.chainOf(key); i >= 0 {
			return s.chains[i].next, true
		}
		return 0, false
	})
	return s
}

// parseSpans reads the spans of chains whose position next tells, if there is
// such a chain.
func parseSpans(f *field, next func(chain uint64) (uint32, bool)) spans {
	var s spans
	kept := make(map[uint64]uint32)
	for n := f.uint32(); n > 0 && !f.bad; n-- {
		p := span{chain: f.uint64(), from: f.uint32(), to: f.uint32()}
		end, ok := next(p.chain)
		if !ok || p.from >= p.to || p.to > end || p.to-p.from > maxSkipped-kept[p.chain] {
			f.bad = true
			return nil
		}
		kept[p.chain] += p.to - p.from
		s = append(s, p)
	}
	return s
}

const hexDigits = "0123456789ABCDEF"

func plain(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' ||
		strings.IndexByte("-._~:@+", b) >= 0
}

func escape(a string) string {
	b := make([]byte, 0, len(a))
	for i := range len(a) {
		if plain(a[i]) {
			b = append(b, a[i])
		} else {
			b = append(b, '%', hexDigits[a[i]>>4], hexDigits[a[i]&15])
		}
	}
	return string(b)
}

// unescape is the inverse of escape. It reports whether s was written by it.
func unescape(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if len(s)-i < 3 {
			return "", false
		}
		high := strings.IndexByte(hexDigits, s[i+1])
		low := strings.IndexByte(hexDigits, s[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		b = append(b, byte(high<<4|low))
		i += 2
	}
	return string(b), escape(string(b)) == s
}

package follower

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// The records that are kept. Parts of a key are separated by a bar, which no URI
// holds unencoded; numbers in keys have 20 digits, so that they sort.
//
//	user|USER                 deleted or not, profile: JSON
//	client|CLIENT             last number in its mailbox: 8 bytes, or none yet
//	package|CLIENT|SEQ        a KeyPackage that waits to be claimed
//	given|REF                 whose it was, until when: JSON
//	consent|REQ|TARGET|ROOM   one byte; ROOM is empty for every room
//	last                      last number in any log that was forgotten: 8 bytes
//	room|ROOM                 last number in its log, timestamp of the Welcome: 16 bytes
//	log|ROOM|SEQ              time (8 bytes, ms since 1970), FanoutMessages from SEQ on
//	seen|ROOM|PAGE            SHA-256 of FanoutMessages that came, in up to 16 slots
//	turn|ROOM                 the slot that is overwritten next: 8 bytes
//	cursor|CLIENT|ROOM        last number acknowledged, first after a Welcome: 16 bytes
//	box|CLIENT|SEQ            time (8 bytes), the room's last event then (8 bytes),
//	                          length of the room's URI (2 bytes), it, body

func key(parts ...string) string { return strings.Join(parts, "|") }

func digits(n uint64) string { return fmt.Sprintf("%020d", n) }

func userKey(u ident.URI) string                { return key("user", u.String()) }
func clientKey(c ident.URI) string              { return key("client", c.String()) }
func packageKey(c ident.URI, seq uint64) string { return key("package", c.String(), digits(seq)) }
func givenKey(ref string) string                { return key("given", hex.EncodeToString([]byte(ref))) }

const lastKey = "last"

func roomKey(r ident.URI) string            { return key("room", r.String()) }
func logKey(r ident.URI, seq uint64) string { return key("log", r.String(), digits(seq)) }
func seenKey(r ident.URI, page int) string  { return key("seen", r.String(), digits(uint64(page))) }
func turnKey(r ident.URI) string            { return key("turn", r.String()) }
func cursorKey(c, r ident.URI) string       { return key("cursor", c.String(), r.String()) }
func boxKey(c ident.URI, seq uint64) string { return key("box", c.String(), digits(seq)) }
func consentKey(s scope) string {
	return key("consent", s.requester.String(), s.target.String(), s.room.String())
}

type userRecord struct {
	Deleted bool    `json:"deleted,omitempty"`
	Profile Profile `json:"profile"`
}

type givenRecord struct {
	Client   string    `json:"client"`
	NotAfter time.Time `json:"not_after"`
}

func (f *Follower) saveUser(u *user) {
	f.put(userKey(u.uri), mustJSON(userRecord{u.deleted, u.profile}))
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func cursorRecord(at *cursor) []byte { return append(number(at.acked), number(at.welcome)...) }

func roomRecord(r *room) []byte { return append(number(r.last), number(r.since)...) }

// timeSize is how long a time is in a record.
const timeSize = 8

// stamped is a time and what happened then.
func stamped(at time.Time, body []byte) []byte {
	return append(number(uint64(at.UnixMilli())), body...)
}

// stamp writes a time over the first bytes of what happened then.
func stamp(at time.Time, record []byte) []byte {
	binary.BigEndian.PutUint64(record, uint64(at.UnixMilli()))
	return record
}

// seenPage is how many slots are in one record.
const seenPage = 16

// seenPages returns how many records a room's slots are in.
func seenPages(r *room) int { return (len(r.order) + seenPage - 1) / seenPage }

func seenRecord(r *room, page int) []byte {
	slots := r.order[page*seenPage : min(len(r.order), (page+1)*seenPage)]
	b := make([]byte, 0, len(slots)*len(digest{}))
	for i := range slots {
		b = append(b, slots[i][:]...)
	}
	return b
}

func boxRecord(b boxed) []byte {
	room := b.room.String()
	head := binary.BigEndian.AppendUint16(stamped(b.at, number(b.after)), uint16(len(room)))
	return append(append(head, room...), b.body...)
}

// mustJSON renders a record of plain fields, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("follower: record does not render: " + err.Error())
	}
	return b
}

// Restore makes the machine of all records that its Outputs had. No client is
// connected, and requests that were under way are forgotten: their clients get no
// reply. Errors say which record is wrong.
func Restore(cfg *Config, records []protocols.Record) (*Follower, error) {
	f, err := New(cfg)
	if err != nil {
		return nil, err
	}
	kinds := map[string][]protocols.Record{}
	for _, r := range records {
		kind, _, _ := strings.Cut(r.Key, "|")
		kinds[kind] = append(kinds[kind], r)
	}
	// In this order what one record refers to is there before it.
	for _, k := range []struct {
		name  string
		parts int
		read  func(f *Follower, parts []string, value []byte) error
	}{
		{"user", 1, (*Follower).readUser},
		{"client", 1, (*Follower).readClient},
		{"package", 2, (*Follower).readPackage},
		{"given", 1, (*Follower).readGiven},
		{"consent", 3, (*Follower).readConsent},
		{"last", 0, (*Follower).readLast},
		{"room", 1, (*Follower).readRoom},
		{"log", 2, (*Follower).readLog},
		{"seen", 2, (*Follower).readSeen},
		{"turn", 1, (*Follower).readTurn},
		{"cursor", 2, (*Follower).readCursor},
		{"box", 2, (*Follower).readBox},
	} {
		list := kinds[k.name]
		delete(kinds, k.name)
		slices.SortFunc(list, func(a, b protocols.Record) int { return cmp.Compare(a.Key, b.Key) })
		for _, r := range list {
			parts := strings.Split(r.Key, "|")[1:]
			if len(parts) != k.parts {
				return nil, fmt.Errorf("follower: record %q: a key of %d parts, want %d", r.Key, len(parts), k.parts)
			}
			if err := k.read(f, parts, r.Value); err != nil {
				return nil, fmt.Errorf("follower: record %q: %w", r.Key, err)
			}
		}
	}
	for _, left := range sortedKeys(kinds) {
		return nil, fmt.Errorf("follower: record %q: of no kind that is known", kinds[left][0].Key)
	}
	return f, nil
}

func (f *Follower) readUser(parts []string, value []byte) error {
	uri, err := ident.ParseURI(parts[0])
	if err != nil {
		return err
	}
	var r userRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	f.users[uri] = &user{uri: uri, deleted: r.Deleted, profile: r.Profile}
	return nil
}

func (f *Follower) readClient(parts []string, value []byte) error {
	uri, err := ident.ParseURI(parts[0])
	if err != nil {
		return err
	}
	name, err := mimi.UserOf(uri)
	if err != nil {
		return err
	}
	u, err := f.user(name)
	if err != nil {
		return err
	}
	c := f.newClient(u, uri)
	if len(value) > 0 {
		c.nextBox, err = readNumber(value)
	}
	return err
}

func (f *Follower) readPackage(parts []string, value []byte) error {
	c, err := f.clientNamed(parts[0])
	if err != nil {
		return err
	}
	var p message.KeyPackage
	if err := wire.Unmarshal(value, &p); err != nil {
		return err
	}
	k, err := f.known(&p)
	if err != nil {
		return err
	}
	if k.seq, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return err
	}
	c.packages = append(c.packages, k)
	return nil
}

func (f *Follower) readGiven(parts []string, value []byte) error {
	ref, err := hex.DecodeString(parts[0])
	if err != nil {
		return err
	}
	var r givenRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	c, err := f.clientNamed(r.Client)
	if err != nil {
		return err
	}
	f.given[string(ref)] = given{c.uri, r.NotAfter}
	return nil
}

func (f *Follower) readConsent(parts []string, value []byte) (err error) {
	var s scope
	for _, p := range []struct {
		dst  *ident.URI
		text string
	}{{&s.requester, parts[0]}, {&s.target, parts[1]}, {&s.room, parts[2]}} {
		if p.text == "" && p.dst == &s.room {
			continue
		}
		if *p.dst, err = ident.ParseURI(p.text); err != nil {
			return err
		}
	}
	if len(value) != 1 || !strings.Contains("agr", string(value)) {
		return fmt.Errorf("value %q, want a, g or r", value)
	}
	f.noteConsent(s, consent(value[0]))
	return nil
}

func (f *Follower) readLast(_ []string, value []byte) (err error) {
	f.last, err = readNumber(value)
	return err
}

func (f *Follower) readRoom(parts []string, value []byte) error {
	uri, err := ident.ParseURI(parts[0])
	if err != nil {
		return err
	}
	r := f.room(uri)
	f.out.Persist = f.out.Persist[:0]
	if len(value) != 16 {
		return fmt.Errorf("value of %d bytes, want 16", len(value))
	}
	r.last, r.since = binary.BigEndian.Uint64(value), binary.BigEndian.Uint64(value[8:])
	return nil
}

func (f *Follower) readLog(parts []string, value []byte) error {
	r, err := f.roomNamed(parts[0])
	if err != nil {
		return err
	}
	seq, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return err
	}
	at, rest, err := readStamped(value)
	if err != nil {
		return err
	}
	list, err := mimi.ParseFanoutMessages(rest, f.cfg.Points)
	if err != nil {
		return err
	}
	for i := range list {
		body, err := wire.Marshal(&list[i])
		if err != nil || !bytes.HasPrefix(rest, body) {
			return fmt.Errorf("event %d of %d is not as it is written", i+1, len(list))
		}
		n := len(body)
		f.append(r, entry{seq: seq + uint64(i), from: seq, at: at, body: rest[:n:n]})
		rest = rest[n:]
	}
	return nil
}

func (f *Follower) readSeen(parts []string, value []byte) error {
	r, err := f.roomNamed(parts[0])
	if err != nil {
		return err
	}
	page, err := strconv.Atoi(parts[1])
	if err != nil {
		return err
	}
	var d digest
	if n := len(value) / len(d); len(value)%len(d) != 0 || n < 1 || n > seenPage {
		return fmt.Errorf("value of %d bytes, want 1 to %d times %d", len(value), seenPage, len(d))
	}
	if want := page * seenPage; len(r.order) != want {
		return fmt.Errorf("page %d follows %d slots, want %d", page, len(r.order), want)
	}
	for b := range slices.Chunk(value, len(d)) {
		d = digest(b)
		r.order = append(r.order, d)
		r.seen[d] = true
	}
	return nil
}

func (f *Follower) readTurn(parts []string, value []byte) error {
	r, err := f.roomNamed(parts[0])
	if err != nil {
		return err
	}
	n, err := readNumber(value)
	if err == nil && n >= uint64(len(r.order)) {
		err = fmt.Errorf("slot %d of %d", n, len(r.order))
	}
	r.turn = int(n)
	return err
}

func (f *Follower) readCursor(parts []string, value []byte) error {
	c, err := f.clientNamed(parts[0])
	if err != nil {
		return err
	}
	r, err := f.roomNamed(parts[1])
	if err != nil {
		return err
	}
	if len(value) != 16 {
		return fmt.Errorf("value of %d bytes, want 16", len(value))
	}
	acked := binary.BigEndian.Uint64(value)
	f.enter(c, r, acked, binary.BigEndian.Uint64(value[8:]))
	for i := range r.log {
		if r.log[i].seq > acked {
			r.log[i].left++
		}
	}
	return nil
}

func (f *Follower) readBox(parts []string, value []byte) error {
	c, err := f.clientNamed(parts[0])
	if err != nil {
		return err
	}
	b := boxed{}
	if b.seq, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return err
	}
	if b.at, value, err = readStamped(value); err != nil {
		return err
	}
	if len(value) < 8 {
		return fmt.Errorf("%d bytes after the time, want 8 at least", len(value))
	}
	b.after, value = binary.BigEndian.Uint64(value), value[8:]
	if len(value) < 2 || len(value)-2 < int(binary.BigEndian.Uint16(value)) {
		return fmt.Errorf("%d bytes end within the room's URI", len(value))
	}
	n := 2 + int(binary.BigEndian.Uint16(value))
	if n > 2 {
		if b.room, err = ident.ParseURI(string(value[2:n])); err != nil {
			return err
		}
	}
	b.body = slices.Clone(value[n:])
	if b.from = b.room.Provider(); n == 2 {
		e, err := mimi.ParseConsentEntry(b.body)
		if err != nil {
			return err
		}
		s, err := scopeOf(e)
		if err != nil {
			return err
		}
		b.from = other(c.user, s)
	}
	c.box = append(c.box, b)
	return nil
}

func readNumber(value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, fmt.Errorf("value of %d bytes, want 8", len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

func readStamped(value []byte) (time.Time, []byte, error) {
	if len(value) < 8 {
		return time.Time{}, nil, fmt.Errorf("value of %d bytes, want 8 at least", len(value))
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(value))).UTC(), slices.Clone(value[8:]), nil
}

// clientNamed and roomNamed return what an earlier record made.
func (f *Follower) clientNamed(name string) (*client, error) {
	uri, err := ident.ParseURI(name)
	if err != nil {
		return nil, err
	}
	return f.client(uri)
}

func (f *Follower) roomNamed(name string) (*room, error) {
	uri, err := ident.ParseURI(name)
	if err != nil {
		return nil, err
	}
	if r := f.rooms[uri]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("no room %v", uri)
}

// sortedKeys and sortedURIs are the keys of a map in order, so that equal machines
// do equal things.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func sortedURIs[V any](m map[ident.URI]V) []ident.URI {
	return slices.SortedFunc(maps.Keys(m), compareURI)
}

func compareURI(a, b ident.URI) int { return strings.Compare(a.String(), b.String()) }

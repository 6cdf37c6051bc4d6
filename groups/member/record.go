package member

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// The records that are kept, which hold secrets. Parts of a key are separated by a
// bar, which no URI holds unencoded; numbers in keys have 20 digits, so that they
// sort.
//
//	head                      the numbers that were given: JSON
//	key|N                     a KeyPackage with its private keys (protocols/mls)
//	call|N                    a call without an answer: JSON
//	grant|USER|ROOM           KeyPackages with a grant of consent; ROOM is empty for every room: JSON
//	room|ROOM                 how far this client is in the room: JSON
//	mls|ROOM|KEY              the records of its group (protocols/mls)
//	join|ROOM|KEY             those of the group that a Join has made
//	welcome|ROOM              a Welcome that came while that is at the hub
//	do|ROOM|N                 an intention: JSON
//	own|ROOM                  what is at the hub: JSON
//	seen|ROOM|SLOT            a message that was told: its ID, and which it was (8 bytes)
//	held|ROOM|SEQ             an event that waits for what becomes of that

const headKey = "head"

func key(parts ...string) string { return strings.Join(parts, "|") }

func digits(n uint64) string { return fmt.Sprintf("%020d", n) }

func keyPackageKey(n uint64) string               { return key("key", digits(n)) }
func flightKey(n uint64) string                   { return key("call", digits(n)) }
func roomKey(uri ident.URI) string                { return key("room", uri.String()) }
func groupKey(uri ident.URI, k string) string     { return key("mls", uri.String(), k) }
func joinedKey(uri ident.URI, k string) string    { return key("join", uri.String(), k) }
func intentionKey(uri ident.URI, n uint64) string { return key("do", uri.String(), digits(n)) }
func ownKey(uri ident.URI) string                 { return key("own", uri.String()) }
func seenKey(uri ident.URI, slot uint64) string   { return key("seen", uri.String(), digits(slot)) }
func welcomeKey(uri ident.URI) string             { return key("welcome", uri.String()) }
func heldKey(uri ident.URI, n uint64) string      { return key("held", uri.String(), digits(n)) }

// mustJSON writes what is kept, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("member: invariant broken, the state can be written: " + err.Error())
	}
	return b
}

func (m *Member) putHead() { m.put(headKey, mustJSON(m.head)) }

func (m *Member) putFlight(f *flight) { m.put(flightKey(f.ID), mustJSON(f)) }

func (m *Member) putRoom(r *chatRoom) { m.put(roomKey(r.uri), mustJSON(r.roomHead)) }

func (m *Member) putIntention(r *chatRoom, it *intention) {
	m.put(intentionKey(r.uri, it.ID), mustJSON(it))
}

func (m *Member) putOwn(r *chatRoom) {
	if r.own == nil {
		m.put(ownKey(r.uri), nil)
		return
	}
	m.put(ownKey(r.uri), mustJSON(r.own))
}

// putGroup notes what has changed of a room's group.
func (m *Member) putGroup(r *chatRoom) { m.putRecords(r, r.group.Changes()) }

// putAll notes all of it.
func (m *Member) putAll(r *chatRoom) { m.putRecords(r, r.group.State()) }

func (m *Member) putRecords(r *chatRoom, list []mls.Record) {
	for _, rec := range list {
		m.put(groupKey(r.uri, rec.Key), rec.Value)
	}
}

func (m *Member) putJoined(r *chatRoom) {
	for _, rec := range r.joined.State() {
		m.put(joinedKey(r.uri, rec.Key), rec.Value)
	}
}

func (m *Member) dropJoined(r *chatRoom) {
	for _, rec := range r.joined.State() {
		m.put(joinedKey(r.uri, rec.Key), nil)
	}
	r.joined = nil
}

func (m *Member) dropWelcome(r *chatRoom) {
	if r.welcome != nil {
		r.welcome = nil
		m.put(welcomeKey(r.uri), nil)
	}
}

// dropGroup deletes the records of a room's group.
func (m *Member) dropGroup(r *chatRoom, g *mls.Group) {
	if g == nil {
		return
	}
	for _, list := range [][]mls.Record{g.Changes(), g.State()} {
		for _, rec := range list {
			m.put(groupKey(r.uri, rec.Key), nil)
		}
	}
}

// Restore returns the member whose Output.Persist, from the first Step on, the records
// are, or what a store has made of them: of several records with one key the last
// counts, and one without a value deletes. cfg is as it was. The machine goes on as
// if it had never stopped; a shell that has lost sight of calls that were under way
// steps it with Resume. Errors wrap [ErrState].
func Restore(cfg Config, records []protocols.Record) (*Member, error) {
	m, err := New(cfg)
	if err != nil {
		return nil, err
	}
	values := make(map[string][]byte, len(records))
	for _, r := range records {
		if r.Value == nil {
			delete(values, r.Key)
		} else {
			values[r.Key] = r.Value
		}
	}
	s := &restorer{m: m, groups: make(map[ident.URI][]mls.Record), joined: make(map[ident.URI][]mls.Record), seen: make(map[*chatRoom][][]byte)}
	for _, k := range sortedKeys(values) {
		if err := s.record(k, values[k]); err != nil {
			return nil, fmt.Errorf("%w: record %.120q: %w", ErrState, k, err)
		}
	}
	if err := s.finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return m, nil
}

// restorer reads records, those of rooms after those of the group.
type restorer struct {
	m              *Member
	groups, joined map[ident.URI][]mls.Record
	seen           map[*chatRoom][][]byte
	rest           []func() error
}

func (s *restorer) record(k string, b []byte) error {
	if k == headKey {
		return json.Unmarshal(b, &s.m.head)
	}
	what, rest, ok := strings.Cut(k, "|")
	if !ok {
		return fmt.Errorf("no such record")
	}
	switch what {
	case "key":
		n, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			return err
		}
		kp, err := s.m.groups.UnmarshalKeyPackage(b)
		if err != nil {
			return err
		}
		s.m.keys, s.m.keySeq = append(s.m.keys, kp), append(s.m.keySeq, n)
		return nil
	case "call":
		return s.flight(b)
	}
	name, rest, _ := strings.Cut(rest, "|")
	uri, err := ident.ParseURI(name)
	if err != nil {
		return err
	}
	switch what {
	case "grant":
		return s.m.readGrant(uri, rest, b)
	case "room":
		r := &chatRoom{uri: uri}
		s.m.rooms[uri] = r
		return json.Unmarshal(b, &r.roomHead)
	case "mls":
		s.groups[uri] = append(s.groups[uri], mls.Record{Key: rest, Value: b})
		return nil
	case "join":
		s.joined[uri] = append(s.joined[uri], mls.Record{Key: rest, Value: b})
		return nil
	}
	s.rest = append(s.rest, func() error { return s.inRoom(uri, what, rest, b) })
	return nil
}

func (s *restorer) flight(b []byte) error {
	f := new(flight)
	if err := json.Unmarshal(b, f); err != nil {
		return err
	}
	e, ok := mimi.FindEndpoint(f.Endpoint)
	if !ok {
		return fmt.Errorf("no endpoint %q", f.Endpoint)
	}
	if _, err := e.ParseRequest(f.Body, s.m.cfg.Points); err != nil {
		return err
	}
	s.m.flights[f.ID] = f
	return nil
}

// inRoom reads a record of a room that was read.
func (s *restorer) inRoom(uri ident.URI, what, rest string, b []byte) error {
	r := s.m.rooms[uri]
	if r == nil {
		return fmt.Errorf("%s of %v, which is no room", what, uri)
	}
	switch what {
	case "do":
		it := new(intention)
		r.todo = append(r.todo, it)
		if err := json.Unmarshal(b, it); err != nil {
			return err
		}
		if first := r.Status == joining && len(r.todo) == 1; !slices.Contains(verbs, it.Do) || (it.Do == doJoin) != first {
			return fmt.Errorf("intention %d to %q, while %s", len(r.todo), it.Do, r.Status)
		}
		return nil
	case "welcome":
		r.welcome = b
		return nil
	case "own":
		r.own = new(own)
		return json.Unmarshal(b, r.own)
	case "seen":
		if len(b) != 40 {
			return fmt.Errorf("%d bytes, want 40", len(b))
		}
		s.seen[r] = append(s.seen[r], b)
		return nil
	case "held":
		seq, err := strconv.ParseUint(rest, 10, 64)
		r.hold(held{seq, b})
		return err
	}
	return fmt.Errorf("no such record")
}

// finish makes the groups, and then what is of them.
func (s *restorer) finish() error {
	for uri, r := range s.m.rooms {
		var err error
		if list := s.groups[uri]; list != nil {
			if r.group, err = mls.Restore(s.m.groups, list); err == nil {
				r.state, err = s.m.decode(r.group)
			}
		}
		if list := s.joined[uri]; err == nil && list != nil {
			r.joined, err = mls.Restore(s.m.groups, list)
		}
		if err == nil && (r.group == nil) != (r.Status == joining) {
			err = fmt.Errorf("status %q does not fit the group", r.Status)
		}
		if err != nil {
			return fmt.Errorf("room %v: %w", uri, err)
		}
	}
	for _, f := range s.rest {
		if err := f(); err != nil {
			return err
		}
	}
	for r, list := range s.seen {
		slices.SortFunc(list, func(a, b []byte) int { return bytes.Compare(a[32:], b[32:]) })
		r.seen.turn = binary.BigEndian.Uint64(list[0][32:]) - 1
		if n := r.seen.turn % maxSeen; n != 0 { // the ring is full, and begins elsewhere
			r.seen.ring = make([]content.MessageID, maxSeen)
		}
		for _, b := range list {
			r.seen.add(content.MessageID(b[:32]))
		}
	}
	for uri, r := range s.m.rooms {
		if err := s.check(r); err != nil {
			return fmt.Errorf("room %v: %w", uri, err)
		}
	}
	return nil
}

// check checks that what is at the hub is what its kind says.
func (s *restorer) check(r *chatRoom) error {
	o := r.own
	if o == nil {
		return nil
	}
	for _, b := range o.Messages {
		if _, err := message.Parse(b, s.m.groups.Points); err != nil {
			return err
		}
	}
	switch o.Kind {
	case ownCommit:
		if r.group == nil || o.Changed == nil {
			return fmt.Errorf("a commit without a group")
		}
	case ownProposals, ownMessage:
		if r.group == nil {
			return fmt.Errorf("%s without a group", o.Kind)
		}
	case ownJoin:
		if r.joined == nil {
			return fmt.Errorf("a join without its group")
		}
	default:
		return fmt.Errorf("%q at the hub", o.Kind)
	}
	return nil
}

func sortedKeys(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

package hub

import (
	"bytes"
	"container/heap"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ErrState: records do not form the state of a hub.
var ErrState = errors.New("hub: invalid state")

// Restore returns the hub whose Output.Persist, from the first Step on, the records
// are, or what a store has made of them: of several records with one key the last
// counts, and one without a value deletes. cfg is as it was. The hub goes on as if it
// had never stopped; a shell that has lost sight of the requests that were under way
// steps it with [Resume].
func Restore(cfg Config, records []protocols.Record) (*Hub, error) {
	h, err := New(cfg)
	if err != nil {
		return nil, err
	}
	last := make(map[string][]byte, len(records))
	for _, rec := range records {
		if rec.Value == nil {
			delete(last, rec.Key)
		} else {
			last[rec.Key] = bytes.Clone(rec.Value)
		}
	}
	rooms := make(map[string]*stored)
	for _, key := range sortedKeys(last) {
		if err := h.restore(rooms, key, last[key]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrState, err)
		}
	}
	for _, name := range sortedKeys(rooms) {
		if err := h.restoreRoom(rooms[name]); err != nil {
			return nil, fmt.Errorf("%w: room %q: %w", ErrState, name, err)
		}
	}
	return h, nil
}

// stored is what the records say of a room.
type stored struct {
	room    *chatRoom
	head    bool
	info    bool
	mls     []mls.Record
	pending map[uint64]pendingProposal
	said    []*utterance
}

// restore takes one record.
func (h *Hub) restore(rooms map[string]*stored, key string, b []byte) error {
	kind, rest, _ := strings.Cut(key, "/")
	switch kind {
	case "key":
		ref, err := hex.DecodeString(rest)
		if err != nil {
			return fmt.Errorf("record %q: %w", key, err)
		}
		e := &route{ref: string(ref)}
		if err := read(key, b, func(r *wire.Reader) {
			e.to = string(r.Opaque())
			e.notAfter = int64(r.Uint64())
			e.lasts = readBool(r)
		}); err != nil {
			return err
		}
		h.routes.add(e)
		return nil
	case "hold":
		at, err := readTime(key, b)
		h.holds[rest] = at
		return err
	case "room":
		name, rest, ok := strings.Cut(rest, "/")
		if !ok {
			break
		}
		s := rooms[name]
		if s == nil {
			s = &stored{room: newRoom(ident.URI{}, nil), pending: make(map[uint64]pendingProposal)}
			s.room.key = "room/" + name + "/"
			rooms[name] = s
		}
		return h.restorePart(s, key, rest, b)
	}
	return fmt.Errorf("record %q is of no kind", key)
}

// restorePart takes a record of a room.
func (h *Hub) restorePart(s *stored, key, rest string, b []byte) error {
	r := s.room
	kind, name, _ := strings.Cut(rest, "/")
	number := func() (uint64, error) {
		n, err := strconv.ParseUint(name, 16, 64)
		if err != nil || len(name) != 16 {
			return 0, fmt.Errorf("record %q: want a number of 16 hexadecimal digits", key)
		}
		return n, nil
	}
	switch kind {
	case "head":
		s.head = true
		var uri string
		if err := read(key, b, func(rd *wire.Reader) {
			uri = string(rd.Opaque())
			r.lastTime, r.lastSeq = rd.Uint64(), rd.Uint64()
			r.last = accepted{rd.Opaque(), rd.Uint64()}
		}); err != nil {
			return err
		}
		var err error
		if r.uri, err = ident.ParseURI(uri); err != nil {
			return fmt.Errorf("record %q: %w", key, err)
		}
		return nil
	case "info":
		s.info = true
		return read(key, b, r.info.read)
	case "mls":
		s.mls = append(s.mls, mls.Record{Key: name, Value: b})
		return nil
	case "pending":
		n, err := number()
		if err != nil {
			return err
		}
		var p pendingProposal
		err = read(key, b, func(rd *wire.Reader) { p.read(rd, &h.cfg.Points.MLS) })
		s.pending[n] = p
		return err
	case "said":
		u := new(utterance)
		s.said = append(s.said, u)
		return read(key, b, u.read)
	case "event":
		n, err := number()
		if err != nil {
			return err
		}
		e := &event{seq: n}
		r.events[n] = e
		return read(key, b, func(rd *wire.Reader) { e.read(rd, len(b)) })
	case "to":
		return read(key, b, r.queue(name).read)
	case "missed":
		return read(key, b, r.queue(name).readMissed)
	case "join":
		user, err := ident.ParseURI(name)
		if err != nil {
			return fmt.Errorf("record %q: %w", key, err)
		}
		r.joins[user], err = readTime(key, b)
		return err
	}
	return fmt.Errorf("record %q is of no kind", key)
}

// restoreRoom makes a room of what was read.
func (h *Hub) restoreRoom(s *stored) error {
	r := s.room
	switch {
	case !s.head || !s.info:
		return errors.New("records are missing")
	case r.uri.Kind() != ident.KindRoom || r.uri.Provider() != h.cfg.Domain || roomKey(r.uri) != r.key:
		return fmt.Errorf("the records are of room %v", r.uri)
	}
	var err error
	if r.group, err = mls.RestorePublic(h.groups, s.mls); err != nil {
		return err
	}
	if h.ids[string(r.group.GroupID())] != nil {
		return fmt.Errorf("group %x is that of another room", r.group.GroupID())
	}
	if err := h.index(r); err != nil {
		return err
	}
	if err := h.restorePending(r, s.pending); err != nil {
		return err
	}
	if r.state, err = h.decode(r); err != nil {
		return err
	}
	u := update{h: h, room: r}
	if r.state, err = u.state(r.state.epoch, r.group.Proposals()); err != nil {
		return err
	}
	if err := r.said.restore(s.said, h.cfg.Remembered); err != nil {
		return err
	}
	if err := h.restoreQueues(r); err != nil {
		return err
	}
	h.rooms[r.uri], h.ids[string(r.group.GroupID())] = r, r
	return nil
}

// restorePending takes the proposals that wait for a Commit, of which the group has
// its own records.
func (h *Hub) restorePending(r *chatRoom, list map[uint64]pendingProposal) error {
	known := r.group.Proposals()
	if len(known) != len(list) {
		return fmt.Errorf("%d proposals wait for a commit, the group has %d", len(list), len(known))
	}
	for i := range known {
		p, ok := list[uint64(i)]
		if !ok {
			return fmt.Errorf("proposal %d is missing", i)
		}
		if p.message.Public == nil {
			return fmt.Errorf("proposal %d is none", i)
		}
		ref, err := p.message.Public.Authenticated().Ref(h.groups.Suite)
		if err != nil || !bytes.Equal(ref, known[i].Ref) {
			return fmt.Errorf("proposal %d is not that of the group", i)
		}
		r.pending = append(r.pending, p)
	}
	return nil
}

// restoreQueues gives the events to the queues that they are still to go through.
func (h *Hub) restoreQueues(r *chatRoom) error {
	seqs := make([]uint64, 0, len(r.events))
	for seq := range r.events {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	for _, seq := range seqs {
		e := r.events[seq]
		if seq > r.lastSeq {
			return fmt.Errorf("event %d follows the last, %d", seq, r.lastSeq)
		}
		for i := range e.targets {
			q := r.queue(e.targets[i].to)
			if seq <= q.acked {
				continue
			}
			e.open++
			q.add(e)
			if e.targets[i].sent {
				q.flight = max(q.flight, seq)
			}
		}
		if e.open == 0 {
			return fmt.Errorf("event %d is for nobody any more", seq)
		}
	}
	for to, q := range r.queues {
		if q.flight != 0 && len(q.underWay()) == 0 || q.failures > maxFailures {
			return fmt.Errorf("queue to %s has event %d under way, which is not there", to, q.flight)
		}
		if q.retryAt != 0 {
			heap.Push(&h.retries, retry{q.retryAt, q})
		}
	}
	return nil
}

// sortedUsers returns users in a total order.
func sortedUsers(m map[ident.URI]int64) []ident.URI {
	list := make([]ident.URI, 0, len(m))
	for u := range m {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b ident.URI) int { return strings.Compare(a.String(), b.String()) })
	return list
}

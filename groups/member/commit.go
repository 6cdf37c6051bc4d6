package member

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// kind is what of ours is at the hub.
type kind string

const (
	ownCommit    kind = "commit"
	ownProposals kind = "proposals"
	ownJoin      kind = "join"
	ownMessage   kind = "message"
)

// own is what of ours is at the hub, and what is to happen if it accepts it. It is
// kept, but for the last fields, which are made again of the others.
type own struct {
	Kind      kind         `json:"kind"`
	Intention uint64       `json:"intention"`
	Last      bool         `json:"last,omitempty"` // the intention is done with it
	Flight    uint64       `json:"flight"`
	Epoch     uint64       `json:"epoch"`             // that it is of
	Messages  [][]byte     `json:"messages"`          // MLSMessages
	Staged    []byte       `json:"staged,omitempty"`  // of ownCommit
	Changed   *RoomChanged `json:"changed,omitempty"` // of ownCommit
	Pending   int          `json:"pending,omitempty"` // how many proposals there were when it was made
	// Stale: the hub is at another epoch, so that this was not accepted or has been
	// overtaken; or it has refused what it may have accepted before. The events that are
	// on their way will tell.
	Stale bool `json:"stale,omitempty"`

	staged *mls.Staged
	next   *verdict
}

// is reports whether a message is one of ours that are at the hub.
func (o *own) is(b []byte) bool {
	if o == nil {
		return false
	}
	for _, m := range o.Messages {
		if bytes.Equal(m, b) {
			return true
		}
	}
	return false
}

// commit makes a Commit of the proposals that wait and others, and sends it (Update
// Room State). The group changes when it is known to be accepted.
func (m *Member) commit(now time.Time, r *chatRoom, it *intention, list []message.Proposal, last bool) error {
	p, err := r.group.Commit(now, mls.CommitOptions{
		Proposals: list, Path: it.Do == doCommit, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	})
	if err != nil {
		return err
	}
	v, err := m.judge(r, &p.Staged)
	if err != nil {
		return err
	}
	if last && !it.Auto {
		v.changed.ID = it.ID
	}
	staged, err := r.group.MarshalPending(&p.Staged)
	if err != nil {
		return err
	}
	req, err := m.bundle(p)
	if err != nil {
		return err
	}
	o := &own{
		Kind: ownCommit, Last: last, Messages: [][]byte{p.Message}, Staged: staged, Changed: v.changed,
		Pending: len(r.group.Proposals()), staged: &p.Staged, next: &v,
	}
	return m.toHub(r, it, o, mimi.EndpointUpdate, req)
}

// bundle returns the UpdateRequest of a Commit. The hub follows the group, so that it
// needs neither the GroupInfo as a whole nor the tree.
func (m *Member) bundle(p *mls.Pending) (*mimi.UpdateRequest, error) {
	c, err := message.Parse(p.Message, m.groups.Points)
	if err != nil {
		return nil, err
	}
	b := mimi.HandshakeBundle{ProposalOrCommit: *c, RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeDistributionService}}
	if b.GroupInfoOption.Partial, err = mimi.NewPartialGroupInfo(p.GroupInfo); err != nil {
		return nil, err
	}
	if p.Welcome != nil {
		w, err := message.Parse(p.Welcome, m.groups.Points)
		if err != nil {
			return nil, err
		}
		b.Welcome = w.Welcome
	}
	return &mimi.UpdateRequest{Bundle: b}, nil
}

// leave proposes that this user goes, with all clients (Bob Leaves the Room). A client
// that is the user's only one proposes it by a SelfRemove, which others can commit
// who join from outside.
func (m *Member) leave(now time.Time, r *chatRoom, it *intention) error {
	list, err := m.proposals(r, it)
	if err != nil {
		return err
	}
	if len(list) == 2 { // the participant list and one client, this one
		list[1] = m.groups.SelfRemoveProposal()
	}
	// They count from when the hub has accepted them, so they are made by a copy.
	records := r.group.State()
	m.putRecords(r, records)
	g, err := mls.Restore(m.groups, records)
	if err != nil {
		return err
	}
	o := &own{Kind: ownProposals, Last: true}
	req := new(mimi.UpdateRequest)
	// Clients first: who is off the list before its clients are out has clients that
	// are of nobody.
	for i := len(list) - 1; i >= 0; i-- {
		b, err := g.Propose(now, list[i], mls.SendOptions{})
		if err != nil {
			return err
		}
		p, err := message.Parse(b, m.groups.Points)
		if err != nil {
			return err
		}
		if len(o.Messages) == 0 {
			req.Bundle.ProposalOrCommit = *p
		} else {
			req.Bundle.MoreProposals = append(req.Bundle.MoreProposals, *p)
		}
		o.Messages = append(o.Messages, b)
	}
	return m.toHub(r, it, o, mimi.EndpointUpdate, req)
}

// toHub sends something of an intention to the hub.
func (m *Member) toHub(r *chatRoom, it *intention, o *own, endpoint mimi.EndpointName, req wire.Marshaler) error {
	f := &flight{Endpoint: endpoint, Room: r.uri, Own: true}
	b, err := wire.Marshal(req)
	if err != nil {
		return err
	}
	o.Intention = it.ID
	if r.group != nil {
		o.Epoch = r.group.Epoch()
	}
	f.Body, f.Intention = b, it.ID
	m.launch(f, req)
	o.Flight = f.ID
	r.own = o
	m.putOwn(r)
	return nil
}

// updated takes the hub's answer to a Commit or proposals.
func (m *Member) updated(now time.Time, r *chatRoom, f *flight, resp *mimi.UpdateRoomResponse) {
	o := r.own
	switch resp.ResponseCode {
	case mimi.UpdateSuccess:
		m.accepted(now, r, resp.AcceptedTimestamp, nil)
	case mimi.UpdateWrongEpoch:
		if o.Kind == ownJoin && f.Tries > 0 && !o.Stale {
			// It may have been accepted before, and its echo be on its way.
			o.Stale = true
			m.putOwn(r)
			m.later(now, f)
			return
		}
		if o.Kind == ownJoin {
			// The provider has let this client out, and lets it in again with the next
			// Commit, on a GroupInfo of the new epoch: what came until then is of before.
			m.dropHeld(r)
			r.Seq = 0
			m.putRoom(r)
			m.rebuild(now, r)
			return
		}
		if o.Epoch < r.group.Epoch() {
			m.rebuild(now, r)
			return
		}
		// What has overtaken it is on its way, or it was accepted before and the answer
		// was lost. The next event tells, or that there is none.
		if o.Stale && f.Tries >= m.cfg.Tries {
			m.lost(r, resp.CurrentEpoch)
			m.failOwn(now, r, &Error{Code: resp.ResponseCode, Text: resp.ErrorDescription}, true)
			return
		}
		o.Stale = true
		m.later(now, f)
		m.putOwn(r)
		m.settle(now, r)
	default:
		it := r.find(o.Intention)
		why := &Error{Code: resp.ResponseCode, Text: resp.ErrorDescription}
		if o.Kind == ownJoin || it == nil {
			m.failOwn(now, r, why, false)
			return
		}
		if it.Granted { // perhaps they were used; others can be fetched
			it.Keys, it.Granted, it.Wait = nil, false, 0
			m.dropOwn(r)
			m.putIntention(r, it)
			m.goOn(now, r)
			return
		}
		// The hub may have accepted proposals that this Commit lacks. If they have come,
		// it is made anew; if not, they are given the time of one retry.
		if r.group != nil && len(r.group.Proposals()) == o.Pending {
			if o.Kind != ownCommit || it.Refused {
				m.failOwn(now, r, why, false)
				return
			}
		}
		m.dropOwn(r)
		if it.Wait, it.Refused = 0, true; len(r.group.Proposals()) == o.Pending {
			it.Wait = now.Add(m.cfg.RetryMin).UnixMilli()
		}
		m.putIntention(r, it)
		m.goOn(now, r)
	}
}

// failOwn ends an intention whose message the hub refused.
func (m *Member) failOwn(now time.Time, r *chatRoom, why error, unknown bool) {
	it := r.find(r.own.Intention)
	m.dropOwn(r)
	if it != nil {
		m.fail(r, it, why, unknown)
	}
	m.goOn(now, r)
}

// rebuild drops what is at the hub, which was not accepted, and begins the same
// intention again.
func (m *Member) rebuild(now time.Time, r *chatRoom) {
	m.undo(r)
	m.goOn(now, r)
}

// undo drops what is at the hub and was not accepted.
func (m *Member) undo(r *chatRoom) {
	it := r.find(r.own.Intention)
	m.dropOwn(r)
	if it != nil {
		it.Wait = 0
		m.putIntention(r, it)
	}
}

// accepted is what follows when it is known that the hub has accepted what is ours. at
// is the hub's time, 0 if it is not known.
func (m *Member) accepted(now time.Time, r *chatRoom, at uint64, frank *mimi.Frank) {
	o := r.own
	it := r.find(o.Intention)
	switch o.Kind {
	case ownCommit:
		staged, err := m.stagedOf(r, o)
		if err == nil {
			err = r.group.Merge(staged)
		}
		if err != nil {
			m.lose(r, "own commit", err)
			m.failOwn(now, r, err, false)
			return
		}
		m.newEpoch(r, o.next)
		m.event(*o.Changed)
	case ownProposals:
		if err := m.keepOwn(now, r, o); err != nil {
			m.lose(r, "own proposals", err)
			m.failOwn(now, r, err, false)
			return
		}
		r.Status = leaving
		m.putRoom(r)
		m.event(Leaving{ID: o.Intention, Room: r.uri})
	case ownJoin:
		if err := m.joinedRoom(r, it); err != nil {
			m.leaveRoom(r.uri, r.Seq)
			m.failOwn(now, r, err, false)
			return
		}
	case ownMessage:
		if it != nil {
			m.event(Sent{ID: it.ID, Room: r.uri, Message: it.Message, Accepted: millis(at), Frank: frank})
		}
	}
	m.dropOwn(r)
	if it != nil {
		if o.Last {
			m.finish(r, it)
		} else { // the next step of the same
			it.Tries, it.Wait = 0, 0
			m.putIntention(r, it)
		}
	}
	m.goOn(now, r)
}

// stagedOf returns the Commit that is at the hub.
func (m *Member) stagedOf(r *chatRoom, o *own) (*mls.Staged, error) {
	if o.staged != nil {
		return o.staged, nil
	}
	return r.group.UnmarshalPending(o.Staged)
}

// keepOwn keeps proposals that the hub has accepted for the next Commit.
func (m *Member) keepOwn(now time.Time, r *chatRoom, o *own) error {
	for _, b := range o.Messages {
		p, err := message.Parse(b, m.groups.Points)
		if err != nil {
			return err
		}
		received, err := r.group.CheckProposal(now, p.Public)
		if errors.Is(err, mls.ErrDuplicate) {
			continue
		}
		if err == nil {
			err = r.group.Keep(received)
		}
		if err != nil {
			return err
		}
	}
	m.putGroup(r)
	return nil
}

// newEpoch is what follows a Commit that was merged. v is nil if the state is to be
// read anew.
func (m *Member) newEpoch(r *chatRoom, v *verdict) {
	if v != nil {
		r.state = v.state
	} else if s, err := m.decode(r.group); err == nil {
		r.state = s
	} else {
		m.lose(r, "state of the room", err)
	}
	if r.Status == leaving {
		r.Status = inside // unless what comes next says so again
	}
	r.Commit = 0
	m.putRoom(r)
	m.putGroup(r)
	for _, it := range r.todo {
		if it.Flight == 0 && (it.Wait != 0 || it.Refused) {
			it.Wait, it.Refused = 0, false
			m.putIntention(r, it)
		}
	}
}

// lose tells that something of a room is refused, and that it may have to be entered
// anew.
func (m *Member) lose(r *chatRoom, what string, err error) {
	m.event(Refused{Room: r.uri, What: what, Why: err})
	if !r.Lost {
		r.Lost = true
		m.putRoom(r)
	}
}

// dropOwn forgets what is at the hub. An answer to it that comes later is ignored.
func (m *Member) dropOwn(r *chatRoom) {
	if r.own == nil {
		return
	}
	m.land(r.own.Flight)
	if r.joined != nil {
		m.dropJoined(r)
	}
	r.own = nil
	m.putOwn(r)
}

// lastMillis is the last time that RFC 3339 has a form for, in the year 9999. Applications
// write times in it, as JSON does.
const lastMillis = 253_402_300_799_999

// millis returns a time of the wire; that of 0, or one that a hub made up, is the zero
// time.
func millis(at uint64) time.Time {
	if at == 0 || at > lastMillis {
		return time.Time{}
	}
	return time.UnixMilli(int64(at)).UTC()
}

func unmarshal(b []byte, v wire.Unmarshaler) error {
	if err := wire.Unmarshal(b, v); err != nil {
		return fmt.Errorf("member: %w", err)
	}
	return nil
}

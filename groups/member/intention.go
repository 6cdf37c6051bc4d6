package member

import (
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// verb is what an intention does.
type verb string

const (
	doAdd       verb = "add"
	doRemove    verb = "remove"
	doBan       verb = "ban"
	doRole      verb = "role"
	doMetadata  verb = "metadata"
	doComponent verb = "component"
	doLeave     verb = "leave"
	doCommit    verb = "commit"
	doJoin      verb = "join"
	doSend      verb = "send"
)

var verbs = []verb{doAdd, doRemove, doBan, doRole, doMetadata, doComponent, doLeave, doCommit, doJoin, doSend}

// intention is what a user wants in a room, as it is kept.
type intention struct {
	ID        uint64              `json:"id"`
	Do        verb                `json:"do"`
	User      ident.URI           `json:"user,omitzero"`
	Role      uint32              `json:"role,omitempty"`
	Component message.ComponentID `json:"component,omitempty"`
	Data      []byte              `json:"data,omitempty"` // a component's update, or content
	Code      []byte              `json:"code,omitempty"`
	Message   content.MessageID   `json:"message,omitzero"` // of content
	// Auto says that nobody asked for it: it fails in silence.
	Auto bool `json:"auto,omitempty"`

	Tries  int      `json:"tries,omitempty"`
	Keys   [][]byte `json:"keys,omitempty"`   // KeyPackages that were fetched or granted; each is used once
	Secret []byte   `json:"secret,omitempty"` // of the groupInfoPublicKey
	Flight uint64   `json:"flight,omitempty"` // the call that is under way before there is anything for the hub
	Wait   int64    `json:"wait,omitempty"`   // not before this time, in ms since 1970, unless the epoch changes
	// Granted: Keys came with a grant of consent. Another client of this user may have
	// used them as well.
	Granted bool `json:"granted,omitempty"`
	// Refused: the hub has refused a Commit of it in this epoch, and it is made once
	// more, since the hub may require proposals that are on their way.
	Refused bool `json:"refused,omitempty"`
}

// want begins an intention in a room. What the policy forbids is refused at once if
// nothing comes before it.
func (m *Member) want(now time.Time, uri ident.URI, it *intention) error {
	r, err := m.findRoom(uri)
	if err != nil {
		return err
	}
	if err := m.check(r, it); err != nil {
		return err
	}
	m.begin(now, r, it)
	return nil
}

// check says why an intention cannot be begun.
func (m *Member) check(r *chatRoom, it *intention) error {
	switch it.Do {
	case doAdd, doRemove, doBan, doRole:
	default:
		it.User = m.user
	}
	if it.User.Kind() != ident.KindUser && it.User.Kind() != ident.KindPseudonym {
		return fmt.Errorf("member: %v, want the URI of a user", it.User)
	}
	if len(r.todo) >= maxWaiting {
		return fmt.Errorf("%v: %w", r.uri, ErrBusy)
	}
	if r.Status == leaving || slices.ContainsFunc(r.todo, func(o *intention) bool { return o.Do == doLeave }) {
		return fmt.Errorf("%v: %w", r.uri, ErrLeaving)
	}
	if r.Status != inside || len(r.todo) > 0 {
		return nil
	}
	return m.allowed(r, it)
}

// allowed asks the policy, as of now, about an intention by itself.
func (m *Member) allowed(r *chatRoom, it *intention) error {
	changes, err := m.changes(r, m.pendingState(r), it)
	if err != nil || len(changes) == 0 {
		return err
	}
	_, err = room.Authorize(m.pendingState(r), &room.Actor{User: m.user.String()}, changes...)
	return err
}

// changes says what an intention is to a room, as far as it is known before clients
// are.
func (m *Member) changes(r *chatRoom, s *room.State, it *intention) ([]room.Change, error) {
	name := it.User.String()
	_, listed := s.Find(name)
	removals := func() (out []room.Change) {
		gone := removedBy(r.group.Proposals())
		for leaf := range m.clients(r.group.Tree(), it.User) {
			if !gone[uint32(leaf)] {
				out = append(out, room.RemoveClient{User: name})
			}
		}
		return out
	}
	switch it.Do {
	case doAdd:
		if listed {
			return nil, nil
		}
		return []room.Change{room.AddParticipant{User: name, Role: it.Role}}, nil
	case doRemove, doBan, doRole:
		switch {
		case it.Do == doRemove && it.User == m.user:
			return nil, fmt.Errorf("member: removal of oneself: use Leave")
		case it.Do == doBan && it.User == m.user:
			return nil, fmt.Errorf("member: ban of oneself")
		case !listed:
			return nil, fmt.Errorf("member: %v is no participant of %v", it.User, r.uri)
		case it.Do == doRemove:
			return append(removals(), room.RemoveParticipant{User: name}), nil
		case it.Do == doRole:
			return []room.Change{room.ChangeRole{User: name, Role: it.Role}}, nil
		}
		return append(removals(), room.ChangeRole{User: name, Role: room.RoleBanned}), nil
	case doMetadata, doComponent:
		return []room.Change{room.UpdateComponent{Component: it.Component, Update: it.Data}}, nil
	case doLeave:
		return append(removals(), room.RemoveParticipant{User: name}), nil
	case doSend:
		return []room.Change{room.SendMessage{}}, nil
	}
	return nil, nil
}

// begin puts an intention in its place and goes on with the room.
func (m *Member) begin(now time.Time, r *chatRoom, it *intention) {
	it.ID = m.number()
	m.out.ID = it.ID
	r.todo = append(r.todo, it)
	m.putIntention(r, it)
	m.pump(now, r)
}

// pump goes on with the room's first intention, as far as it goes now. It is called
// whenever something has changed that it may have waited for.
func (m *Member) pump(now time.Time, r *chatRoom) {
	for r.own == nil && len(r.todo) > 0 && m.rooms[r.uri] == r {
		it := r.todo[0]
		if it.Flight != 0 || it.Wait > now.UnixMilli() || r.Status == creating {
			return
		}
		if len(r.held) > 0 && r.Status != joining {
			return // they come first: what is made before them is of another epoch
		}
		if it.Tries >= m.cfg.Tries {
			m.fail(r, it, ErrRetries, false)
			continue
		}
		it.Tries++
		it.Wait = 0
		if err := m.advance(now, r, it); err != nil {
			m.fail(r, it, err, false)
			continue
		}
		if len(r.todo) > 0 && r.todo[0] == it {
			m.putIntention(r, it)
		}
	}
}

// advance makes the next step of an intention: a call, what goes to the hub, or its
// end.
func (m *Member) advance(now time.Time, r *chatRoom, it *intention) error {
	if it.Do == doJoin {
		return m.askGroupInfo(now, r, it)
	}
	if r.Status == leaving {
		return ErrLeaving
	}
	if it.Do == doSend {
		if len(r.group.Proposals()) > 0 { // they come first (RFC 9420, Section 12.4)
			return m.commit(now, r, it, nil, false)
		}
		return m.submit(now, r, it)
	}
	if it.Do == doCommit {
		if it.Auto && len(r.group.Proposals()) == 0 {
			m.finish(r, it)
			return nil
		}
		return m.commit(now, r, it, nil, true)
	}
	if err := m.allowed(r, it); err != nil {
		if _, listed := m.pendingState(r).Find(it.User.String()); !listed && (it.Do == doRemove || it.Do == doLeave) {
			return m.already(r, it)
		}
		return err
	}
	switch it.Do {
	case doAdd:
		return m.add(now, r, it)
	case doLeave:
		return m.leave(now, r, it)
	}
	list, err := m.proposals(r, it)
	if err != nil {
		return err
	}
	return m.commit(now, r, it, list, true)
}

// already ends an intention whose purpose others are about to fulfil.
func (m *Member) already(r *chatRoom, it *intention) error {
	m.finish(r, it)
	m.event(Done{it.ID})
	return nil
}

// proposals returns what a Commit of an intention holds.
func (m *Member) proposals(r *chatRoom, it *intention) ([]message.Proposal, error) {
	name := it.User.String()
	pair := []room.UserRolePair{{User: name, Role: it.Role}}
	var list *room.ParticipantListUpdate
	var err error
	switch it.Do {
	case doMetadata, doComponent:
		return []message.Proposal{m.groups.AppDataProposal(it.Component, it.Data)}, nil
	case doRemove, doLeave:
		list, err = r.state.ListUpdate(nil, []string{name}, nil)
	case doBan, doRole:
		list, err = r.state.ListUpdate(pair, nil, nil)
	}
	if err != nil {
		return nil, err
	}
	update, err := wire.Marshal(list)
	if err != nil {
		return nil, err
	}
	out := []message.Proposal{m.groups.AppDataProposal(m.cfg.RoomPoints.ParticipantList, update)}
	if it.Do != doRole {
		gone := removedBy(r.group.Proposals())
		for leaf := range m.clients(r.group.Tree(), it.User) {
			if !gone[uint32(leaf)] {
				out = append(out, mls.RemoveProposal(leaf))
			}
		}
	}
	return out, nil
}

// removedBy returns the leaves that proposals which wait remove.
func removedBy(list []mls.Committed) map[uint32]bool {
	out := make(map[uint32]bool)
	for i := range list {
		switch b := list[i].Proposal.Body.(type) {
		case *message.Remove:
			out[b.Removed] = true
		case *message.SelfRemove:
			out[list[i].Sender.Index] = true
		}
	}
	return out
}

// add fetches key material of a user (Fetch Key Material), unless the user has granted
// some.
func (m *Member) add(now time.Time, r *chatRoom, it *intention) (err error) {
	if len(it.Keys) == 0 {
		it.Keys, err = m.takeGranted(now, r, it.User)
		it.Granted = len(it.Keys) > 0
	}
	if err != nil {
		return err
	}
	if len(it.Keys) > 0 {
		return m.commitAdd(now, r, it)
	}
	req := &mimi.KeyMaterialRequest{
		RequestingUser: mimi.URI(m.user), TargetUser: mimi.URI(it.User), RoomID: mimi.URI(r.uri),
		AcceptableCiphersuites: []suite.ID{m.groups.Suite.ID()},
		RequesterSignatureKey:  m.cfg.Identity.Signer.Public, RequesterCredential: m.cfg.Identity.Credential,
	}
	if data, ok := r.group.Context().Extensions.Find(message.ExtensionRequiredCapabilities); ok {
		if err := unmarshal(data, &req.RequiredCapabilities); err != nil {
			return err
		}
	}
	if err := req.Sign(m.groups.Suite, m.cfg.Identity.Signer.Private); err != nil {
		return err
	}
	return m.call(r, it, &flight{Endpoint: mimi.EndpointKeyMaterial, Room: r.uri}, req)
}

// keyMaterial takes the answer to add.
func (m *Member) keyMaterial(now time.Time, r *chatRoom, it *intention, resp *mimi.KeyMaterialResponse) error {
	if err := resp.Check(); err != nil {
		return err
	}
	if resp.UserStatus != mimi.UserSuccess && resp.UserStatus != mimi.UserPartialSuccess {
		return &Error{Code: resp.UserStatus}
	}
	if !resp.UserURI.Equal(mimi.URI(it.User)) {
		return fmt.Errorf("member: key material of %q, want %v", resp.UserURI, it.User)
	}
	for i := range resp.Clients {
		k := resp.Clients[i].KeyPackage
		if k == nil {
			continue
		}
		if err := m.ofUser(now, k, it.User); err != nil {
			return err
		}
		b, err := wire.Marshal(k)
		if err != nil {
			return err
		}
		it.Keys = append(it.Keys, b)
	}
	return m.commitAdd(now, r, it)
}

// commitAdd commits a user with the clients whose KeyPackages were fetched (Alice
// adds Bob to the Room).
func (m *Member) commitAdd(now time.Time, r *chatRoom, it *intention) error {
	var list []message.Proposal
	pending := m.pendingState(r)
	if _, listed := pending.Find(it.User.String()); !listed {
		if _, before := r.state.Find(it.User.String()); before {
			// It has left, and comes again once that is committed.
			return m.commit(now, r, it, nil, false)
		}
		update, err := wire.Marshal(&room.ParticipantListUpdate{Added: []room.UserRolePair{{User: it.User.String(), Role: it.Role}}})
		if err != nil {
			return err
		}
		list = append(list, m.groups.AppDataProposal(m.cfg.RoomPoints.ParticipantList, update))
	}
	present := make(map[ident.URI]bool)
	for _, client := range m.clients(r.group.Tree(), it.User) {
		present[client] = true
	}
	for _, b := range it.Keys {
		k := new(message.KeyPackage)
		if err := unmarshal(b, k); err != nil {
			return err
		}
		if client, _, err := m.cfg.Users(&k.LeafNode.Credential); err == nil && !present[client] {
			present[client] = true
			list = append(list, mls.AddProposal(*k))
		}
	}
	if len(list) == 0 {
		return m.already(r, it)
	}
	return m.commit(now, r, it, list, true)
}

func (m *Member) setMetadata(now time.Time, in SetMetadata) error {
	in.Metadata.URI = in.Room.String()
	b, err := wire.Marshal(&in.Metadata)
	if err != nil {
		return fmt.Errorf("member: metadata: %w", err)
	}
	return m.want(now, in.Room, &intention{Do: doMetadata, Component: m.cfg.RoomPoints.RoomMetadata, Data: b})
}

// finish takes an intention off the list: it is done.
func (m *Member) finish(r *chatRoom, it *intention) {
	if it.Flight != 0 {
		m.land(it.Flight)
	}
	if i := slices.Index(r.todo, it); i >= 0 {
		r.todo = slices.Delete(r.todo, i, i+1)
	}
	m.put(intentionKey(r.uri, it.ID), nil)
}

// fail ends an intention that cannot be done.
func (m *Member) fail(r *chatRoom, it *intention, why error, unknown bool) {
	m.finish(r, it)
	if it.Auto {
		return
	}
	m.event(Failed{ID: it.ID, Room: r.uri, What: string(it.Do), Why: why, Unknown: unknown})
	if it.Do == doJoin && r.Status == joining && m.rooms[r.uri] == r {
		m.enterInstead(r, why)
	}
}

// enterInstead takes the Welcome that has come while this client wanted to join from
// outside, which the hub has refused, and the events that have come since.
func (m *Member) enterInstead(r *chatRoom, why error) {
	welcome, waited, seq := r.welcome, r.held, r.Seq
	m.forget(r, why) // the provider knows by the answer that this client is not in
	if welcome == nil {
		return
	}
	m.takeWelcome(r.uri, welcome)
	in := m.rooms[r.uri]
	if in == nil {
		return
	}
	in.Seq = seq
	m.putRoom(in)
	for _, h := range waited {
		if m.rooms[in.uri] == in {
			m.take(m.now, in, h)
		}
	}
}

// find returns an intention by its number, nil if it has ended.
func (r *chatRoom) find(id uint64) *intention {
	if i := slices.IndexFunc(r.todo, func(o *intention) bool { return o.ID == id }); i >= 0 {
		return r.todo[i]
	}
	return nil
}

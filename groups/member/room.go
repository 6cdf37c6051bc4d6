package member

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// status says how far this client is in a room.
type status string

const (
	creating status = "creating" // the hub has not said yet that it has the room
	joining  status = "joining"  // the group is that of an external Commit, or none yet
	inside   status = "inside"
	leaving  status = "leaving" // the user's proposals to leave wait for a Commit
)

// chatRoom is what is kept of a room.
type chatRoom struct {
	uri ident.URI
	roomHead
	group *mls.Group  // nil while joining
	state *room.State // of the group's epoch
	todo  []*intention
	own   *own   // what of ours is at the hub, nil if nothing is
	held  []held // events that wait until it is known what becomes of own
	// heldSize is the length of the bodies in held.
	heldSize int
	seen     seen // messages that were told to the application
	// joined is the group that a Join has made, while it is at the hub.
	joined *mls.Group
	// welcome is one that came meanwhile, of an epoch before that.
	welcome []byte
}

// roomHead is a room's record.
type roomHead struct {
	Status status `json:"status"`
	Since  uint64 `json:"since"`            // the epoch that this client joined in
	Seq    uint64 `json:"seq,omitempty"`    // the last delivery, 0 if there was none yet
	Jumps  bool   `json:"jumps,omitempty"`  // the next delivery may have any number, as the client has just joined
	Lost   bool   `json:"lost,omitempty"`   // events are missing, so that Join may enter it anew
	Commit int64  `json:"commit,omitempty"` // when to commit what waits, in ms since 1970; 0: not by itself
	Start  uint64 `json:"start,omitempty"`  // the intention that created or joins it
}

// held is an event that waits, with its number.
type held struct {
	seq  uint64
	body []byte
}

// findRoom returns a room that this client is in.
func (m *Member) findRoom(uri ident.URI) (*chatRoom, error) {
	r := m.rooms[uri]
	if r == nil {
		return nil, fmt.Errorf("%v: %w", uri, ErrNoRoom)
	}
	return r, nil
}

// sortedRooms returns the rooms in the order of their URIs.
func (m *Member) sortedRooms() []*chatRoom {
	list := make([]*chatRoom, 0, len(m.rooms))
	for _, r := range m.rooms {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *chatRoom) int { return bytes.Compare([]byte(a.uri.String()), []byte(b.uri.String())) })
	return list
}

// pendingState returns the room's state with the proposals applied that wait for a Commit,
// or that of the epoch if they cannot be.
func (m *Member) pendingState(r *chatRoom) *room.State {
	list := r.group.Proposals()
	if len(list) == 0 {
		return r.state
	}
	changes, err := m.translate.Proposals(&r.group.PublicGroup, list)
	if err == nil {
		if next, err := room.AuthorizeCommit(r.state, nil, changes); err == nil {
			return next
		}
	}
	return r.state
}

// clients returns a user's leaves in a tree.
func (m *Member) clients(t *tree.Tree, user ident.URI) iter.Seq2[tree.LeafIndex, ident.URI] {
	return func(yield func(tree.LeafIndex, ident.URI) bool) {
		for i := range t.All() {
			c, _ := t.Credential(i)
			client, owner, err := m.cfg.Users(&c)
			if err == nil && owner == user && !yield(i, client) {
				return
			}
		}
	}
}

// decode reads the room's state out of the group.
func (m *Member) decode(g *mls.Group) (*room.State, error) {
	return m.translate.Decode(m.cfg.RoomPoints, g.Context(), g.Tree())
}

// verdict is what judge finds of a Commit.
type verdict struct {
	state   *room.State
	changed *RoomChanged
}

// judge asks the room's policy about a Commit, and says what it changes. It is asked
// of others' Commits and of one's own: members come to the hub's verdict, or to one
// against it.
func (m *Member) judge(r *chatRoom, s *mls.Staged) (verdict, error) {
	changes, err := s.Changes()
	if err != nil {
		return verdict{}, err
	}
	p := &mls.Proposed{Group: &r.group.PublicGroup, Committer: s.Committer(), Proposals: s.Proposals()}
	if changes.Joiner != nil {
		p.Joiner = changes.Joiner.Node
	}
	next, err := m.translate.Authorize(r.state, p)
	if err != nil {
		return verdict{}, err
	}
	if err := m.sameDictionary(next, s.Context()); err != nil {
		return verdict{}, err
	}
	if err := m.checkHub(s.Context(), r.uri); err != nil {
		return verdict{}, err
	}
	e := &RoomChanged{Room: r.uri, Epoch: s.Epoch(), Changes: m.describe(r, s.Proposals())}
	var by message.Credential
	if changes.Joiner != nil {
		by = changes.Joiner.Node.Credential
	} else {
		by, _ = r.group.Tree().Credential(s.Leaf())
	}
	if e.ByClient, e.By, err = m.cfg.Users(&by); err != nil {
		return verdict{}, err
	}
	if changes.Joiner != nil {
		e.Changes = append(e.Changes, Change{Kind: ClientAdded, User: e.By, Client: e.ByClient})
	}
	return verdict{next, e}, nil
}

// sameDictionary checks that the components of a room are in a GroupContext what the
// room's own rules made of them.
func (m *Member) sameDictionary(s *room.State, c *message.GroupContext) error {
	d, err := m.dictionary(c)
	if err != nil {
		return err
	}
	for _, id := range m.cfg.RoomPoints.Components() {
		want, had := s.Dictionary().Find(id)
		got, has := d.Find(id)
		if had != has || !bytes.Equal(want, got) {
			return fmt.Errorf("member: component %s of the GroupContext is not what the room's rules make of it", m.cfg.RoomPoints.Name(id))
		}
	}
	return nil
}

func (m *Member) dictionary(c *message.GroupContext) (d message.AppDataDictionary, err error) {
	if data, ok := c.Extensions.Find(m.cfg.Points.MLS.AppDataDictionary); ok {
		err = unmarshal(data, &d)
	}
	return d, err
}

// checkHub checks that a provider's credential is among the external_senders: "That
// extension MUST contain at least the Certificate of the Hub" (Authenticating
// proposals).
func (m *Member) checkHub(c *message.GroupContext, uri ident.URI) error {
	list, err := externalSenders(c)
	if err != nil {
		return err
	}
	for i := range list {
		if mimi.CredentialOf(&list[i].Credential, uri.Provider()) == nil {
			return nil
		}
	}
	return fmt.Errorf("member: external_senders does not hold the hub %s", uri.Provider())
}

func externalSenders(c *message.GroupContext) (list message.ExternalSenders, err error) {
	if data, ok := c.Extensions.Find(message.ExtensionExternalSenders); ok {
		err = unmarshal(data, &list)
	}
	return list, err
}

// describe says what proposals change, in words of the application.
func (m *Member) describe(r *chatRoom, list []mls.Committed) (out []Change) {
	var members []room.UserRolePair // of the epoch, by their indices
	for i := range list {
		switch b := list[i].Proposal.Body.(type) {
		case *message.Add:
			out = append(out, m.clientChange(ClientAdded, &b.KeyPackage.LeafNode.Credential))
		case *message.Remove:
			out = append(out, m.leafChange(r, b.Removed))
		case *message.SelfRemove:
			out = append(out, m.leafChange(r, list[i].Sender.Index))
		case *message.AppDataUpdate:
			if b.Component == m.cfg.RoomPoints.ParticipantList && b.Op != message.AppDataRemove {
				if members == nil {
					for p := range r.state.All() {
						members = append(members, room.UserRolePair{User: p.User, Role: p.Role})
					}
				}
				out = append(out, listChanges(members, b.Update)...)
				continue
			}
			kind := ComponentChanged
			if b.Component == m.cfg.RoomPoints.RoomMetadata {
				kind = MetadataChanged
			}
			out = append(out, Change{Kind: kind, Component: b.Component})
		case *message.ExternalInit, *message.Update:
		default:
			out = append(out, Change{Kind: OtherChange})
		}
	}
	return out
}

func (m *Member) clientChange(kind ChangeKind, c *message.Credential) Change {
	client, user, _ := m.cfg.Users(c)
	return Change{Kind: kind, User: user, Client: client}
}

func (m *Member) leafChange(r *chatRoom, leaf uint32) Change {
	c, _ := r.group.Tree().Credential(tree.LeafIndex(leaf))
	return m.clientChange(ClientRemoved, &c)
}

// listChanges says what an update of the participant list does. Members are those of
// the epoch.
func listChanges(members []room.UserRolePair, update []byte) (out []Change) {
	var u room.ParticipantListUpdate
	if unmarshal(update, &u) != nil {
		return nil // was or will be refused
	}
	add := func(kind ChangeKind, name string, role uint32) {
		user, _ := ident.ParseURI(name)
		out = append(out, Change{Kind: kind, User: user, Role: role})
	}
	for _, c := range u.Changed {
		if int64(c.Index) < int64(len(members)) {
			add(RoleChanged, members[c.Index].User, c.Role)
		}
	}
	for _, i := range u.Removed {
		if int64(i) < int64(len(members)) {
			add(UserRemoved, members[i].User, members[i].Role)
		}
	}
	for _, p := range u.Added {
		add(UserAdded, p.User, p.Role)
	}
	return out
}

// enter begins to be in a room whose group and state are set.
func (m *Member) enter(r *chatRoom) {
	r.Status, r.Since, r.Lost, r.Commit = inside, r.group.Epoch(), false, 0
	m.putRoom(r)
	m.putGroup(r)
}

// forget drops a room and all that is kept of it. Intentions that wait fail.
func (m *Member) forget(r *chatRoom, why error) {
	delete(m.rooms, r.uri)
	for len(r.todo) > 0 {
		// What is at the hub without an answer may have been accepted: a client that is
		// its provider's only one in the room gets no echo.
		m.fail(r, r.todo[0], why, r.own != nil && r.own.Intention == r.todo[0].ID)
	}
	m.dropOwn(r)
	m.dropHeld(r)
	m.dropWelcome(r)
	m.dropGroup(r, r.group)
	for slot := range r.seen.ring {
		m.put(seenKey(r.uri, uint64(slot)), nil)
	}
	m.put(roomKey(r.uri), nil)
}

var errRemoved = errors.New("member: removed from the room")

// removed is what a Commit leaves of a room that has removed this client.
func (m *Member) removed(r *chatRoom, by ident.URI) {
	m.forget(r, errRemoved)
	m.event(Removed{Room: r.uri, By: by})
	m.leaveRoom(r.uri, r.Seq)
}

// Room is what the application may know of a room.
type Room struct {
	URI     ident.URI
	Status  string
	Epoch   uint64
	State   *room.State // nil while joining
	Pending int         // proposals that wait for a Commit
	Waiting int         // intentions
	// Authenticator is what all members of the epoch share, to compare (RFC 9420,
	// Section 8.7).
	Authenticator []byte
	Lost          bool // Join may enter it anew
	// Tree is the group's, whose leaves are the members; nil while joining.
	Tree *tree.Tree
	// OwnLeaf is this client's place in it.
	OwnLeaf tree.LeafIndex
}

// Room returns a room that this client is in or about to be. It is valid until the
// next Step.
func (m *Member) Room(uri ident.URI) (Room, bool) {
	r := m.rooms[uri]
	if r == nil {
		return Room{}, false
	}
	out := Room{URI: uri, Status: string(r.Status), Waiting: len(r.todo), Lost: r.Lost}
	if r.group != nil {
		out.Epoch, out.State, out.Pending, out.Authenticator = r.group.Epoch(), r.state, len(r.group.Proposals()), r.group.EpochAuthenticator()
		out.Tree, out.OwnLeaf = r.group.Tree(), r.group.OwnLeaf()
	}
	return out, true
}

// Rooms returns the URIs of all rooms, sorted.
func (m *Member) Rooms() []ident.URI {
	var list []ident.URI
	for _, r := range m.sortedRooms() {
		list = append(list, r.uri)
	}
	return list
}

package member

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// create makes a room's group, and asks the hub to take it over (Alice Creates a
// Room).
func (m *Member) create(now time.Time, in CreateRoom) error {
	if in.Room.Kind() != ident.KindRoom || in.Room.Provider() != m.cfg.Client.Provider() {
		return fmt.Errorf("member: room %v, want a room of %s", in.Room, m.cfg.Client.Provider())
	}
	if m.rooms[in.Room] != nil {
		return fmt.Errorf("%v: %w", in.Room, ErrRoom)
	}
	d, err := m.newDictionary(in)
	if err != nil {
		return err
	}
	s, err := room.Decode(m.cfg.RoomPoints, d, slices.Values([]string{m.user.String()}))
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		return fmt.Errorf("member: new room: %w", err)
	}
	ext, err := m.extensions(in, d)
	if err != nil {
		return err
	}
	id, err := ident.NewURI(ident.KindGroup, in.Room.Provider(), in.Room.Segments()...)
	if err != nil {
		return err
	}
	g, err := mls.New(m.groups, now, m.cfg.Identity, []byte(id.String()), mls.GroupOptions{Extensions: ext})
	if err != nil {
		return err
	}
	if err := m.checkHub(g.Context(), in.Room); err != nil {
		return err
	}
	r := &chatRoom{uri: in.Room, group: g, state: s}
	r.Status, r.Start = creating, m.number()
	m.out.ID = r.Start
	m.rooms[in.Room] = r
	m.putRoom(r)
	m.putGroup(r)
	return m.askHub(r)
}

// newDictionary returns the components of a new room.
func (m *Member) newDictionary(in CreateRoom) (message.AppDataDictionary, error) {
	d := slices.Clone(in.Dictionary)
	switch {
	case in.Policy != "" && d != nil:
		return nil, errors.New("member: new room with a policy and a dictionary, want one of them")
	case in.Policy != "":
		p, ok := room.PolicyByName(in.Policy)
		if !ok {
			return nil, fmt.Errorf("member: no policy %q", in.Policy)
		}
		list := slices.Clone(in.Participants)
		add := func(user string, role uint32) {
			if !slices.ContainsFunc(list, func(p room.UserRolePair) bool { return p.User == user }) {
				list = append([]room.UserRolePair{{User: user, Role: role}}, list...)
			}
		}
		add(in.Room.ProviderURI().String(), p.Role("policy_enforcer"))
		role := in.Role
		if role == room.RoleNone {
			role = founder(&p)
		}
		add(m.user.String(), role)
		meta := in.Metadata
		meta.URI = in.Room.String()
		var err error
		if d, err = p.Dictionary(m.cfg.RoomPoints, &meta, list, nil, nil); err != nil {
			return nil, err
		}
	case d == nil:
		return nil, errors.New("member: new room without a policy")
	}
	if a := in.FrankingAgent; a != nil {
		b, err := wire.Marshal(a)
		if err != nil {
			return nil, err
		}
		d = d.With(m.cfg.Points.FrankingAgent, b)
		if b, err = wire.Marshal(message.ComponentsList{m.cfg.Points.FrankAAD}); err != nil {
			return nil, err
		}
		d = d.With(m.cfg.Points.MLS.SafeAAD, b)
	}
	if in.MediaTypes != nil {
		b, err := wire.Marshal(in.MediaTypes)
		if err != nil {
			return nil, err
		}
		d = d.With(m.cfg.Points.MLS.ContentMediaTypes, b)
	}
	return d, nil
}

// founder returns the role of one who makes a room: the first that must not be empty
// and that a client may have, else the last that a client may have.
func founder(p *room.Policy) (role uint32) {
	for i := range p.Roles.Roles {
		o := &p.Roles.Roles[i]
		if o.Index == room.RoleNone || o.MaxActive != nil && *o.MaxActive == 0 {
			continue
		}
		if o.Min > 0 {
			return o.Index
		}
		role = o.Index
	}
	return role
}

// extensions returns those of a new room's GroupContext.
func (m *Member) extensions(in CreateRoom, d message.AppDataDictionary) (message.Extensions, error) {
	p := &m.cfg.Points.MLS
	var ext message.Extensions
	for _, e := range []struct {
		t message.ExtensionType
		v wire.Marshaler
	}{
		{message.ExtensionRequiredCapabilities, &message.RequiredCapabilities{
			Extensions: []message.ExtensionType{p.AppDataDictionary},
			Proposals:  []message.ProposalType{p.AppDataUpdate, p.SelfRemove},
		}},
		{message.ExtensionExternalSenders, message.ExternalSenders{in.Hub}},
		{p.AppDataDictionary, d},
	} {
		b, err := wire.Marshal(e.v)
		if err != nil {
			return nil, err
		}
		ext = append(ext, message.Extension{Type: e.t, Data: b})
	}
	return ext, nil
}

// askHub asks the hub to take the room over.
func (m *Member) askHub(r *chatRoom) error {
	info, err := r.group.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true})
	if err != nil {
		return err
	}
	tree, err := r.group.Tree().Marshal()
	if err != nil {
		return err
	}
	m.out.Creations = append(m.out.Creations, Creation{Room: r.uri, GroupInfo: info, RatchetTree: tree})
	return nil
}

// created takes the hub's answer.
func (m *Member) created(now time.Time, in RoomCreated) error {
	r := m.rooms[in.Room]
	if r == nil || r.Status != creating {
		return nil // an answer that comes twice
	}
	if in.Err != nil {
		m.forget(r, in.Err)
		m.event(Failed{ID: r.Start, Room: r.uri, What: "create", Why: in.Err})
		return nil
	}
	m.enter(r)
	m.event(Joined{ID: r.Start, Room: r.uri, Epoch: r.group.Epoch()})
	m.goOn(now, r)
	return nil
}

// errAdded ends what was under way in a room when a Welcome brings the client in anew.
var errAdded = errors.New("member: added to the room by a Welcome")

// welcome joins a room by a Welcome (Alice adds Bob to the Room).
func (m *Member) welcome(now time.Time, uri ident.URI, body []byte) error {
	f, err := m.parse(body)
	if err != nil {
		return err
	}
	if f.Kind() != mimi.FanoutWelcome {
		return fmt.Errorf("member: event of kind %v in the mailbox, want a Welcome", f.Kind())
	}
	w, err := mls.OpenWelcome(m.groups, now, f.Message.Welcome, m.keys, mls.JoinOptions{RatchetTree: f.RatchetTreeOption.RatchetTree})
	if err != nil {
		return err
	}
	old := m.rooms[uri]
	if old != nil && old.group != nil && old.group.Epoch() >= w.Context().Epoch {
		// It has come before, or this client has joined from outside since it was made.
		m.dropKey(w.KeyPackage)
		return nil
	}
	if old != nil && old.own != nil && old.own.Kind == ownJoin && old.own.Epoch >= w.Context().Epoch {
		// What this client has asked the hub for comes after the Welcome, whose leaf it
		// replaces. The Welcome counts only if the hub refuses.
		old.welcome = bytes.Clone(body)
		m.put(welcomeKey(uri), old.welcome)
		return nil
	}
	g := w.Join()
	r := &chatRoom{uri: uri, group: g}
	if err := m.checkRoom(r); err != nil {
		if old == nil {
			m.leaveRoom(uri, 0)
		}
		return err
	}
	by, _ := g.Tree().Credential(w.Sender())
	_, who, err := m.cfg.Users(&by)
	if err != nil {
		return err
	}
	if old != nil {
		r.Seq = old.Seq
		// A provider that knows that the hub has refused the Commit to join, which this client
		// does not, has let it out for a while.
		r.Jumps = old.Status == joining
		if old = m.settled(now, old); old != nil { // lost, or about to be joined from outside
			m.forget(old, errAdded)
		}
	}
	m.rooms[uri] = r
	m.enter(r)
	m.dropKey(w.KeyPackage)
	m.event(Joined{Room: uri, Epoch: g.Epoch(), By: who})
	return nil
}

// checkRoom reads the state of a room that this client is to be in, and checks that it
// is the one that it was called.
func (m *Member) checkRoom(r *chatRoom) error {
	s, err := m.decode(r.group)
	if err != nil {
		return err
	}
	if meta := s.Metadata(); meta == nil || meta.URI != r.uri.String() {
		return fmt.Errorf("member: the group's metadata are not of %v", r.uri)
	}
	if _, listed := s.Find(m.user.String()); !listed {
		return fmt.Errorf("member: %v is no participant of %v", m.user, r.uri)
	}
	r.state = s
	return m.checkHub(r.group.Context(), r.uri)
}

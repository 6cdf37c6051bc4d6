package member

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// join enters a room from outside (Cathy adds a new device).
func (m *Member) join(now time.Time, in Join) error {
	if in.Room.Kind() != ident.KindRoom {
		return fmt.Errorf("member: %v, want the URI of a room", in.Room)
	}
	r := m.rooms[in.Room]
	if r != nil && (!r.Lost || r.Status == joining || r.Status == creating) {
		return fmt.Errorf("%v: %w", in.Room, ErrRoom)
	}
	next := &chatRoom{uri: in.Room}
	if r != nil {
		next.Seq = r.Seq
		m.forget(r, errLost)
	}
	next.Status = joining
	m.rooms[in.Room] = next
	m.putRoom(next)
	m.begin(now, next, &intention{Do: doJoin, User: m.user, Role: in.Role, Code: bytes.Clone(in.Code)})
	return nil
}

var errLost = errors.New("member: the room is entered anew")

// leaveRoom tells the provider that this client wants no more of a room, of which it
// has seen the deliveries up to seq.
func (m *Member) leaveRoom(uri ident.URI, seq uint64) {
	m.out.Leaves = append(m.out.Leaves, follower.Leave{Client: m.cfg.Client, Room: uri, Seq: seq})
}

// askGroupInfo asks for what it takes to join (Claim group key information).
func (m *Member) askGroupInfo(now time.Time, r *chatRoom, it *intention) error {
	pair, err := m.groups.Suite.GenerateKeyPair()
	if err != nil {
		return err
	}
	req := &mimi.GroupInfoRequest{
		CipherSuite: m.groups.Suite.ID(), RequestingSignatureKey: m.cfg.Identity.Signer.Public,
		RequestingCredential: m.cfg.Identity.Credential, GroupInfoPublicKey: pair.Public, JoiningCode: it.Code,
	}
	if err := req.Sign(m.groups.Suite, m.cfg.Identity.Signer.Private); err != nil {
		return err
	}
	it.Secret = pair.Private
	return m.call(r, it, &flight{Endpoint: mimi.EndpointGroupInfo, Room: r.uri}, req)
}

// groupInfo makes the external Commit, with the answer to askGroupInfo.
func (m *Member) groupInfo(now time.Time, r *chatRoom, it *intention, resp *mimi.GroupInfoResponse) error {
	if resp.Status != mimi.GroupInfoSuccess {
		return &Error{Code: resp.Status}
	}
	info, err := resp.Open(m.groups.Suite, mimi.URI(r.uri), it.Secret, m.cfg.Points)
	if err != nil {
		return err
	}
	it.Secret = nil
	if err := info.Check(); err != nil {
		return err
	}
	if err := m.isHub(&info.GroupInfo.Context, r.uri, &resp.HubSender); err != nil {
		return err
	}
	t, err := tree.Parse(m.groups.Suite, info.RatchetTreeOption.RatchetTree)
	if err != nil {
		return fmt.Errorf("member: ratchet tree: %w", err)
	}
	o := mls.ExternalOptions{RatchetTree: info.RatchetTreeOption.RatchetTree, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true}}
	// An earlier leaf of this client goes: it has lost the room, or the answer to the
	// Commit by which it joined.
	o.Old, o.Resync = t.LeafBySignatureKey(m.cfg.Identity.Signer.Public)
	for i := range info.PendingProposals {
		p := info.PendingProposals[i].Proposal.Public
		if p == nil || p.Content.Proposal == nil {
			continue
		}
		if _, self := p.Content.Proposal.Body.(*message.SelfRemove); self && !(o.Resync && p.Content.Sender == message.Member(uint32(o.Old))) {
			o.SelfRemoves = append(o.SelfRemoves, p)
		}
	}
	if o.Proposals, err = m.joinList(r, it, &info.GroupInfo.Context, t); err != nil {
		return err
	}
	ext, err := mls.JoinExternal(m.groups, now, m.cfg.Identity, &info.GroupInfo, o)
	if err != nil {
		return err
	}
	req, err := m.bundle(&ext.Pending)
	if err != nil {
		return err
	}
	g := ext.Join()
	if err := m.checkRoom(&chatRoom{uri: r.uri, group: g}); err != nil {
		return err
	}
	r.joined = g
	m.putJoined(r)
	return m.toHub(r, it, &own{Kind: ownJoin, Last: true, Epoch: info.GroupInfo.Context.Epoch, Messages: [][]byte{ext.Message}}, mimi.EndpointUpdate, req)
}

// isHub checks that an answer comes from the hub: its signer is one of the group's
// external_senders, and the room's provider.
func (m *Member) isHub(c *message.GroupContext, uri ident.URI, hub *message.ExternalSender) error {
	list, err := externalSenders(c)
	if err != nil {
		return err
	}
	want, err := wire.Marshal(hub)
	if err != nil {
		return err
	}
	for i := range list {
		if b, err := wire.Marshal(&list[i]); err == nil && bytes.Equal(b, want) {
			return mimi.CredentialOf(&list[i].Credential, uri.Provider())
		}
	}
	return errors.New("member: hub_sender is none of the group's external_senders")
}

// joinList returns what an external Commit holds besides: the user, if it is no
// participant yet, in a role that the policy allows.
func (m *Member) joinList(r *chatRoom, it *intention, c *message.GroupContext, t *tree.Tree) ([]message.Proposal, error) {
	s, err := m.translate.Decode(m.cfg.RoomPoints, c, t)
	if err != nil {
		return nil, err
	}
	name := m.user.String()
	if _, listed := s.Find(name); listed {
		return nil, nil
	}
	a := &room.Actor{User: name, Origin: room.FromNewMemberCommit}
	if m.cfg.Claims != nil {
		a.Claims = m.cfg.Claims(&m.cfg.Identity.Credential)
	}
	if len(it.Code) > 0 {
		a.JoinCode = room.Unseen
	}
	roles := []uint32{it.Role}
	if it.Role == room.RoleNone && s.Roles() != nil {
		roles = nil
		for i := range s.Roles().Roles {
			if role := s.Roles().Roles[i].Index; role != room.RoleNone && role != room.RoleBanned {
				roles = append(roles, role)
			}
		}
	}
	err = errors.New("member: the room has no roles")
	for _, role := range roles {
		_, err = room.AuthorizeCommit(s, a, []room.Proposal{
			{Actor: a, Change: room.AddParticipant{User: name, Role: role}}, {Actor: a, Change: room.AddClient{User: name}},
		})
		if err != nil {
			continue
		}
		b, err := wire.Marshal(&room.ParticipantListUpdate{Added: []room.UserRolePair{{User: name, Role: role}}})
		if err != nil {
			return nil, err
		}
		return []message.Proposal{m.groups.AppDataProposal(m.cfg.RoomPoints.ParticipantList, b)}, nil
	}
	return nil, err
}

// joinedRoom makes the group of an external Commit that the hub has accepted the room's.
func (m *Member) joinedRoom(r *chatRoom, it *intention) error {
	g := r.joined
	r.group = g
	if err := m.checkRoom(r); err != nil {
		r.group = nil
		return err
	}
	m.dropJoined(r)
	m.dropWelcome(r)
	m.putAll(r)
	r.Jumps = true
	m.enter(r)
	e := Joined{Room: r.uri, Epoch: g.Epoch()}
	if it != nil {
		e.ID = it.ID
	}
	m.event(e)
	return nil
}

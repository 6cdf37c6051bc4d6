package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// raw is a client of a peer's user in the room of the checked provider, without the
// manners of a member.Member: it makes what no client would.
type raw struct {
	p     *peer
	room  ident.URI
	uri   ident.URI
	id    *mls.Identity
	cfg   *mls.Config
	group *mls.Group
	keys  []*mls.KeyPackage // of a guest
	next  int               // in the peer's inbox
	gone  bool              // it has left
	*forger
}

// forger is a suite that signs messages wrongly when it is told to. What depends on the
// signature, such as a GroupInfo, is then of the wrong one.
type forger struct {
	suite.Suite
	forges bool
}

// Sign implements [suite.Suite].
func (f *forger) Sign(private suite.PrivateKey, m []byte) ([]byte, error) {
	signature, err := f.Suite.Sign(private, m)
	if err == nil && f.forges && bytes.Contains(m, []byte("MLS 1.0 FramedContentTBS")) {
		signature[0] ^= 1
	}
	return signature, err
}

// groups is the configuration of groups that such a client has.
func (r *run) groups() *mls.Config {
	points := room.DefaultPoints
	c := points.MLSComponents()
	c[mimi.DefaultCodePoints.FrankingAgent] = mls.Component{Update: func(_ []byte, updates [][]byte) ([]byte, error) { return updates[0], nil }}
	c[mimi.DefaultCodePoints.FrankAAD] = mls.Component{SafeAAD: true}
	return &mls.Config{Suite: r.suite, PublicHandshake: true, PastEpochs: 4, Components: c}
}

// newRaw returns a client of a peer's user, or of another user that is named.
func newRaw(p *peer, where ident.URI, user string) (*raw, error) {
	uri, id, err := p.newClient(user, "raw")
	if err != nil {
		return nil, err
	}
	d := &raw{p: p, room: where, uri: uri, id: id, cfg: p.r.groups(), forger: &forger{Suite: p.r.suite}}
	d.cfg.Suite = d.forger
	return d, nil
}

// newGuest returns a client that has KeyPackages for whoever invites the peer's user.
func newGuest(p *peer) (*raw, error) {
	d, err := newRaw(p, ident.URI{}, p.r.cfg.Name)
	if err != nil {
		return nil, err
	}
	if d.uri, d.id, err = p.newClient(p.r.cfg.Name, "guest"); err != nil {
		return nil, err
	}
	in := follower.Publish{Client: d.uri}
	for range 3 {
		k, err := d.cfg.NewKeyPackage(p.r.now(), d.id, mls.LeafOptions{})
		if err != nil {
			return nil, err
		}
		d.keys = append(d.keys, k)
		in.KeyPackages = append(in.KeyPackages, k.Public)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.atFollower(follower.AddClient{Client: d.uri}); err != nil {
		return nil, err
	}
	_, err = p.atFollower(in)
	return d, err
}

// open joins by a Welcome.
func (d *raw) open(f *mimi.FanoutMessage) error {
	w, err := mls.OpenWelcome(d.cfg, d.p.r.now(), f.Message.Welcome, d.keys, mls.JoinOptions{RatchetTree: f.RatchetTreeOption.RatchetTree})
	if err != nil {
		return err
	}
	d.group = w.Join()
	return nil
}

// encode writes what was read or made here.
func encode(m wire.Marshaler) []byte {
	b, err := wire.Marshal(m)
	if err != nil {
		panic("check: invariant broken, what was read can be written: " + err.Error())
	}
	return b
}

// groupInfo is a request for the room's GroupInfo, changed before and after it is
// signed.
type groupInfo struct {
	by            *peer // who sends it
	room          string
	code          []byte
	change, spoil func(*mimi.GroupInfoRequest)
}

// groupInfo makes a request, and returns the response and the key that opens it.
func (d *raw) groupInfo(ctx context.Context, q groupInfo) (*mimi.GroupInfoResponse, suite.PrivateKey, *answer) {
	s := d.cfg.Suite
	pair, err := s.GenerateKeyPair()
	if err != nil {
		return nil, nil, &answer{err: err}
	}
	m := &mimi.GroupInfoRequest{
		CipherSuite: s.ID(), RequestingSignatureKey: d.id.Signer.Public, RequestingCredential: d.id.Credential, GroupInfoPublicKey: pair.Public,
		JoiningCode: q.code,
	}
	if q.change != nil {
		q.change(m)
	}
	if err := m.Sign(s, d.id.Signer.Private); err != nil {
		return nil, nil, &answer{err: err}
	}
	if q.spoil != nil {
		q.spoil(m)
	}
	by, where := q.by, q.room
	if by == nil {
		by = d.p
	}
	if where == "" {
		where = d.room.String()
	}
	resp, a := post[*mimi.GroupInfoResponse](ctx, by, mimi.EndpointGroupInfo, where, m)
	return resp, pair.Private, a
}

// info is the GroupInfo of the room as it is now.
func (d *raw) info(ctx context.Context) (*mimi.GroupInfoRatchetTreeTBE, *mimi.GroupInfoResponse, *answer, error) {
	resp, private, a := d.groupInfo(ctx, groupInfo{code: d.p.r.cfg.Code})
	if resp == nil || a.err != nil {
		return nil, nil, a, errors.New(a.String())
	}
	if resp.Status != mimi.GroupInfoSuccess {
		return nil, resp, a, fmt.Errorf("%v", resp.Status)
	}
	info, err := resp.Open(d.cfg.Suite, mimi.URI(d.room), private, nil)
	if err == nil {
		err = info.Check()
	}
	return info, resp, a, err
}

// join makes an external Commit. Pending SelfRemoves, which an earlier run may have
// left, are committed along.
func (d *raw) join(info *mimi.GroupInfoRatchetTreeTBE, proposals ...message.Proposal) (*mls.ExternalCommit, *mimi.UpdateRequest, error) {
	o := mls.ExternalOptions{
		RatchetTree: info.RatchetTreeOption.RatchetTree, Proposals: proposals, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	}
	for i := range info.PendingProposals {
		m := info.PendingProposals[i].Proposal.Public
		if m != nil && m.Content.Proposal != nil && m.Content.Proposal.Type == mimi.DefaultCodePoints.MLS.SelfRemove {
			o.SelfRemoves = append(o.SelfRemoves, m)
		}
	}
	x, err := mls.JoinExternal(d.cfg, d.p.r.now(), d.id, &info.GroupInfo, o)
	if err != nil {
		return nil, nil, err
	}
	m, err := message.Parse(x.Message, nil)
	if err != nil {
		return nil, nil, err
	}
	b := mimi.HandshakeBundle{ProposalOrCommit: *m, RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeDistributionService}}
	b.GroupInfoOption.Full = x.GroupInfo
	return x, &mimi.UpdateRequest{Bundle: b}, nil
}

// state is the room's state, as the group has it.
func (d *raw) state() (*room.State, error) {
	var dict message.AppDataDictionary
	data, _ := d.group.Context().Extensions.Find(mimi.DefaultCodePoints.MLS.AppDataDictionary)
	if err := wire.Unmarshal(data, &dict); err != nil {
		return nil, err
	}
	return room.Decode(nil, dict, func(yield func(string) bool) {
		for _, leaf := range d.group.Tree().All() {
			if _, user, err := mimi.Client(&leaf.Credential); err != nil || !yield(user.String()) {
				return
			}
		}
	})
}

// participants returns a proposal that changes the participant list.
func (d *raw) participants(change []room.UserRolePair, remove []string, add []room.UserRolePair) (p message.Proposal, err error) {
	s, err := d.state()
	if err != nil {
		return p, err
	}
	u, err := s.ListUpdate(change, remove, add)
	if err != nil {
		return p, err
	}
	return d.cfg.AppDataProposal(mimi.DefaultCodePoints.ParticipantList, encode(u)), nil
}

// leaves returns those of a user.
func (d *raw) leaves(user ident.URI) (list []tree.LeafIndex) {
	for i, leaf := range d.group.Tree().All() {
		if _, u, err := mimi.Client(&leaf.Credential); err == nil && u == user {
			list = append(list, tree.LeafIndex(i))
		}
	}
	return list
}

// commit makes a Commit, of proposals of its own or, with nil for references, of those
// that wait too.
func (d *raw) commit(references []message.ProposalRef, list ...message.Proposal) (*mls.Pending, *mimi.UpdateRequest, error) {
	p, err := d.group.Commit(d.p.r.now(), mls.CommitOptions{
		Proposals: list, References: references, Path: true, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	})
	if err != nil {
		return nil, nil, err
	}
	m, err := message.Parse(p.Message, nil)
	if err != nil {
		return nil, nil, err
	}
	t, err := p.Tree().Marshal()
	if err != nil {
		return nil, nil, err
	}
	b := mimi.HandshakeBundle{ProposalOrCommit: *m, RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeFull, RatchetTree: t}}
	b.GroupInfoOption.Full = p.GroupInfo
	if p.Welcome != nil {
		w, err := message.Parse(p.Welcome, nil)
		if err != nil {
			return nil, nil, err
		}
		b.Welcome = w.Welcome
	}
	return p, &mimi.UpdateRequest{Bundle: b}, nil
}

// update sends an update through a peer.
func (d *raw) update(ctx context.Context, by *peer, m *mimi.UpdateRequest) (*mimi.UpdateRoomResponse, *answer) {
	return post[*mimi.UpdateRoomResponse](ctx, by, mimi.EndpointUpdate, d.room.String(), m)
}

// spoiled returns an update with something changed in it, which leaves the original.
func spoiled(m *mimi.UpdateRequest, change func(*mimi.HandshakeBundle)) (*mimi.UpdateRequest, error) {
	c, err := mimi.ParseUpdateRequest(encode(m), nil)
	if err != nil {
		return nil, err
	}
	change(&c.Bundle)
	return c, nil
}

// protect encrypts a text, with its franking tag if frank is set.
func (d *raw) protect(s string, frank bool) (*mimi.SubmitMessageRequest, []byte, error) {
	user := d.p.user.String()
	m, err := content.New(d.cfg.Suite, user, d.room.String(), content.Text(s))
	if err != nil {
		return nil, nil, err
	}
	data, err := m.Marshal()
	if err != nil {
		return nil, nil, err
	}
	data, err = d.group.Frame(message.MediaType{Type: []byte(content.TypeContent)}, data)
	if err != nil {
		return nil, nil, err
	}
	var o mls.SendOptions
	if frank {
		tag := mimi.FrankAAD{FrankingTag: mimi.FrankingTag(m.Salt[:], data)}
		o.Items = tag.AAD(nil)
	}
	b, err := d.group.Protect(data, o)
	if err != nil {
		return nil, nil, err
	}
	p, err := message.Parse(b, nil)
	if err != nil {
		return nil, nil, err
	}
	return &mimi.SubmitMessageRequest{AppMessage: p.Private, SendingURI: mimi.URI(d.p.user)}, data, nil
}

// catchUp takes the Commits and proposals of others that came meanwhile.
func (d *raw) catchUp() error {
	d.p.mu.Lock()
	list := slices.Clone(d.p.inbox[d.next:])
	d.next = len(d.p.inbox)
	d.p.mu.Unlock()
	for _, n := range list {
		if n.err != nil || n.status != 201 || !n.room.Equal(mimi.URI(d.room)) {
			continue
		}
		for i := range n.list {
			if err := d.take(&n.list[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *raw) take(f *mimi.FanoutMessage) error {
	if f.Message.Public == nil {
		return nil
	}
	for _, m := range slices.Concat([]message.Message{f.Message}, f.MoreProposals, f.ExternalProposals) {
		if m.Public == nil || m.Public.Content.Epoch < d.group.Epoch() {
			continue
		}
		e, err := d.group.ProcessMessage(d.p.r.now(), &m)
		if errors.Is(err, mls.ErrOwnMessage) || errors.Is(err, mls.ErrDuplicate) {
			continue
		}
		if err != nil {
			return err
		}
		if s, ok := e.(*mls.Staged); ok {
			if err := d.group.Merge(s); err != nil {
				return err
			}
		}
	}
	return nil
}

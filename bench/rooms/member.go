package rooms

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	groups "github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Whoever makes a room follows one of the example policies of room-policy-04, in which
// administrators add users.
const (
	policyName   = "administered"
	roleAdmin    = "group_admin"
	roleOrdinary = "ordinary_user"
)

// device is a client of a provider, with its groups.
type device struct {
	uri, user ident.URI
	conn      *serve.Client
	cfg       *mls.Config
	id        *mls.Identity
	keys      []*mls.KeyPackage
	groups    map[ident.URI]*mls.Group // by the rooms
}

// newDevice adds a client to a provider, which has its user, and gives it as many
// KeyPackages as there are rooms.
func (w *world) newDevice(p *provider, user, name string, rooms int) (*device, error) {
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		return nil, err
	}
	d := &device{groups: make(map[ident.URI]*mls.Group), cfg: &mls.Config{
		Suite: s, PublicHandshake: true, Components: components(),
		Authenticate: func(*message.Credential, []byte, mls.Where) error { return nil },
		// Requests overtake each other, and messages of rounds that are not measured
		// are not opened.
		Limits: schedule.Limits{OutOfOrder: 1 << 16, Forward: 1 << 24},
	}}
	if d.user, err = ident.NewURI(ident.KindUser, p.domain, user); err != nil {
		return nil, err
	}
	if d.uri, err = ident.NewURI(ident.KindClient, p.domain, user, name); err != nil {
		return nil, err
	}
	if d.id, err = mls.NewIdentity(s, []byte(d.uri.String())); err != nil {
		return nil, err
	}
	if err := p.AddClient(w.ctx, d.uri); err != nil {
		return nil, err
	}
	if d.conn, err = p.Client(w.ctx, d.uri); err != nil {
		return nil, err
	}
	var public []message.KeyPackage
	for range rooms {
		k, err := d.cfg.NewKeyPackage(time.Now(), d.id, mls.LeafOptions{})
		if err != nil {
			return nil, err
		}
		d.keys, public = append(d.keys, k), append(public, k.Public)
	}
	return d, d.conn.Publish(w.ctx, public)
}

// components are those of a room, as all members have to know them.
func components() map[message.ComponentID]mls.Component {
	points := groups.DefaultPoints
	m := make(map[message.ComponentID]mls.Component)
	for _, id := range points.Components() {
		m[id] = mls.Component{Update: func(old []byte, updates [][]byte) ([]byte, error) { return points.Merge(id, old, updates) }}
	}
	m[mimi.DefaultCodePoints.FrankingAgent] = mls.Component{Update: func(_ []byte, updates [][]byte) ([]byte, error) { return updates[0], nil }}
	m[mimi.DefaultCodePoints.FrankAAD] = mls.Component{SafeAAD: true}
	return m
}

// create makes a room with the device as its only member.
func (d *device) create(w *world, name ident.URI) error {
	policy, ok := groups.PolicyByName(policyName)
	if !ok {
		return fmt.Errorf("no policy %q", policyName)
	}
	points := &mimi.DefaultCodePoints
	dict, err := policy.Dictionary(nil, &groups.RoomMetaData{URI: name.String(), Name: "bench"}, []groups.UserRolePair{
		{User: d.user.String(), Role: policy.Role(roleAdmin)},
		{User: name.ProviderURI().String(), Role: policy.Role("policy_enforcer")},
	}, nil, nil)
	if err != nil {
		return err
	}
	for id, v := range map[message.ComponentID]wire.Marshaler{
		points.FrankingAgent: w.hub.FrankingAgent(),
		points.MLS.SafeAAD:   message.ComponentsList{points.FrankAAD},
	} {
		b, err := wire.Marshal(v)
		if err != nil {
			return err
		}
		dict = dict.With(id, b)
	}
	var ext message.Extensions
	for _, e := range []struct {
		t message.ExtensionType
		v wire.Marshaler
	}{{message.ExtensionExternalSenders, message.ExternalSenders{w.hub.HubSender()}}, {points.MLS.AppDataDictionary, dict}} {
		b, err := wire.Marshal(e.v)
		if err != nil {
			return err
		}
		ext = append(ext, message.Extension{Type: e.t, Data: b})
	}
	id, err := ident.NewURI(ident.KindGroup, hubDomain, name.Segments()...)
	if err != nil {
		return err
	}
	g, err := mls.New(d.cfg, time.Now(), d.id, []byte(id.String()), mls.GroupOptions{Extensions: ext})
	if err != nil {
		return err
	}
	info, err := g.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true})
	if err != nil {
		return err
	}
	tree, err := g.Tree().Marshal()
	if err != nil {
		return err
	}
	d.groups[name] = g
	return d.conn.CreateRoom(w.ctx, name, info, tree)
}

// addAll adds users with all their clients to a room, by one Commit.
func (d *device) addAll(w *world, name ident.URI, users []ident.URI) error {
	policy, _ := groups.PolicyByName(policyName)
	var add []groups.UserRolePair
	var list []message.Proposal
	for _, u := range users {
		keys, err := d.claim(w, name, u)
		if err != nil {
			return fmt.Errorf("key material of %v: %w", u, err)
		}
		for _, k := range keys {
			list = append(list, mls.AddProposal(k))
		}
		add = append(add, groups.UserRolePair{User: u.String(), Role: policy.Role(roleOrdinary)})
	}
	g := d.groups[name]
	data, _ := g.Context().Extensions.Find(mimi.DefaultCodePoints.MLS.AppDataDictionary)
	var dict message.AppDataDictionary
	if err := wire.Unmarshal(data, &dict); err != nil {
		return err
	}
	state, err := groups.Decode(nil, dict, slices.Values([]string{d.user.String()}))
	if err != nil {
		return err
	}
	change, err := state.ListUpdate(nil, nil, add)
	if err != nil {
		return err
	}
	update, err := wire.Marshal(change)
	if err != nil {
		return err
	}
	list = append([]message.Proposal{d.cfg.AppDataProposal(mimi.DefaultCodePoints.ParticipantList, update)}, list...)
	return d.commit(w, name, list)
}

// claim fetches KeyPackages of a user's clients for a room.
func (d *device) claim(w *world, name, user ident.URI) (keys []message.KeyPackage, err error) {
	req := &mimi.KeyMaterialRequest{
		RequestingUser: mimi.URI(d.user), TargetUser: mimi.URI(user), RoomID: mimi.URI(name),
		AcceptableCiphersuites: []suite.ID{d.cfg.Suite.ID()}, RequesterSignatureKey: d.id.Signer.Public, RequesterCredential: d.id.Credential,
	}
	if err := req.Sign(d.cfg.Suite, d.id.Signer.Private); err != nil {
		return nil, err
	}
	body, err := d.conn.Call(w.ctx, follower.Call{Endpoint: mimi.EndpointKeyMaterial, Body: req})
	if err != nil {
		return nil, err
	}
	resp, ok := body.(*mimi.KeyMaterialResponse)
	if !ok || resp.UserStatus != mimi.UserSuccess {
		return nil, fmt.Errorf("got %+v, want success", body)
	}
	for _, c := range resp.Clients {
		keys = append(keys, *c.KeyPackage)
	}
	return keys, nil
}

// commit sends a Commit, and merges it when the hub has accepted it.
func (d *device) commit(w *world, name ident.URI, list []message.Proposal) error {
	g := d.groups[name]
	p, err := g.Commit(time.Now(), mls.CommitOptions{Proposals: list, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true}})
	if err != nil {
		return err
	}
	m, err := message.Parse(p.Message, nil)
	if err != nil {
		return err
	}
	tree, err := p.Tree().Marshal()
	if err != nil {
		return err
	}
	welcome, err := message.Parse(p.Welcome, nil)
	if err != nil {
		return err
	}
	b := mimi.HandshakeBundle{
		ProposalOrCommit: *m, Welcome: welcome.Welcome,
		RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeFull, RatchetTree: tree},
	}
	b.GroupInfoOption.Full = p.GroupInfo
	body, err := d.conn.Call(w.ctx, follower.Call{Endpoint: mimi.EndpointUpdate, Room: name, Body: &mimi.UpdateRequest{Bundle: b}})
	if err != nil {
		return err
	}
	if r, ok := body.(*mimi.UpdateRoomResponse); !ok || r.ResponseCode != mimi.UpdateSuccess {
		return fmt.Errorf("update: got %+v, want success", body)
	}
	return g.Merge(&p.Staged)
}

// join joins a room by the next delivery, which is its Welcome.
func (d *device) join(w *world) error {
	in, err := d.conn.Receive(w.ctx)
	if err != nil {
		return err
	}
	list, err := mimi.ParseFanoutMessages(in.Body, nil)
	if err != nil {
		return err
	}
	if len(list) != 1 || list[0].Kind() != mimi.FanoutWelcome {
		return errors.New("the first delivery is not a Welcome")
	}
	st, err := mls.OpenWelcome(d.cfg, time.Now(), list[0].Message.Welcome, d.keys, mls.JoinOptions{RatchetTree: list[0].RatchetTreeOption.RatchetTree})
	if err != nil {
		return err
	}
	d.groups[in.About] = st.Join()
	return d.conn.Ack(w.ctx, in.Room, in.Seq)
}

// seal makes the body of a request to submit a text, with its franking tag.
func (d *device) seal(name ident.URI, text string) ([]byte, error) {
	m, err := content.New(d.cfg.Suite, d.user.String(), name.String(), content.Text(text))
	if err != nil {
		return nil, err
	}
	data, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	tag := mimi.FrankAAD{FrankingTag: mimi.FrankingTag(m.Salt[:], data)}
	b, err := d.groups[name].Protect(data, mls.SendOptions{Items: tag.AAD(nil)})
	if err != nil {
		return nil, err
	}
	sealed, err := message.Parse(b, nil)
	if err != nil {
		return nil, err
	}
	return wire.Marshal(&mimi.SubmitMessageRequest{AppMessage: sealed.Private, SendingURI: mimi.URI(d.user)})
}

// open returns the text of an event and when the hub accepted it, and checks its frank.
func (d *device) open(name ident.URI, body []byte) (text string, accepted uint64, err error) {
	list, err := mimi.ParseFanoutMessages(body, nil)
	if err != nil {
		return "", 0, err
	}
	if len(list) != 1 {
		return "", 0, fmt.Errorf("%d events in a delivery, want 1", len(list))
	}
	f, g := &list[0], d.groups[name]
	e, err := g.ProcessMessage(time.Now(), &f.Message)
	if err != nil {
		return "", 0, err
	}
	app, ok := e.(*mls.Application)
	if !ok {
		return "", 0, fmt.Errorf("%T, want an application message", e)
	}
	c, err := content.Parse(app.Data)
	if err != nil {
		return "", 0, err
	}
	disclosed, err := mimi.Disclose(app.Data)
	if err != nil {
		return "", 0, err
	}
	tag, err := mimi.FrankAADOf(f.Message.Private.AuthenticatedData, nil)
	if err != nil {
		return "", 0, err
	}
	agent, err := mimi.FrankingAgentOf(g.Context(), nil)
	if err != nil || tag == nil || f.Frank == nil {
		return "", 0, errors.Join(errors.New("a message without a frank"), err)
	}
	received := mimi.Received{
		Frank: f.Frank, FrankingTag: tag.FrankingTag, AcceptedTimestamp: f.Timestamp, ApplicationData: app.Data, Content: disclosed,
		RoomID: mimi.URI(name), Sender: disclosed.SenderURI, Agent: agent, Hub: hubDomain,
	}
	if err := received.Verify(d.cfg.Suite); err != nil {
		return "", 0, err
	}
	text, _ = c.Body.PlainText()
	return text, f.Timestamp, nil
}

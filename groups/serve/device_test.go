package serve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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

var noProfile follower.Profile

const suiteID = suite.X25519AES128GCMSHA256Ed25519

// The roles of the tests' room.
const (
	roleUser     = 2
	roleAdmin    = 3
	roleEnforcer = 5
)

func testRoles() *room.RoleData {
	none := uint32(0)
	ordinary := []room.Capability{
		room.CanAddOwnClient, room.CanRemoveOwnClient, room.CanRemoveSelf, room.CanSendMessage, room.CanReceiveMessage, room.CanReportAbuse,
	}
	return &room.RoleData{Roles: []room.Role{
		{Index: 0, Name: "none"},
		{Index: 1, Name: room.BannedName, MaxActive: &none},
		{Index: roleUser, Name: "user", Capabilities: ordinary, Changes: []room.RoleChangeTargets{{From: roleUser, Targets: []uint32{0}}}},
		{Index: roleAdmin, Name: "admin", Capabilities: append(slices.Clone(ordinary),
			room.CanAddParticipant, room.CanRemoveParticipant, room.CanBan, room.CanKick, room.CanChangeUserRole), Changes: []room.RoleChangeTargets{
			{From: 0, Targets: []uint32{1, 2, 3}}, {From: 2, Targets: []uint32{0, 1, 3}}, {From: 3, Targets: []uint32{0, 1, 2}},
		}},
		{Index: roleEnforcer, Name: "policy_enforcer", MaxActive: &none, Capabilities: []room.Capability{room.CanRemoveParticipant, room.CanKick}},
	}}
}

// device is a client with what it keeps, over its provider's client API. What it has
// seen of a room or its mailbox survives it, as if it were stored with the rest.
type device struct {
	w     *world
	uri   ident.URI
	user  ident.URI
	cfg   *mls.Config
	id    *mls.Identity
	keys  []*mls.KeyPackage
	group *mls.Group
	since uint64
	conn  *Client
	seen  map[ident.URI]uint64
	got   []string // what it has read
	again int      // deliveries that it had before
	data  []byte   // of the last message that it has read
}

func memberComponents() map[message.ComponentID]mls.Component {
	points := room.DefaultPoints
	m := make(map[message.ComponentID]mls.Component)
	for _, id := range points.Components() {
		m[id] = mls.Component{Update: func(old []byte, updates [][]byte) ([]byte, error) { return points.Merge(id, old, updates) }}
	}
	m[mimi.DefaultCodePoints.FrankingAgent] = mls.Component{Update: func(_ []byte, updates [][]byte) ([]byte, error) { return updates[0], nil }}
	m[mimi.DefaultCodePoints.FrankAAD] = mls.Component{SafeAAD: true}
	return m
}

// device returns a client, which it makes, connects and gives a KeyPackage: "alice/A1" of
// a.example.
func (w *world) device(name string) *device {
	w.Helper()
	if d := w.devices[name]; d != nil {
		return d
	}
	user, client, _ := strings.Cut(name, "/")
	domain := name[:1] + ".example"
	s := must(suite.NewStd(suiteID))
	d := &device{
		w: w, user: uri("mimi://" + domain + "/u/" + user), uri: uri("mimi://" + domain + "/d/" + user + "/" + client), seen: make(map[ident.URI]uint64),
		cfg: &mls.Config{
			Suite: s, PublicHandshake: true, PastEpochs: 4, Components: memberComponents(),
			Authenticate: func(*message.Credential, []byte, mls.Where) error { return nil },
		},
	}
	d.id = must(mls.NewIdentity(s, []byte(d.uri.String())))
	w.devices[name] = d
	p := w.providers[domain]
	w.check(p.AddUser(w.ctx, d.user, noProfile))
	w.check(p.AddClient(w.ctx, d.uri))
	d.connect()
	k := must(d.cfg.NewKeyPackage(time.Now(), d.id, mls.LeafOptions{}))
	d.keys = append(d.keys, k)
	w.check(d.conn.Publish(w.ctx, []message.KeyPackage{k.Public}))
	return d
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (d *device) connect() {
	d.w.Helper()
	c, err := d.w.providers[d.uri.Provider()].Client(d.w.ctx, d.uri)
	d.w.check(err)
	d.conn = c
}

// newGroup makes the group of a room with the device as its only member.
func (d *device) newGroup(p *Provider, others ...room.UserRolePair) error {
	points := mimi.DefaultCodePoints
	list := append([]room.UserRolePair{{User: d.user.String(), Role: roleAdmin}, {User: "mimi://a.example", Role: roleEnforcer}}, others...)
	var dict message.AppDataDictionary
	for id, v := range map[message.ComponentID]wire.Marshaler{
		points.ParticipantList:       &room.ParticipantListData{Participants: list},
		points.RoomMetadata:          &room.RoomMetaData{URI: clubhouse.String(), Name: "Clubhouse"},
		room.DefaultPoints.RolesList: testRoles(),
		points.FrankingAgent:         p.FrankingAgent(),
		points.MLS.SafeAAD:           message.ComponentsList{points.FrankAAD},
	} {
		dict = dict.With(id, must(wire.Marshal(v)))
	}
	ext := message.Extensions{
		{Type: message.ExtensionExternalSenders, Data: must(wire.Marshal(message.ExternalSenders{p.HubSender()}))},
		{Type: points.MLS.AppDataDictionary, Data: must(wire.Marshal(dict))},
	}
	g, err := mls.New(d.cfg, time.Now(), d.id, []byte("mimi://a.example/g/clubhouse"), mls.GroupOptions{Extensions: ext})
	d.group = g
	return err
}

// create makes the room (Alice Creates a Room).
func (d *device) create(others ...room.UserRolePair) error {
	if err := d.newGroup(d.w.providers["a.example"], others...); err != nil {
		return err
	}
	info := must(d.group.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true}))
	return d.conn.CreateRoom(d.w.ctx, clubhouse, info, must(d.group.Tree().Marshal()))
}

// claim fetches key material of a user for the room.
func (d *device) claim(user ident.URI) ([]message.KeyPackage, error) {
	req := &mimi.KeyMaterialRequest{
		RequestingUser: mimi.URI(d.user), TargetUser: mimi.URI(user), RoomID: mimi.URI(clubhouse),
		AcceptableCiphersuites: []suite.ID{suiteID}, RequesterSignatureKey: d.id.Signer.Public, RequesterCredential: d.id.Credential,
	}
	if err := req.Sign(d.cfg.Suite, d.id.Signer.Private); err != nil {
		return nil, err
	}
	body, err := d.conn.Call(d.w.ctx, follower.Call{Endpoint: mimi.EndpointKeyMaterial, Body: req})
	if err != nil {
		return nil, err
	}
	resp := body.(*mimi.KeyMaterialResponse)
	var keys []message.KeyPackage
	for _, c := range resp.Clients {
		if c.KeyPackage != nil {
			keys = append(keys, *c.KeyPackage)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("key material: %v", resp.UserStatus)
	}
	return keys, nil
}

// participants returns a proposal that changes the participant list.
func (d *device) participants(change, add []room.UserRolePair, remove []string) message.Proposal {
	var dict message.AppDataDictionary
	data, _ := d.group.Context().Extensions.Find(mimi.DefaultCodePoints.MLS.AppDataDictionary)
	must(0, wire.Unmarshal(data, &dict))
	state := must(room.Decode(nil, dict, func(yield func(string) bool) {
		for _, leaf := range d.group.Tree().All() {
			if _, user, err := mimi.Client(&leaf.Credential); err != nil || !yield(user.String()) {
				return
			}
		}
	}))
	u := must(state.ListUpdate(change, remove, add))
	return d.cfg.AppDataProposal(mimi.DefaultCodePoints.ParticipantList, must(wire.Marshal(u)))
}

// add adds a user with all its clients (Alice adds Bob to the Room).
func (d *device) add(user ident.URI) error {
	keys, err := d.claim(user)
	if err != nil {
		return err
	}
	list := []message.Proposal{d.participants(nil, []room.UserRolePair{{User: user.String(), Role: roleUser}}, nil)}
	for _, k := range keys {
		list = append(list, mls.AddProposal(k))
	}
	return d.commit(list...)
}

// commit sends a Commit of what waits and of proposals, and merges it if the hub accepts
// it.
func (d *device) commit(list ...message.Proposal) error {
	p, err := d.group.Commit(time.Now(), mls.CommitOptions{
		Proposals: list, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	})
	if err != nil {
		return err
	}
	b := mimi.HandshakeBundle{
		ProposalOrCommit:  *must(message.Parse(p.Message, nil)),
		RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeFull, RatchetTree: must(p.Tree().Marshal())},
	}
	b.GroupInfoOption.Full = p.GroupInfo
	if p.Welcome != nil {
		b.Welcome = must(message.Parse(p.Welcome, nil)).Welcome
	}
	if err := d.update(&mimi.UpdateRequest{Bundle: b}); err != nil {
		return err
	}
	return d.group.Merge(&p.Staged)
}

func (d *device) update(req *mimi.UpdateRequest) error {
	body, err := d.conn.Call(d.w.ctx, follower.Call{Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: req})
	if err != nil {
		return err
	}
	if r := body.(*mimi.UpdateRoomResponse); r.ResponseCode != mimi.UpdateSuccess {
		return fmt.Errorf("update: %v: %s", r.ResponseCode, r.ErrorDescription)
	}
	return nil
}

// leave proposes what a user who leaves does (Bob Leaves the Room).
func (d *device) leave() error {
	req := new(mimi.UpdateRequest)
	var list []message.Proposal
	for i, leaf := range d.group.Tree().All() {
		if _, user, err := mimi.Client(&leaf.Credential); err == nil && user == d.user {
			list = append(list, mls.RemoveProposal(tree.LeafIndex(i)))
		}
	}
	list = append(list, d.participants(nil, nil, []string{d.user.String()}))
	for i, p := range list {
		m := *must(message.Parse(must(d.group.Propose(time.Now(), p, mls.SendOptions{})), nil))
		if i == 0 {
			req.Bundle.ProposalOrCommit = m
		} else {
			req.Bundle.MoreProposals = append(req.Bundle.MoreProposals, m)
		}
	}
	return d.update(req)
}

// newMessage encrypts a text with its franking tag.
func (d *device) newMessage(text string) *mimi.SubmitMessageRequest {
	m := must(content.New(d.cfg.Suite, d.user.String(), clubhouse.String(), content.Text(text)))
	data := must(m.Marshal())
	tag := mimi.FrankAAD{FrankingTag: mimi.FrankingTag(m.Salt[:], data)}
	b := must(d.group.Protect(data, mls.SendOptions{Items: tag.AAD(nil)}))
	return &mimi.SubmitMessageRequest{AppMessage: must(message.Parse(b, nil)).Private, SendingURI: mimi.URI(d.user)}
}

// send sends a text (Cathy Sends a Message).
func (d *device) send(text string) error {
	body, err := d.conn.Call(d.w.ctx, follower.Call{Endpoint: mimi.EndpointSubmitMessage, Room: clubhouse, Body: d.newMessage(text)})
	if err != nil {
		return err
	}
	if r := body.(*mimi.SubmitMessageResponse); r.StatusCode != mimi.SubmitAccepted || r.Frank == nil {
		return fmt.Errorf("submit: %v, franked %t", r.StatusCode, r.Frank != nil)
	}
	return nil
}

// join joins from outside (Cathy Adds a New Device).
func (d *device) join() error {
	pair := must(d.cfg.Suite.GenerateKeyPair())
	req := &mimi.GroupInfoRequest{
		CipherSuite: suiteID, RequestingSignatureKey: d.id.Signer.Public, RequestingCredential: d.id.Credential, GroupInfoPublicKey: pair.Public,
	}
	if err := req.Sign(d.cfg.Suite, d.id.Signer.Private); err != nil {
		return err
	}
	body, err := d.conn.Call(d.w.ctx, follower.Call{Endpoint: mimi.EndpointGroupInfo, Room: clubhouse, Body: req})
	if err != nil {
		return err
	}
	resp := body.(*mimi.GroupInfoResponse)
	if resp.Status != mimi.GroupInfoSuccess {
		return fmt.Errorf("groupInfo: %v", resp.Status)
	}
	info, err := resp.Open(d.cfg.Suite, mimi.URI(clubhouse), pair.Private, nil)
	if err != nil {
		return err
	}
	ext, err := mls.JoinExternal(d.cfg, time.Now(), d.id, &info.GroupInfo, mls.ExternalOptions{
		RatchetTree: info.RatchetTreeOption.RatchetTree, GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	})
	if err != nil {
		return err
	}
	b := mimi.HandshakeBundle{
		ProposalOrCommit:  *must(message.Parse(ext.Message, nil)),
		RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeDistributionService},
	}
	b.GroupInfoOption.Partial = &mimi.PartialGroupInfo{GroupInfoExtensions: ext.GroupInfo.Extensions, Signature: ext.GroupInfo.Signature}
	if err := d.update(&mimi.UpdateRequest{Bundle: b}); err != nil {
		return err
	}
	d.group = ext.Join()
	d.since = d.group.Epoch()
	return nil
}

// receive takes one delivery and acknowledges it.
func (d *device) receive() error {
	in, err := d.conn.Receive(d.w.ctx)
	if err != nil {
		return err
	}
	switch last := d.seen[in.Room]; {
	case in.Seq <= last:
		d.again++
	case in.Seq != last+1 && last != 0:
		return fmt.Errorf("delivery %d of %v follows %d", in.Seq, in.Room, last)
	default:
		if err := d.take(&in); err != nil {
			return err
		}
		d.seen[in.Room] = in.Seq
	}
	return d.conn.Ack(d.w.ctx, in.Room, in.Seq)
}

func (d *device) take(in *follower.Delivery) error {
	if in.Room.IsZero() && in.About.IsZero() {
		e, err := mimi.ParseConsentEntry(in.Body)
		if err == nil {
			d.got = append(d.got, e.ConsentOperation.String())
		}
		return err
	}
	list, err := mimi.ParseFanoutMessages(in.Body, nil)
	if err != nil {
		return err
	}
	for i := range list {
		if err := d.hear(&list[i]); err != nil {
			return fmt.Errorf("%v: %v: %w", d.uri, list[i].Kind(), err)
		}
	}
	return nil
}

// hear takes an event of the room.
func (d *device) hear(f *mimi.FanoutMessage) error {
	if f.Kind() == mimi.FanoutWelcome {
		st, err := mls.OpenWelcome(d.cfg, time.Now(), f.Message.Welcome, d.keys, mls.JoinOptions{RatchetTree: f.RatchetTreeOption.RatchetTree})
		if err != nil {
			return err
		}
		d.group = st.Join()
		d.since = d.group.Epoch()
		d.got = append(d.got, "welcome")
		return nil
	}
	if d.group == nil || f.Kind() == mimi.FanoutApplication && f.Message.Private.Epoch < d.since {
		return nil // of before it joined
	}
	for _, m := range append([]message.Message{f.Message}, f.MoreProposals...) {
		e, err := d.group.ProcessMessage(time.Now(), &m)
		switch {
		case errors.Is(err, mls.ErrOwnMessage), errors.Is(err, mls.ErrRemoved), errors.Is(err, mls.ErrDuplicate):
			continue
		case errors.Is(err, mls.CheckEpoch) && f.Kind() != mimi.FanoutApplication && m.Public.Content.Epoch < d.group.Epoch():
			continue // its own Commit, merged when it was accepted
		case err != nil:
			return err
		}
		switch e := e.(type) {
		case *mls.Staged:
			if err := d.group.Merge(e); err != nil {
				return err
			}
		case *mls.Application:
			if err := d.read(f, e); err != nil {
				return err
			}
		}
	}
	d.got = append(d.got, map[mimi.FanoutKind]string{mimi.FanoutCommit: "commit", mimi.FanoutProposal: "proposal"}[f.Kind()])
	if f.Kind() == mimi.FanoutApplication {
		d.got = d.got[:len(d.got)-1]
	}
	return nil
}

// read verifies a message's frank and keeps its text.
func (d *device) read(f *mimi.FanoutMessage, e *mls.Application) error {
	c, err := content.Parse(e.Data)
	if err != nil {
		return err
	}
	disclosed := must(mimi.Disclose(e.Data))
	if f.Frank == nil {
		return errors.New("a message without a frank")
	}
	got := mimi.Received{
		Frank: f.Frank, FrankingTag: must(mimi.FrankAADOf(f.Message.Private.AuthenticatedData, nil)).FrankingTag,
		AcceptedTimestamp: f.Timestamp, ApplicationData: e.Data, Content: disclosed,
		RoomID: mimi.URI(clubhouse), Sender: disclosed.SenderURI, Agent: must(mimi.FrankingAgentOf(d.group.Context(), nil)), Hub: "a.example",
	}
	if err := got.Verify(d.cfg.Suite); err != nil {
		return err
	}
	text, _ := c.Body.PlainText()
	d.data = slices.Clone(e.Data)
	d.got = append(d.got, text)
	return nil
}

// until receives until the device has got n things in all.
func (d *device) until(n int) {
	d.w.Helper()
	for len(d.got) < n {
		if err := d.receive(); err != nil {
			d.w.Fatalf("%v, after %q: %v", d.uri, d.got, err)
		}
	}
}

package hub

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// start is when the tests begin.
var start = time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)

const suiteID = suite.X25519AES128GCMSHA256Ed25519

// clubhouse is the room of the draft's example.
var clubhouse = uri("mimi://a.example/r/clubhouse")

func uri(s string) ident.URI {
	u, err := ident.ParseURI(s)
	if err != nil {
		panic(err)
	}
	return u
}

// must ends a test at an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func marshal(m wire.Marshaler) []byte { return must(wire.Marshal(m)) }

func newSuite(label string) suite.Suite {
	return must(suite.NewSeeded(suiteID, sha256.Sum256([]byte("hub")), label))
}

// The roles of the tests' rooms; policy_enforcer is the draft's (room-policy-04, Role
// examples).
const (
	roleUser     = 2
	roleAdmin    = 3
	roleReader   = 4
	roleEnforcer = 5
)

func testRoles() room.RoleData {
	none := uint32(0)
	ordinary := []room.Capability{
		room.CanAddOwnClient, room.CanRemoveOwnClient, room.CanRemoveSelf, room.CanSendMessage, room.CanReceiveMessage, room.CanReportAbuse,
	}
	return room.RoleData{Roles: []room.Role{
		{Index: 0, Name: "none", Capabilities: []room.Capability{room.CanUseJoinCode}, Changes: []room.RoleChangeTargets{{From: 0, Targets: []uint32{roleUser}}}},
		{Index: 1, Name: room.BannedName, MaxActive: &none},
		{Index: roleUser, Name: "user", Capabilities: ordinary, Changes: []room.RoleChangeTargets{{From: roleUser, Targets: []uint32{0}}}},
		{Index: roleAdmin, Name: "admin", Capabilities: append(slices.Clone(ordinary),
			room.CanAddParticipant, room.CanRemoveParticipant, room.CanBan, room.CanUnBan, room.CanKick, room.CanChangeUserRole, room.CanChangeRoomName,
			room.CanCreateJoinCode, room.CanDeleteJoinCode, room.CanChangePreauthorizedUserList, room.CanChangeOtherPolicyAttribute), Changes: []room.RoleChangeTargets{
			{From: 0, Targets: []uint32{1, 2, 3, 4}}, {From: 1, Targets: []uint32{0, 2, 3, 4}}, {From: 2, Targets: []uint32{0, 1, 3, 4}},
			{From: 3, Targets: []uint32{0, 1, 2, 4}}, {From: 4, Targets: []uint32{0, 1, 2, 3}},
		}},
		{Index: roleReader, Name: "reader", Capabilities: []room.Capability{room.CanAddOwnClient, room.CanReceiveMessage}},
		{Index: roleEnforcer, Name: "policy_enforcer", Capabilities: []room.Capability{
			room.CanRemoveParticipant, room.CanKick, room.CanBan, room.CanChangeUserRole, room.CanAddParticipant,
		}, MaxActive: &none, Changes: []room.RoleChangeTargets{
			{From: 0, Targets: []uint32{1, 2, 3, 4}}, {From: 2, Targets: []uint32{0, 1}}, {From: 3, Targets: []uint32{0, 1}}, {From: 4, Targets: []uint32{0, 1}},
		}},
	}}
}

// world is a hub with its store, and the clients of all providers.
type world struct {
	now     time.Time
	roles   func(*room.RoleData) // changes those of rooms that are created; may be nil
	cfg     Config
	hub     *Hub
	store   map[string][]byte
	clients map[string]*client
	steps   int
	// restart restores the hub from its store after every step.
	restart bool
	// flying are the requests to notify that have no answer yet, in their order.
	flying []Send
	seen   map[string]bool // the requests that followers have had
	log    strings.Builder
}

// client is a device with what a member keeps.
type client struct {
	name string // "alice/ClientA1"
	user ident.URI
	cfg  *mls.Config
	id   *mls.Identity
	keys []*mls.KeyPackage
	// group is nil until it joins.
	group *mls.Group
	since uint64   // the epoch that it joined in
	got   []string // what it has read
}

func (c *client) provider() string { return c.user.Provider() }

func newWorld(change func(*Config)) *world {
	s := newSuite("hub")
	id := must(mls.NewIdentity(s, []byte("mimi://a.example")))
	cfg := Config{
		Domain: "a.example", Groups: &mls.Config{Suite: s}, Identity: id,
		Franking: must(s.GenerateSigner()), FrankKeys: []mimi.HubKey{must(mimi.NewHubKey(s))},
		Disclose:       disclose,
		AssetDomains:   map[string][]string{"b.example": {"assets.b.example"}, "c.example": {"cdn.c.example"}},
		EpochTolerance: 1, RetryMin: time.Second, RetryMax: time.Minute, BatchMessages: 4, BatchBytes: 1 << 20,
	}
	if change != nil {
		change(&cfg)
	}
	return &world{
		now: start, cfg: cfg, hub: must(New(cfg)), store: make(map[string][]byte),
		clients: make(map[string]*client), seen: make(map[string]bool),
	}
}

// disclose reads the tests' format of content: salt, sender and room.
func disclose(b []byte) (d mimi.Disclosed, err error) {
	r := wire.NewReader(b)
	d.Salt = r.Opaque()
	d.SenderURI.UnmarshalTLS(r)
	d.RoomURI.UnmarshalTLS(r)
	r.Opaque()
	return d, r.Done()
}

func content(sender mimi.IdentifierURI, salt, text string) []byte {
	w := wire.NewWriter(nil)
	w.OpaqueString(salt)
	sender.MarshalTLS(w)
	mimi.URI(clubhouse).MarshalTLS(w)
	w.OpaqueString(text)
	return must(w.Bytes())
}

// client returns a client, which it makes if need be: "alice/ClientA1" is of the
// provider that the user's name begins with.
func (w *world) client(name string) *client {
	if c := w.clients[name]; c != nil {
		return c
	}
	user, device, ok := strings.Cut(name, "/")
	if !ok {
		panic("client " + name)
	}
	domain := name[:1] + ".example"
	s := newSuite(name)
	c := &client{
		name: name, user: uri("mimi://" + domain + "/u/" + user),
		cfg: &mls.Config{
			Suite: s, PublicHandshake: true, PastEpochs: 64, Components: components(nil, &mimi.DefaultCodePoints),
			Authenticate: func(*message.Credential, []byte, mls.Where) error { return nil },
		},
		id: must(mls.NewIdentity(s, []byte("mimi://"+domain+"/d/"+user+"/"+device))),
	}
	w.clients[name] = c
	return c
}

// sorted returns the clients in the order of their names.
func (w *world) sorted() []*client {
	var list []*client
	for _, name := range sortedKeys(w.clients) {
		list = append(list, w.clients[name])
	}
	return list
}

// step steps the hub as a shell does.
func (w *world) step(in Input) (Output, error) {
	w.steps++
	before := w.fingerprint()
	out, err := w.hub.Step(w.now, in)
	if err != nil || out.Refused != nil {
		if len(out.Persist) > 0 || len(out.Sends) > 0 || w.fingerprint() != before {
			panic(fmt.Sprintf("a refused %T changed the hub: %v %v", in, err, out.Refused))
		}
	}
	for _, r := range out.Persist {
		if r.Value == nil {
			delete(w.store, r.Key)
		} else {
			w.store[r.Key] = bytes.Clone(r.Value)
		}
	}
	for i := range out.Sends {
		s := out.Sends[i]
		s.Body = bytes.Clone(s.Body)
		w.flying = append(w.flying, s)
	}
	if w.restart {
		w.restore()
	}
	return out, err
}

// fingerprint stands for all that the hub can tell of its rooms.
func (w *world) fingerprint() string {
	var b strings.Builder
	for _, r := range w.hub.sortedRooms() {
		fmt.Fprint(&b, r.uri, r.group.Epoch(), r.lastTime, r.lastSeq, len(r.pending), len(r.events), len(r.joins), r.state.now.Participants())
		for _, to := range sortedKeys(r.queues) {
			q := r.queues[to]
			fmt.Fprint(&b, to, q.acked, q.flight, q.failures, q.retryAt, len(q.waiting))
		}
	}
	fmt.Fprint(&b, len(w.hub.routes.byRef), len(w.hub.holds))
	return b.String()
}

func (w *world) records() (list []protocols.Record) {
	for _, k := range sortedKeys(w.store) {
		list = append(list, protocols.Record{Key: k, Value: w.store[k]})
	}
	return list
}

func (w *world) restore() { w.hub = must(Restore(w.cfg, w.records())) }

// create makes the room of the draft's example, or one with other participants.
func (w *world) create(c *client, others ...room.UserRolePair) (Output, error) {
	p := mimi.DefaultCodePoints
	list := append([]room.UserRolePair{{User: c.user.String(), Role: roleAdmin}, {User: "mimi://a.example", Role: roleEnforcer}}, others...)
	roles := testRoles()
	if w.roles != nil {
		w.roles(&roles)
	}
	agent := mimi.FrankingAgentData{FrankingSignatureKey: w.cfg.Franking.Public, Credential: message.BasicCredential([]byte("mimi://a.example"))}
	var d message.AppDataDictionary
	for id, v := range map[message.ComponentID]wire.Marshaler{
		p.ParticipantList:            &room.ParticipantListData{Participants: list},
		p.RoomMetadata:               &room.RoomMetaData{URI: clubhouse.String(), Name: "Clubhouse"},
		room.DefaultPoints.RolesList: &roles,
		p.FrankingAgent:              &agent,
		p.MLS.SafeAAD:                message.ComponentsList{p.FrankAAD},
		room.DefaultPoints.JoinLinks: &room.JoinLinksData{Links: []room.JoinLink{{Link: []byte("sesame")}}},
	} {
		d = d.With(id, marshal(v))
	}
	senders := message.ExternalSenders{{SignatureKey: w.cfg.Identity.Signer.Public, Credential: w.cfg.Identity.Credential}}
	ext := message.Extensions{
		{Type: message.ExtensionExternalSenders, Data: marshal(senders)},
		{Type: p.MLS.AppDataDictionary, Data: marshal(d)},
	}
	g, err := mls.New(c.cfg, w.now, c.id, []byte("mimi://a.example/g/clubhouse"), mls.GroupOptions{Extensions: ext})
	if err != nil {
		return Output{}, err
	}
	c.group = g
	info := must(g.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true}))
	return w.step(CreateRoom{Room: clubhouse, GroupInfo: info, RatchetTree: must(g.Tree().Marshal())})
}

// state returns the room as a member sees it.
func (c *client) state() *room.State {
	var d message.AppDataDictionary
	data, _ := c.group.Context().Extensions.Find(mimi.DefaultCodePoints.MLS.AppDataDictionary)
	if err := wire.Unmarshal(data, &d); err != nil {
		panic(err)
	}
	return must(room.Decode(nil, d, func(yield func(string) bool) {
		for _, leaf := range c.group.Tree().All() {
			if !yield(must(UserOf(&leaf.Credential)).String()) {
				return
			}
		}
	}))
}

// leaves returns a user's leaves.
func (c *client) leaves(user string) (list []tree.LeafIndex) {
	for i, leaf := range c.group.Tree().All() {
		if strings.HasSuffix(must(UserOf(&leaf.Credential)).String(), "/u/"+user) {
			list = append(list, i)
		}
	}
	return list
}

// participants returns a proposal that changes the participant list: "+bob:2" adds,
// "-bob" removes, "bob:1" changes a role.
func (c *client) participants(changes ...string) message.Proposal {
	var change, add []room.UserRolePair
	var remove []string
	name := func(s string) string { return "mimi://" + s[:1] + ".example/u/" + s }
	for _, s := range changes {
		if user, ok := strings.CutPrefix(s, "-"); ok {
			remove = append(remove, name(user))
			continue
		}
		user, role, _ := strings.Cut(strings.TrimPrefix(s, "+"), ":")
		p := room.UserRolePair{User: name(user)}
		fmt.Sscan(role, &p.Role)
		if s[0] == '+' {
			add = append(add, p)
		} else {
			change = append(change, p)
		}
	}
	u := must(c.state().ListUpdate(change, remove, add))
	return c.cfg.AppDataProposal(mimi.DefaultCodePoints.ParticipantList, marshal(u))
}

// keyMaterial fetches key material of a user for a client, by way of the hub, and
// returns what came.
func (w *world) keyMaterial(c *client, user string) ([]message.KeyPackage, error) {
	target := uri("mimi://" + user[:1] + ".example/u/" + user)
	req := &mimi.KeyMaterialRequest{
		RequestingUser: mimi.URI(c.user), TargetUser: mimi.URI(target), RoomID: mimi.URI(clubhouse),
		AcceptableCiphersuites: []suite.ID{suiteID}, RequesterSignatureKey: c.id.Signer.Public, RequesterCredential: c.id.Credential,
	}
	if err := req.Sign(c.cfg.Suite, c.id.Signer.Private); err != nil {
		return nil, err
	}
	out, err := w.step(KeyMaterialRequest{From: c.provider(), Body: marshal(req)})
	if err != nil {
		return nil, err
	}
	if out.Forward == nil || out.Forward.To != target.Provider() {
		return nil, fmt.Errorf("forward %+v, want one to %s", out.Forward, target.Provider())
	}
	body := bytes.Clone(out.Forward.Body)
	resp := &mimi.KeyMaterialResponse{UserStatus: mimi.UserSuccess, UserURI: mimi.URI(target)}
	var keys []message.KeyPackage
	for _, t := range w.sorted() {
		if t.user == target {
			k := must(t.cfg.NewKeyPackage(w.now, t.id, mls.LeafOptions{}))
			t.keys = append(t.keys, k)
			resp.Clients = append(resp.Clients, mimi.ClientKeyMaterial{ClientURI: mimi.IdentifierURI(t.id.Credential.Identity), KeyPackage: &k.Public})
			keys = append(keys, k.Public)
		}
	}
	out, err = w.step(KeyMaterialResponse{Provider: target.Provider(), Request: body, Body: marshal(resp)})
	if err == nil && !bytes.Equal(marshal(out.Response), marshal(resp)) {
		return nil, errors.New("the hub changed the response")
	}
	return keys, err
}

// bundle returns the UpdateRequest of a Commit.
func bundle(p *mls.Pending, full bool, t *tree.Tree) *mimi.UpdateRequest {
	m := must(message.Parse(p.Message, nil))
	b := mimi.HandshakeBundle{ProposalOrCommit: *m, RatchetTreeOption: mimi.RatchetTreeOption{Representation: mimi.TreeDistributionService}}
	if p.Welcome != nil {
		b.Welcome = must(message.Parse(p.Welcome, nil)).Welcome
	}
	if full {
		b.GroupInfoOption.Full = p.GroupInfo
		b.RatchetTreeOption = mimi.RatchetTreeOption{Representation: mimi.TreeFull, RatchetTree: must(t.Marshal())}
	} else {
		b.GroupInfoOption.Partial = &mimi.PartialGroupInfo{GroupInfoExtensions: p.GroupInfo.Extensions, Signature: p.GroupInfo.Signature}
	}
	return &mimi.UpdateRequest{Bundle: b}
}

// newCommit makes a Commit of what waits and of proposals.
func (w *world) newCommit(c *client, o mls.CommitOptions) (*mls.Pending, error) {
	o.GroupInfo, o.Info = true, mls.GroupInfoOptions{External: true, NoTree: true}
	return c.group.Commit(w.now, o)
}

// commit sends a Commit and merges it if the hub accepts it.
func (w *world) commit(c *client, o mls.CommitOptions) (Output, error) {
	p, err := w.newCommit(c, o)
	if err != nil {
		return Output{}, fmt.Errorf("client: %w", err)
	}
	out, err := w.update(c.provider(), bundle(p, true, p.Tree()))
	if took(out, err) {
		err = c.group.Merge(&p.Staged)
	}
	return out, err
}

func (w *world) update(from string, req *mimi.UpdateRequest) (Output, error) {
	return w.step(UpdateRequest{From: from, Room: clubhouse, Body: marshal(req)})
}

func took(out Output, err error) bool {
	r, ok := out.Response.(*mimi.UpdateRoomResponse)
	return err == nil && ok && r.ResponseCode == mimi.UpdateSuccess
}

// propose sends proposals of a member.
func (w *world) propose(c *client, list ...message.Proposal) (Output, error) {
	before := c.group.State()
	req := new(mimi.UpdateRequest)
	for i, p := range list {
		b, err := c.group.Propose(w.now, p, mls.SendOptions{})
		if err != nil { // a client that does not look at what it does
			b = c.forge(message.Content{Type: message.ContentProposal, Proposal: &p})
		}
		m := must(message.Parse(b, nil))
		if i == 0 {
			req.Bundle.ProposalOrCommit = *m
		} else {
			req.Bundle.MoreProposals = append(req.Bundle.MoreProposals, *m)
		}
	}
	out, err := w.update(c.provider(), req)
	if !took(out, err) {
		c.group = must(mls.Restore(c.cfg, before)) // what was refused is not to be committed
	}
	return out, err
}

// forge signs any content as a member. The hub can't check the membership tag.
func (c *client) forge(content message.Content) []byte {
	a := message.AuthenticatedContent{WireFormat: message.WirePublicMessage, Content: message.FramedContent{
		GroupID: c.group.GroupID(), Epoch: c.group.Epoch(), Sender: message.Member(uint32(c.group.OwnLeaf())),
		AuthenticatedData: []byte{0}, Content: content,
	}}
	context := marshal(c.group.Context())
	if err := a.Sign(c.cfg.Suite, c.id.Signer.Private, context); err != nil {
		panic(err)
	}
	return marshal(&message.Message{Public: must(a.Public(c.cfg.Suite, make([]byte, 32), context))})
}

// leave proposes what a user who leaves does (Bob Leaves the Room).
func (w *world) leave(c *client) (Output, error) {
	name := c.user.Segments()[0]
	var list []message.Proposal
	for _, leaf := range c.leaves(name) {
		list = append(list, mls.RemoveProposal(leaf))
	}
	return w.propose(c, append(list, c.participants("-"+name))...)
}

// send sends a message, franked.
func (w *world) send(c *client, text string) (Output, error) {
	b, data := w.newMessage(c, text)
	_ = data
	return w.submit(c.provider(), b, mimi.URI(c.user))
}

// newMessage encrypts a message with its franking tag.
func (w *world) newMessage(c *client, text string) (*message.PrivateMessage, []byte) {
	data := content(mimi.URI(c.user), "salt of "+text, text)
	tag := mimi.FrankAAD{FrankingTag: mimi.FrankingTag([]byte("salt of "+text), data)}
	g := c.group
	if len(g.Proposals()) > 0 { // a client that does not wait for their Commit
		g = must(mls.Restore(c.cfg, g.State()))
		g.ClearProposals()
	}
	b := must(g.Protect(data, mls.SendOptions{Items: tag.AAD(nil)}))
	return must(message.Parse(b, nil)).Private, data
}

func (w *world) submit(from string, m *message.PrivateMessage, sender mimi.IdentifierURI) (Output, error) {
	return w.step(SubmitMessageRequest{From: from, Room: clubhouse, Body: marshal(&mimi.SubmitMessageRequest{AppMessage: m, SendingURI: sender})})
}

// groupInfo asks for the GroupInfo and opens it.
func (w *world) groupInfo(c *client, code string) (*mimi.GroupInfoRatchetTreeTBE, Output, error) {
	pair := must(c.cfg.Suite.GenerateKeyPair())
	req := &mimi.GroupInfoRequest{
		CipherSuite: suiteID, RequestingSignatureKey: c.id.Signer.Public, RequestingCredential: c.id.Credential,
		GroupInfoPublicKey: pair.Public, JoiningCode: []byte(code),
	}
	if err := req.Sign(c.cfg.Suite, c.id.Signer.Private); err != nil {
		return nil, Output{}, err
	}
	out, err := w.step(GroupInfoRequest{From: c.provider(), Room: clubhouse, Body: marshal(req)})
	if err != nil {
		return nil, out, err
	}
	resp := out.Response.(*mimi.GroupInfoResponse)
	if resp.Status != mimi.GroupInfoSuccess {
		return nil, out, nil
	}
	info, err := resp.Open(c.cfg.Suite, mimi.URI(clubhouse), pair.Private, nil)
	return info, out, err
}

// join joins from outside, with what groupInfo returned.
func (w *world) join(c *client, info *mimi.GroupInfoRatchetTreeTBE, proposals ...message.Proposal) (Output, error) {
	var self []*message.PublicMessage
	for _, p := range info.PendingProposals {
		if _, ok := p.Proposal.Public.Content.Proposal.Body.(*message.SelfRemove); ok {
			self = append(self, p.Proposal.Public)
		}
	}
	ext, err := mls.JoinExternal(c.cfg, w.now, c.id, &info.GroupInfo, mls.ExternalOptions{
		RatchetTree: info.RatchetTreeOption.RatchetTree, Proposals: proposals, SelfRemoves: self,
		GroupInfo: true, Info: mls.GroupInfoOptions{External: true, NoTree: true},
	})
	if err != nil {
		return Output{}, fmt.Errorf("client: %w", err)
	}
	out, err := w.update(c.provider(), bundle(&ext.Pending, false, nil))
	if took(out, err) {
		c.group = ext.Join()
		c.since = c.group.Epoch()
	}
	return out, err
}

// deliver delivers the requests to a follower that are under way, and those that
// follow, until there are none.
func (w *world) deliver(to string) error {
	for {
		i := slices.IndexFunc(w.flying, func(s Send) bool { return s.To == to })
		if i < 0 {
			return nil
		}
		s := w.flying[i]
		w.flying = slices.Delete(w.flying, i, i+1)
		if err := w.receive(s); err != nil {
			return err
		}
		if _, err := w.step(Delivered{Room: s.Room, To: s.To, Last: s.Last}); err != nil {
			return err
		}
	}
}

// receive is a follower that has got a request to notify, and its clients.
func (w *world) receive(s Send) error {
	key := s.To + string(s.Body)
	if w.seen[key] {
		return nil // it has had it before
	}
	w.seen[key] = true
	list, err := mimi.ParseFanoutMessages(s.Body, nil)
	if err != nil {
		return err
	}
	for i := range list {
		if err := list[i].Check(); err != nil {
			return err
		}
	}
	if len(list) != s.Messages {
		return fmt.Errorf("%d messages, the send says %d", len(list), s.Messages)
	}
	for _, c := range w.sorted() {
		if c.provider() != s.To {
			continue
		}
		for i := range list {
			if err := w.hear(c, &list[i]); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// hear gives a FanoutMessage to a client.
func (w *world) hear(c *client, f *mimi.FanoutMessage) error {
	if f.Kind() == mimi.FanoutWelcome {
		if c.group != nil && !c.group.Removed() {
			return nil
		}
		st, err := mls.OpenWelcome(c.cfg, w.now, f.Message.Welcome, c.keys, mls.JoinOptions{RatchetTree: f.RatchetTreeOption.RatchetTree})
		if errors.Is(err, mls.CheckWelcomeFor) {
			return nil // another's
		}
		if err == nil {
			c.group = st.Join()
			c.since = c.group.Epoch()
		}
		return err
	}
	if c.group == nil {
		return nil
	}
	if f.Kind() == mimi.FanoutApplication && f.Message.Private.Epoch < c.since {
		return nil // of before it joined
	}
	all := append([]message.Message{f.Message}, f.MoreProposals...)
	for i := range all {
		e, err := c.group.ProcessMessage(w.now, &all[i])
		switch {
		case errors.Is(err, mls.ErrOwnMessage), errors.Is(err, mls.ErrDuplicate), errors.Is(err, mls.ErrRemoved):
			continue
		case errors.Is(err, mls.CheckEpoch) && f.Kind() != mimi.FanoutApplication && all[i].Public.Content.Epoch < c.group.Epoch():
			continue // its own Commit, merged when it was accepted, or what that was too late for
		case err != nil:
			return err
		}
		switch e := e.(type) {
		case *mls.Staged:
			if err := c.group.Merge(e); err != nil {
				return err
			}
		case *mls.Application:
			if err := w.read(c, f, e); err != nil {
				return err
			}
		}
	}
	if e := f.Message.Public; f.Kind() == mimi.FanoutCommit && e.Content.Epoch+1 == c.group.Epoch() {
		for i := range f.ExternalProposals {
			if _, err := c.group.ProcessMessage(w.now, &f.ExternalProposals[i]); err != nil && !errors.Is(err, mls.ErrDuplicate) && !errors.Is(err, mls.ErrRemoved) {
				return fmt.Errorf("stapled: %w", err)
			}
		}
	}
	return nil
}

// read verifies a message's frank and keeps its text.
func (w *world) read(c *client, f *mimi.FanoutMessage, e *mls.Application) error {
	d, err := disclose(e.Data)
	if err != nil {
		return err
	}
	agent := must(mimi.FrankingAgentOf(c.group.Context(), nil))
	tag := must(mimi.FrankAADOf(f.Message.Private.AuthenticatedData, nil))
	got := mimi.Received{
		Frank: f.Frank, FrankingTag: tag.FrankingTag, AcceptedTimestamp: f.Timestamp, ApplicationData: e.Data, Content: d,
		RoomID: mimi.URI(clubhouse), Sender: d.SenderURI, Agent: agent, Hub: "a.example",
	}
	if f.Frank == nil {
		return errors.New("a message without a frank")
	}
	if err := got.Verify(c.cfg.Suite); err != nil {
		return err
	}
	r := wire.NewReader(e.Data)
	r.Opaque()
	r.Opaque()
	r.Opaque()
	c.got = append(c.got, string(r.Opaque()))
	return nil
}

// quiet delivers everything to everybody.
func (w *world) quiet(t testing.TB) {
	t.Helper()
	for len(w.flying) > 0 {
		if err := w.deliver(w.flying[0].To); err != nil {
			t.Fatal(err)
		}
	}
}

// agree checks that the hub and all members see the same group.
func (w *world) agree(t testing.TB) {
	t.Helper()
	r := w.hub.rooms[clubhouse]
	n := 0
	for _, c := range w.sorted() {
		if c.group == nil || c.group.Removed() {
			continue
		}
		n++
		if !bytes.Equal(marshal(c.group.Context()), marshal(r.group.Context())) {
			t.Fatalf("%s is at epoch %d, the hub at %d, or they differ", c.name, c.group.Epoch(), r.group.Epoch())
		}
	}
	if n != r.group.Tree().Members() {
		t.Fatalf("%d clients are in the group, the hub has %d", n, r.group.Tree().Members())
	}
}

// trio is the draft's room with Alice, Bob and Cathy, everything delivered.
func trio(t testing.TB, change func(*Config)) *world {
	t.Helper()
	w := newWorld(change)
	alice := w.client("alice/ClientA1")
	w.client("bob/ClientB1")
	w.client("cathy/ClientC1")
	if _, err := w.create(alice); err != nil {
		t.Fatal(err)
	}
	w.add(t, alice, "bob", roleUser)
	w.add(t, alice, "cathy", roleUser)
	w.agree(t)
	return w
}

// add adds a user with all its clients, everything delivered.
func (w *world) add(t testing.TB, by *client, user string, role int) {
	t.Helper()
	keys, err := w.keyMaterial(by, user)
	if err != nil {
		t.Fatal(err)
	}
	list := []message.Proposal{by.participants(fmt.Sprintf("+%s:%d", user, role))}
	for _, k := range keys {
		list = append(list, mls.AddProposal(k))
	}
	out, err := w.commit(by, mls.CommitOptions{Proposals: list})
	if !took(out, err) {
		t.Fatalf("add %s: %v %v", user, err, out.Refused)
	}
	w.quiet(t)
}

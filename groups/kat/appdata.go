package kat

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// dictionaryCase is one of app-data-dictionary.json.
type dictionaryCase struct {
	head
	Before    octets   `json:"dictionary_before"`
	Proposals []octets `json:"proposals"`
	Failure   string   `json:"failure"`
	After     octets   `json:"dictionary_after"`
	Entries   []entry  `json:"entries_after"`
}

func checkDictionary(c *checker, v *dictionaryCase) {
	var before message.AppDataDictionary
	err := wire.Unmarshal(v.Before, &before)
	var after message.AppDataDictionary
	if err == nil {
		after, err = applyProposals(before, v.Proposals)
	}
	if !c.failed(err, v.Failure) {
		same(c, "dictionary_after of a failure (bytes)", len(v.After), 0)
		same(c, "entries_after of a failure", len(v.Entries), 0)
		return
	}
	if b, err := wire.Marshal(after); c.ok("dictionary_after", err) {
		c.equal("dictionary_after", b, v.After)
	}
	c.entries("entries_after", after, v.Entries)
}

func (c *checker) entries(what string, got []message.ComponentData, want []entry) {
	if !same(c, what+" (number)", len(got), len(want)) {
		return
	}
	for i := range got {
		same(c, fmt.Sprintf("%s[%d].component_id", what, i), uint16(got[i].Component), want[i].Component)
		c.equal(fmt.Sprintf("%s[%d].data", what, i), got[i].Data, want[i].Data)
	}
}

// applyProposals is what AppDataUpdate proposals of one Commit do to a dictionary.
func applyProposals(d message.AppDataDictionary, proposals []octets) (message.AppDataDictionary, error) {
	updates := map[message.ComponentID][][]byte{}
	removed := map[message.ComponentID]int{}
	var order []message.ComponentID
	for _, b := range proposals {
		r := wire.NewReader(b)
		p := message.DefaultCodePoints.Proposal(r)
		if err := r.Done(); err != nil {
			return nil, err
		}
		u, ok := p.Body.(*message.AppDataUpdate)
		if !ok {
			return nil, fmt.Errorf("a proposal of type %v, want app_data_update", p.Type)
		}
		if updates[u.Component] == nil && removed[u.Component] == 0 {
			order = append(order, u.Component)
		}
		if u.Op == message.AppDataRemove {
			removed[u.Component]++
		} else {
			updates[u.Component] = append(updates[u.Component], u.Update)
		}
	}
	for _, id := range order {
		old, present := d.Find(id)
		switch n := removed[id]; {
		case n > 1 || n == 1 && len(updates[id]) > 0:
			return nil, fmt.Errorf("%d removals and %d updates: %w", n, len(updates[id]), room.ErrUpdates)
		case n == 1 && !present:
			return nil, fmt.Errorf("no data to remove: %w", room.ErrComponent)
		case n == 1:
			d = d.Without(id)
		default:
			next, err := room.DefaultPoints.Merge(id, old, updates[id])
			if err != nil {
				return nil, err
			}
			d = d.With(id, next)
		}
	}
	return d, nil
}

// update and remove are Proposals with an AppDataUpdate.
func update(id uint16, b []byte) octets {
	return object{num16("proposal_type", 8), num16("component_id", id), num8("op", 1), data("update", b)}.bytes()
}

func remove(id uint16) octets {
	return object{num16("proposal_type", 8), num16("component_id", id), num8("op", 2)}.bytes()
}

func makeDictionary(*maker) []any {
	const section = "draft-ietf-mls-extensions-10, Updating Application Data in the GroupContext"
	alice, bob := pair{user("alice"), 3}, pair{user("bob"), 2}
	list := func(p ...pair) entry { return entry{0x22, listObject(p).bytes()} }
	meta := func(name string) entry { return entry{0x23, metadataObject(clubhouse, name, "", "", "").bytes()} }
	status := func(a, b byte) entry { return entry{0x28, octets{a, b}} }
	links := func(s ...string) entry {
		all := make([]field, len(s))
		for i := range s {
			all[i] = part("", object{data("join_link", []byte(s[i]))})
		}
		return entry{0x2a, object{vector("links", all...)}.bytes()}
	}
	linksUpdate := func(removed []uint32, added ...string) octets {
		return update(0x2a, append(object{numbers32("", removed...)}.bytes(), links(added...).Data...))
	}
	add := listUpdate(nil, nil, []pair{bob})
	other := entry{0x8001, octets("of another application")}
	rows := []struct {
		name      string
		before    []entry
		proposals []octets
		after     []entry
		failure   string
		because   []string
	}{
		{"an update of the participant list", []entry{list(alice), meta("a")}, []octets{update(0x22, add)}, []entry{list(alice, bob), meta("a")}, "", nil},
		{"an update of what was not there goes to its place", []entry{list(alice), other}, []octets{update(0x23, meta("b").Data)}, []entry{list(alice), meta("b"), other}, "", nil},
		{"the first entry", nil, []octets{update(0x28, octets{1, 2})}, []entry{status(1, 2)}, "", nil},
		{"updates of two components, in any order", []entry{list(alice), meta("a")}, []octets{update(0x28, octets{0, 0}), update(0x22, add)}, []entry{list(alice, bob), meta("a"), status(0, 0)}, "", nil},
		{"two updates of the participant list", []entry{list(alice)}, []octets{update(0x22, add), update(0x22, listUpdate([][2]uint32{{0, 4}}, nil, nil))}, []entry{list(pair{alice.User, 4}, bob)}, "", []string{deviation(room1, 16)}},
		{"two updates of the join links", []entry{links("one", "two")}, []octets{linksUpdate([]uint32{0}, "three"), linksUpdate([]uint32{1}, "four")}, []entry{links("three", "four")}, "", nil},
		{"a removal", []entry{list(alice), status(1, 2)}, []octets{remove(0x28)}, []entry{list(alice)}, "", nil},
		{"a removal and an update of another", []entry{list(alice), status(1, 2)}, []octets{remove(0x28), update(0x22, add)}, []entry{list(alice, bob)}, "", nil},
		{"no proposals", []entry{list(alice)}, []octets{}, []entry{list(alice)}, "", nil},
		{"removed twice", []entry{status(1, 2)}, []octets{remove(0x28), remove(0x28)}, nil, "replaced-twice", nil},
		{"removed and updated", []entry{status(1, 2)}, []octets{remove(0x28), update(0x28, octets{0, 0})}, nil, "replaced-twice", nil},
		{"removed and not there", []entry{list(alice)}, []octets{remove(0x28)}, nil, "component", nil},
		{"replaced twice", []entry{meta("a")}, []octets{update(0x23, meta("b").Data), update(0x23, meta("c").Data)}, nil, "replaced-twice", []string{deviation(room1, 28)}},
		{"a component that nobody knows", []entry{other}, []octets{update(0x8001, octets{1})}, nil, "component", nil},
		{"a join link that is not there", []entry{links("one")}, []octets{linksUpdate([]uint32{1})}, nil, "no-such-index", nil},
		{"a join link removed twice", []entry{links("one")}, []octets{linksUpdate([]uint32{0}), linksUpdate([]uint32{0})}, nil, "changed-twice", nil},
		{"an operation of no known value", nil, []octets{{0, 8, 0, 0x28, 3}}, nil, "content", nil},
		{"another proposal", nil, []octets{{0, 3, 0, 0, 0, 1}}, nil, "content", nil},
		{"an update cut short", nil, []octets{{0, 8, 0, 0x28, 1, 2, 0}}, nil, "truncated", nil},
		{"entries that do not ascend", []entry{status(0, 0), list(alice)}, []octets{}, nil, "content", nil},
		{"an entry twice", []entry{status(0, 0), status(0, 0)}, []octets{}, nil, "content", nil},
	}
	var cases []any
	for _, r := range rows {
		v := &dictionaryCase{head: newHead(r.name, section, r.because...), Before: dictionary(r.before...), Proposals: r.proposals, Failure: r.failure, After: octets{}, Entries: append([]entry{}, r.after...)}
		if r.failure == "" {
			v.After = dictionary(r.after...)
		}
		cases = append(cases, v)
	}
	return cases
}

// appDataCase is one of app-data-update.json: a Commit as a hub and as a member has it.
type appDataCase struct {
	head
	Suite          suite.ID `json:"cipher_suite"`
	GroupInfo      octets   `json:"group_info"`
	KeyPackage     octets   `json:"key_package"`
	InitPriv       octets   `json:"init_priv"`
	EncryptionPriv octets   `json:"encryption_priv"`
	SignaturePriv  octets   `json:"signature_priv"`
	Welcome        octets   `json:"welcome"`
	Before         octets   `json:"dictionary_before"`
	Proposals      []octets `json:"proposals"`
	Commit         octets   `json:"commit"`
	Failure        string   `json:"failure"`
	After          octets   `json:"dictionary_after"`
	ContextBefore  octets   `json:"group_context_before"`
	ContextAfter   octets   `json:"group_context_after"`
	Authenticator  octets   `json:"epoch_authenticator"`
}

func checkAppData(c *checker, v *appDataCase) {
	s, ok := c.withSuite(v.Suite)
	if !ok {
		return
	}
	if v.Failure != "" {
		same(c, "dictionary_after of a failure (bytes)", len(v.After)+len(v.ContextAfter)+len(v.Authenticator), 0)
	}
	cfg := groupConfig(s, room.DefaultPoints.Merge)
	c.follow(cfg, v)
	c.takePart(cfg, v)
}

// follow is the case as a hub has it, which knows no secrets.
func (c *checker) follow(cfg *mls.Config, v *appDataCase) {
	m, err := message.Parse(v.GroupInfo, nil)
	if !c.ok("group_info", err) || !same(c, "group_info (wire format)", m.WireFormat(), message.WireGroupInfo) {
		return
	}
	hub, err := mls.NewPublicGroup(cfg, now, m.GroupInfo, nil)
	if !c.ok("group_info", err) {
		return
	}
	c.dictionaryOf("hub: dictionary_before", hub.Context(), v.Before)
	c.context("hub: group_context_before", hub.Context(), v.ContextBefore)
	for i, b := range v.Proposals {
		what := fmt.Sprintf("hub: proposals[%d]", i)
		if m, err := message.Parse(b, nil); c.ok(what, err) && m.Public != nil {
			_, err = hub.Stage(now, m.Public)
			c.ok(what, err)
		} else if err == nil {
			c.fail(what, "not a PublicMessage")
		}
	}
	m, err = message.Parse(v.Commit, nil)
	if !c.ok("hub: commit", err) {
		return
	}
	if m.Public == nil {
		c.fail("hub: commit", "not a PublicMessage")
		return
	}
	e, err := hub.Stage(now, m.Public)
	if !c.failed(err, v.Failure) {
		return
	}
	staged, ok := e.(*mls.Staged)
	if !ok {
		c.fail("hub: commit", "a %T, want a Commit", e)
		return
	}
	if c.ok("hub: commit", hub.Merge(staged)) {
		c.context("hub: group_context_after", hub.Context(), v.ContextAfter)
		c.dictionaryOf("hub: dictionary_after", hub.Context(), v.After)
	}
}

// takePart is the case as a member has it, who joins and processes.
func (c *checker) takePart(cfg *mls.Config, v *appDataCase) {
	m, err := message.Parse(v.KeyPackage, nil)
	if !c.ok("key_package", err) || !same(c, "key_package (wire format)", m.WireFormat(), message.WireKeyPackage) {
		return
	}
	public := m.KeyPackage
	keys := &mls.KeyPackage{
		Public: *public,
		Init:   c.keyPair("init_priv", v.InitPriv, public.InitKey, cfg.Suite.PublicKey),
		Leaf:   c.keyPair("encryption_priv", v.EncryptionPriv, public.LeafNode.EncryptionKey, cfg.Suite.PublicKey),
		Signer: c.keyPair("signature_priv", v.SignaturePriv, public.LeafNode.SignatureKey, cfg.Suite.SignerPublicKey),
	}
	if keys.Ref, err = public.Ref(cfg.Suite); !c.ok("key_package", err) {
		return
	}
	m, err = message.Parse(v.Welcome, nil)
	if !c.ok("welcome", err) || !same(c, "welcome (wire format)", m.WireFormat(), message.WireWelcome) {
		return
	}
	w, err := mls.OpenWelcome(cfg, now, m.Welcome, []*mls.KeyPackage{keys}, mls.JoinOptions{})
	if !c.ok("welcome", err) {
		return
	}
	member := w.Join()
	c.dictionaryOf("member: dictionary_before", member.Context(), v.Before)
	for i, b := range v.Proposals {
		_, err := member.Process(now, b)
		c.ok(fmt.Sprintf("member: proposals[%d]", i), err)
	}
	e, err := member.Process(now, v.Commit)
	if !c.failed(err, v.Failure) {
		return
	}
	staged, ok := e.(*mls.Staged)
	if !ok {
		c.fail("member: commit", "a %T, want a Commit", e)
		return
	}
	if c.ok("member: commit", member.Merge(staged)) {
		c.context("member: group_context_after", member.Context(), v.ContextAfter)
		c.dictionaryOf("member: dictionary_after", member.Context(), v.After)
		c.equal("epoch_authenticator", member.EpochAuthenticator(), v.Authenticator)
	}
}

// keyPair puts a pair together and compares the public key with that of the private. A
// private key that has its public key behind says less than it seems to, and is refused.
func (c *checker) keyPair(what string, private, public []byte, of func(suite.PrivateKey) ([]byte, error)) suite.KeyPair {
	if len(private) == 2*len(public) {
		c.fail(what, "%d bytes, for a public key of %d", len(private), len(public))
		return suite.KeyPair{}
	}
	if got, err := of(private); c.ok(what, err) {
		c.equal(what+" (its public key)", got, public)
	}
	return suite.KeyPair{Private: private, Public: public}
}

func (c *checker) context(what string, context *message.GroupContext, want octets) {
	if b, err := wire.Marshal(context); c.ok(what, err) {
		c.equal(what, b, want)
	}
}

func (c *checker) dictionaryOf(what string, context *message.GroupContext, want octets) {
	got, _ := context.Extensions.Find(message.DefaultCodePoints.AppDataDictionary)
	c.equal(what, got, want)
}

func makeAppData(m *maker) []any {
	const section = "draft-ietf-mls-extensions-10, Updating Application Data in the GroupContext"
	alice, bob := pair{user("alice"), 3}, pair{user("bob"), 2}
	list := func(p ...pair) entry { return entry{0x22, listObject(p).bytes()} }
	meta := func(name string) entry { return entry{0x23, metadataObject(clubhouse, name, "", "", "").bytes()} }
	status := entry{0x28, octets{1, 2}}
	before := []entry{list(alice, bob), meta("Clubhouse"), status}
	renamed, promoted := update(0x23, meta("Salon").Data), update(0x22, listUpdate([][2]uint32{{1, 3}}, nil, nil))
	rows := []struct {
		name                string
		own, proposed, hubs []octets // by value, by reference and of the hub, by reference
		after               []entry
		failure             string
		because             []string
	}{
		{"by value", []octets{renamed}, nil, nil, []entry{list(alice, bob), meta("Salon"), status}, "", nil},
		{"by reference", nil, []octets{renamed}, nil, []entry{list(alice, bob), meta("Salon"), status}, "", nil},
		{"of the hub as an external sender", nil, nil, []octets{promoted}, []entry{list(alice, pair{bob.User, 3}), meta("Clubhouse"), status}, "", nil},
		{"by value and by reference, and a removal", []octets{remove(0x28)}, []octets{renamed}, []octets{promoted}, []entry{list(alice, pair{bob.User, 3}), meta("Salon")}, "", nil},
		{"two updates of the participant list", []octets{update(0x22, listUpdate(nil, nil, []pair{{user("cathy"), 2}}))}, []octets{promoted}, nil, []entry{list(alice, pair{bob.User, 3}, pair{user("cathy"), 2}), meta("Clubhouse"), status}, "", []string{deviation(room1, 16)}},
		{"an index behind the end", []octets{update(0x22, listUpdate(nil, []uint32{2}, nil))}, nil, nil, nil, "no-such-index", nil},
		{"metadata twice", []octets{renamed, renamed}, nil, nil, nil, "replaced-twice", []string{deviation(room1, 28)}},
		{"metadata cut short", []octets{update(0x23, meta("Salon").Data[:8])}, nil, nil, nil, "truncated", nil},
	}
	var cases []any
	for _, r := range rows {
		merge := room.DefaultPoints.Merge
		if r.failure != "" {
			merge = lastWins
		}
		w := newWorld(m, merge, mls.GroupInfoOptions{}, before...)
		v := &appDataCase{
			head: newHead(r.name, section, r.because...), Suite: m.suite.ID(), Failure: r.failure,
			GroupInfo: w.groupInfo(mls.GroupInfoOptions{External: true}), KeyPackage: framed(message.Message{KeyPackage: &w.bobKeys.Public}),
			InitPriv: octets(w.bobKeys.Init.Private), EncryptionPriv: octets(w.bobKeys.Leaf.Private), SignaturePriv: seed(w.bobKeys.Signer),
			Welcome: w.welcome, Before: dictionary(before...), Proposals: []octets{}, ContextBefore: encoded(w.alice.Context()),
			After: octets{}, ContextAfter: octets{}, Authenticator: octets{},
		}
		parse := func(b octets) message.Proposal { return message.DefaultCodePoints.Proposal(wire.NewReader(b)) }
		for _, b := range r.proposed {
			v.Proposals = append(v.Proposals, need(w.alice.Propose(now, parse(b), mls.SendOptions{})))
		}
		for _, b := range r.hubs {
			p := need(w.cfg.ExternalProposal(w.alice.GroupID(), w.alice.Epoch(), 0, w.hub, parse(b)))
			need(w.alice.Process(now, p))
			v.Proposals = append(v.Proposals, p)
		}
		var own []message.Proposal
		for _, b := range r.own {
			own = append(own, parse(b))
		}
		p := need(w.alice.Commit(now, mls.CommitOptions{Proposals: own}))
		v.Commit = p.Message
		if r.failure == "" {
			if err := w.alice.Merge(&p.Staged); err != nil {
				panic("kat: " + err.Error())
			}
			v.After, v.ContextAfter, v.Authenticator = dictionary(r.after...), encoded(w.alice.Context()), w.alice.EpochAuthenticator()
		}
		cases = append(cases, v)
	}
	return cases
}

// safeAADCase is one of safe-aad.json.
type safeAADCase struct {
	head
	AuthenticatedData octets  `json:"authenticated_data"`
	Message           octets  `json:"message"` // empty if there is none
	Failure           string  `json:"failure"`
	Items             []entry `json:"items"`
	FrankingTag       *octets `json:"franking_tag"` // null if there is none
}

func checkSafeAAD(c *checker, v *safeAADCase) {
	items, err := message.ParseSafeAAD(v.AuthenticatedData)
	tag, frankErr := frankingTag(v.AuthenticatedData)
	if err == nil {
		err = frankErr
	}
	if len(v.Message) > 0 {
		if m, err := message.Parse(v.Message, nil); c.ok("message", err) && m.Private != nil {
			c.equal("message (authenticated_data)", m.Private.AuthenticatedData, v.AuthenticatedData)
		} else if err == nil {
			c.fail("message", "not a PrivateMessage")
		}
	}
	if !c.failed(err, v.Failure) {
		same(c, "items of a failure", len(v.Items), 0)
		same(c, "franking_tag of a failure", v.FrankingTag == nil, true)
		return
	}
	c.entries("items", items, v.Items)
	if b, err := wire.Marshal(items); c.ok("items", err) {
		c.equal("authenticated_data, written again", b, v.AuthenticatedData)
	}
	if same(c, "franking_tag is there", tag != nil, v.FrankingTag != nil) && tag != nil {
		c.equal("franking_tag", tag, *v.FrankingTag)
	}
}

func makeSafeAAD(m *maker) []any {
	const section = "draft-ietf-mls-extensions-10, Safe Additional Authenticated Data"
	tag := m.random(32)
	items := func(list ...entry) octets { return dictionaryField("aad_items", list).bytes() }
	frank, other := entry{0x20, tag}, entry{0x8001, octets("of another application")}
	w := m.roomWorld()
	sent := func(list ...entry) octets {
		given := message.SafeAAD{}
		for _, e := range list {
			given = append(given, message.ComponentData{Component: message.ComponentID(e.Component), Data: e.Data})
		}
		return need(w.alice.Protect([]byte("hello"), mls.SendOptions{Items: given}))
	}
	rows := []struct {
		name    string
		data    octets
		message octets
		items   []entry
		tag     octets
		failure string
		because []string
	}{
		{"no items", items(), sent(), []entry{}, nil, "", nil},
		{"a franking tag", items(frank), sent(frank), []entry{frank}, tag, "", []string{deviation(mimi1, 36)}},
		{"a franking tag and an item of another", items(frank, other), nil, []entry{frank, other}, tag, "", nil},
		{"an item of another", items(other), nil, []entry{other}, nil, "", nil},
		{"an item of no bytes", items(entry{0x8001, octets{}}), nil, []entry{{0x8001, octets{}}}, nil, "", nil},
		{"items that do not ascend", items(other, frank), nil, nil, nil, "content", nil},
		{"two items of a component", items(other, other), nil, nil, nil, "content", nil},
		{"nothing, where a vector of no items is wanted", octets{}, nil, nil, nil, "truncated", nil},
		{"cut short", items(frank)[:20], nil, nil, nil, "truncated", nil},
		{"a byte behind", append(items(frank), 0), nil, nil, nil, "trailing", nil},
		{"a length that is not the shortest", append(octets{0x40, 0x03}, 0, 0x20, 0), nil, nil, nil, "length", nil},
		{"a franking tag of 31 bytes", items(entry{0x20, tag[:31]}), nil, nil, nil, "truncated", nil},
		{"a franking tag of 33 bytes", items(entry{0x20, append(tag[:32:32], 0)}), nil, nil, nil, "trailing", nil},
	}
	var cases []any
	for _, r := range rows {
		v := &safeAADCase{head: newHead(r.name, section, r.because...), AuthenticatedData: r.data, Message: append(octets{}, r.message...), Failure: r.failure, Items: append([]entry{}, r.items...)}
		if r.tag != nil {
			v.FrankingTag = &r.tag
		}
		cases = append(cases, v)
	}
	return cases
}

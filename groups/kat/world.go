package kat

import (
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// world is a room with a real MLS group, for cases that hold messages of one: alice
// made it, bob came by a Welcome, and the hub may propose.
type world struct {
	m       *maker
	cfg     *mls.Config
	alice   *mls.Group
	bobKeys *mls.KeyPackage
	welcome octets // for bob
	added   octets // the Commit that adds bob
	made    *message.GroupInfo
	hub     *mls.Identity
	frank   suite.KeyPair // the franking agent's
}

// client returns the URI of a user's first client.
func client(name string) string { return "mimi://" + providerOf(name) + "/d/" + name + "/ClientA1" }

const hubURI = "mimi://h.example"

// components are those that the members of the cases' groups know. merge says how a
// component of a room is updated.
func components(merge func(id message.ComponentID, old []byte, updates [][]byte) ([]byte, error)) map[message.ComponentID]mls.Component {
	all := map[message.ComponentID]mls.Component{
		mimi.DefaultCodePoints.FrankAAD: {SafeAAD: true},
		mimi.DefaultCodePoints.FrankingAgent: {Update: func(_ []byte, updates [][]byte) ([]byte, error) {
			return updates[len(updates)-1], nil
		}},
	}
	for _, id := range room.DefaultPoints.Components() {
		all[id] = mls.Component{Update: func(old []byte, updates [][]byte) ([]byte, error) { return merge(id, old, updates) }}
	}
	return all
}

// lastWins is how a member that checks nothing merges, for Commits that others refuse.
func lastWins(_ message.ComponentID, _ []byte, updates [][]byte) ([]byte, error) {
	return updates[len(updates)-1], nil
}

// groupConfig is that of a member or a hub of the cases' groups.
func groupConfig(s suite.Suite, merge func(message.ComponentID, []byte, [][]byte) ([]byte, error)) *mls.Config {
	return &mls.Config{Suite: s, PublicHandshake: true, IgnoreLifetime: true, Components: components(merge)}
}

// entry is an entry of an app_data_dictionary or of a Safe AAD.
type entry struct {
	Component uint16 `json:"component_id"`
	Data      octets `json:"data"`
}

// dictionary writes entries, which ascend.
func dictionary(list ...entry) octets {
	return dictionaryField("component_data", list).bytes()
}

func dictionaryField(name string, list []entry) object {
	all := make([]field, len(list))
	for i, e := range list {
		all[i] = part("", object{num16("component_id", e.Component), data("data", e.Data)})
	}
	return object{vector(name, all...)}
}

// newWorld makes a room whose app_data_dictionary has entries. info says what is in the
// GroupInfo that bob gets.
func newWorld(m *maker, merge func(message.ComponentID, []byte, [][]byte) ([]byte, error), info mls.GroupInfoOptions, entries ...entry) *world {
	w := &world{m: m, cfg: groupConfig(m.suite, merge)}
	w.hub = need(mls.NewIdentity(m.suite, []byte(hubURI)))
	senders := message.ExternalSenders{{SignatureKey: w.hub.Signer.Public, Credential: w.hub.Credential}}
	id := need(mls.NewIdentity(m.suite, []byte(client("alice"))))
	w.alice = need(mls.New(w.cfg, now, id, []byte("mimi://h.example/g/clubhouse"), mls.GroupOptions{Extensions: message.Extensions{
		{Type: message.DefaultCodePoints.AppDataDictionary, Data: dictionary(entries...)},
		{Type: message.ExtensionExternalSenders, Data: encoded(senders)},
	}}))
	w.bobKeys = w.keyPackage("bob")
	p := need(w.alice.Commit(now, mls.CommitOptions{Proposals: []message.Proposal{mls.AddProposal(w.bobKeys.Public)}, GroupInfo: true, Info: info}))
	w.added, w.welcome, w.made = p.Message, p.Welcome, p.GroupInfo
	if err := w.alice.Merge(&p.Staged); err != nil {
		panic("kat: " + err.Error())
	}
	return w
}

func (w *world) keyPackage(name string) *mls.KeyPackage {
	id := need(mls.NewIdentity(w.m.suite, []byte(client(name))))
	return need(w.cfg.NewKeyPackage(now, id, mls.LeafOptions{}))
}

// groupInfo is the GroupInfo of the epoch as an MLSMessage.
func (w *world) groupInfo(o mls.GroupInfoOptions) octets {
	info := need(w.alice.GroupInfo(o))
	return encoded(&message.Message{GroupInfo: info})
}

// framed puts an MLSMessage into bytes.
func framed(m message.Message) octets { return encoded(&m) }

// roomWorld is the room of the endpoints' cases.
func (m *maker) roomWorld() *world {
	if m.world == nil {
		agent := m.signer()
		m.world = newWorld(m, lastWins, mls.GroupInfoOptions{NoTree: true},
			entry{2, encoded(message.ComponentsList{0x20})},
			entry{0x21, agentObject(agent.Public).bytes()},
			entry{0x22, listObject([]pair{{user("alice"), 3}, {user("bob"), 2}}).bytes()},
			entry{0x23, metadataObject(clubhouse, "Clubhouse", "", "", "").bytes()})
		m.world.frank = agent
	}
	return m.world
}

// basic is a basic credential.
func basic(identity string) field {
	return raw("credential", object{num16("credential_type", 1), text("identity", identity)}.bytes())
}

// agentObject is a FrankingAgentData.
func agentObject(public []byte) object {
	return object{data("franking_signature_key", public), basic(hubURI)}
}

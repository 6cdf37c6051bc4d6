package hub

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// chatRoom is what the hub keeps of a room (draft-ietf-mimi-protocol-06, Server State).
type chatRoom struct {
	uri   ident.URI
	key   string // what the keys of its records begin with
	group *mls.PublicGroup
	info  groupInfo // of the current epoch

	// pending are the proposals of the epoch, as group.Proposals has them.
	pending []pendingProposal
	state   policy // what the room is, the pending proposals applied

	members  map[tree.LeafIndex]*user
	users    map[ident.URI]*user // who have a client in the group
	clients  map[string]int      // how many clients each provider has in the group
	lastTime uint64              // the last accepted_timestamp
	lastSeq  uint64              // the last event's
	last     accepted            // the last update
	joins    map[ident.URI]int64 // who may join by a joining code, until when (Unix milliseconds)

	said    said              // the last messages
	events  map[uint64]*event // that not all who are to have them do
	queues  map[string]*queue
	readers []string           // who is to have application messages; nil until someone asks
	senders map[ident.URI]bool // participants who asked before, and may send in this state
	rules   *messageRules      // of the epoch; nil until someone asks
}

// user is a user with clients in the group.
type user struct {
	uri     ident.URI
	name    string // uri as the participant list has it
	clients int
}

// pendingProposal is a proposal that was accepted and waits for a Commit.
type pendingProposal struct {
	message message.Message
	time    uint64 // accepted_timestamp
	request []byte // the hash of the request that it came with
}

// accepted is what is remembered of the last update, to answer it in the same way
// if it comes again because the response was lost.
type accepted struct {
	request []byte // its hash
	time    uint64
}

// groupInfo is what of an epoch's GroupInfo is not in the group's state.
type groupInfo struct {
	extensions message.Extensions
	tag        []byte
	signer     uint32
	signature  []byte
}

// infoOf takes out of a GroupInfo what is kept.
func infoOf(g *message.GroupInfo) groupInfo {
	return groupInfo{g.Extensions.Without(message.ExtensionRatchetTree), g.ConfirmationTag, g.Signer, g.Signature}
}

// full returns the GroupInfo, without a ratchet_tree.
func (i *groupInfo) full(c *message.GroupContext) message.GroupInfo {
	return message.GroupInfo{Context: *c, Extensions: i.extensions, ConfirmationTag: i.tag, Signer: i.signer, Signature: i.signature}
}

func newRoom(uri ident.URI, g *mls.PublicGroup) *chatRoom {
	return &chatRoom{
		uri: uri, key: roomKey(uri), group: g,
		members: make(map[tree.LeafIndex]*user), users: make(map[ident.URI]*user), clients: make(map[string]int),
		joins: make(map[ident.URI]int64), events: make(map[uint64]*event), queues: make(map[string]*queue),
	}
}

// roomKey returns what the keys of a room's records begin with. The hub's rooms
// differ in the last segment of their URIs alone, which is ASCII without slashes.
func roomKey(uri ident.URI) string {
	s := uri.String()
	return "room/" + s[strings.LastIndexByte(s, '/')+1:] + "/"
}

// isAsIn reports whether a GroupInfo is of the room's group in its present epoch. So
// is that of a client that had no answer when it made the room, and asks again.
func (r *chatRoom) isAsIn(g *message.GroupInfo) bool {
	if g == nil || !bytes.Equal(g.ConfirmationTag, r.info.tag) {
		return false
	}
	a, err := wire.Marshal(&g.Context)
	b, err1 := wire.Marshal(r.group.Context())
	return err == nil && err1 == nil && bytes.Equal(a, b)
}

// create takes a room over from the client that made its group (Alice Creates a
// Room). To ask again for what was done does no harm.
func (h *Hub) create(now time.Time, in CreateRoom) error {
	switch {
	case in.Room.Kind() != ident.KindRoom || in.Room.Provider() != h.cfg.Domain:
		return fail(Malformed, "room %v, want a room of %s", in.Room, h.cfg.Domain)
	case h.rooms[in.Room] != nil && h.rooms[in.Room].isAsIn(in.GroupInfo):
		return nil
	case h.rooms[in.Room] != nil:
		return fail(Conflict, "room %v exists", in.Room)
	case in.GroupInfo == nil:
		return fail(Malformed, "room %v without a GroupInfo", in.Room)
	case h.ids[string(in.GroupInfo.Context.GroupID)] != nil:
		return fail(Conflict, "group %x is that of another room", in.GroupInfo.Context.GroupID)
	case !in.GroupInfo.Extensions.Has(message.ExtensionExternalPub):
		return fail(Malformed, "GroupInfo of %v without external_pub, which joiners need", in.Room)
	}
	info := cloneInfo(in.GroupInfo)
	g, err := mls.NewPublicGroup(h.groups, now, info, bytes.Clone(in.RatchetTree))
	if err != nil {
		return fail(Malformed, "room %v: %w", in.Room, err)
	}
	r := newRoom(in.Room, g)
	r.info = infoOf(info)
	r.info.extensions = info.Extensions
	if info.Extensions.Has(message.ExtensionRatchetTree) {
		return fail(Malformed, "GroupInfo of %v with a ratchet_tree, which is to come beside it", in.Room)
	}
	if _, err := h.ownSender(g.Context()); err != nil {
		return fail(Forbidden, "room %v: %w", in.Room, err)
	}
	if err := h.index(r); err != nil {
		return fail(Forbidden, "room %v: %w", in.Room, err)
	}
	if r.state, err = h.decode(r); err != nil {
		return fail(Forbidden, "room %v: %w", in.Room, err)
	}
	if err := r.state.checkMembers(r.users); err != nil {
		return fail(Forbidden, "room %v: %w", in.Room, err)
	}
	r.lastTime = uint64(max(now.UnixMilli(), 0))
	h.rooms[r.uri], h.ids[string(g.GroupID())] = r, r
	h.putGroup(r)
	h.put(r.key+"info", r.info.marshal())
	h.put(r.key+"head", r.marshalHead())
	return nil
}

// cloneInfo returns a copy that no one else holds parts of.
func cloneInfo(g *message.GroupInfo) *message.GroupInfo {
	b, err := wire.Marshal(g)
	if err != nil {
		return g // NewPublicGroup says why
	}
	c := new(message.GroupInfo)
	if wire.Unmarshal(b, c) != nil {
		return g
	}
	return c
}

// putGroup records what changed of the group.
func (h *Hub) putGroup(r *chatRoom) {
	for _, rec := range r.group.Changes() {
		h.put(r.key+"mls/"+rec.Key, rec.Value)
	}
}

// index counts the users and providers of the group's members.
func (h *Hub) index(r *chatRoom) error {
	for i, leaf := range r.group.Tree().All() {
		uri, err := h.cfg.User(&leaf.Credential)
		if err != nil {
			return err
		}
		r.join(i, uri)
	}
	return nil
}

// join counts a member that is new.
func (r *chatRoom) join(i tree.LeafIndex, uri ident.URI) {
	u := r.users[uri]
	if u == nil {
		u = &user{uri: uri, name: uri.String()}
		r.users[uri] = u
	}
	u.clients++
	r.members[i] = u
	r.clients[uri.Provider()]++
	r.readers = nil
}

// leave counts a member that is gone.
func (r *chatRoom) leave(i tree.LeafIndex) {
	u := r.members[i]
	if u == nil {
		return
	}
	delete(r.members, i)
	if u.clients--; u.clients == 0 {
		delete(r.users, u.uri)
	}
	p := u.uri.Provider()
	if r.clients[p]--; r.clients[p] == 0 {
		delete(r.clients, p)
	}
	r.readers = nil
}

// others returns the providers with a client in the group besides the sender's: "The
// hub is not expected to forward the client's own message to the client or its
// provider" (Fanout Messages and Room Events). It is sorted. from is the provider of
// a sender who is a client, or empty.
func (r *chatRoom) others(from string) []string {
	list := make([]string, 0, len(r.clients))
	for p, n := range r.clients {
		if p != from || n > 1 {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list
}

// applicationTargets is others for application messages, which are not for users who
// have left the participant list or were banned and whose clients are still in the
// group (Update Room State).
func (r *chatRoom) applicationTargets(from string) []string {
	if r.readers == nil {
		seen := make(map[string]bool, len(r.clients))
		for uri, u := range r.users {
			if p := uri.Provider(); !seen[p] && r.state.receives(u.name) {
				seen[p] = true
			}
		}
		r.readers = sortedKeys(seen)
	}
	if r.clients[from] > 1 || !slices.Contains(r.readers, from) {
		return r.readers
	}
	list := make([]string, 0, len(r.readers))
	for _, p := range r.readers {
		if p != from {
			list = append(list, p)
		}
	}
	return list
}

// accept returns the accepted_timestamp of an event: the time, and never one that
// another event of the room has.
func (r *chatRoom) accept(now time.Time) uint64 {
	r.lastTime = max(uint64(max(now.UnixMilli(), 0)), r.lastTime+1)
	return r.lastTime
}

// mayAct reports whether a user is a participant who is not banned.
func (r *chatRoom) mayAct(u ident.URI) bool { return r.state.active(u.String()) }

// name returns the room's URI as it goes over the wire.
func (r *chatRoom) name() mimi.IdentifierURI { return mimi.URI(r.uri) }

// userOf returns the user of a member, nil if there is none.
func (r *chatRoom) userOf(i uint32) *user { return r.members[tree.LeafIndex(i)] }

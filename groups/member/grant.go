package member

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// grant is what a user has consented to be added to, with KeyPackages beside it: one room
// or, if that is zero, any (draft-ietf-mimi-protocol-06, Convey explicit consent).
type grant struct{ user, room ident.URI }

func (g grant) key() string { return key("grant", g.user.String(), g.room.String()) }

func compareGrants(a, b grant) int { return strings.Compare(a.key(), b.key()) }

// Bounds of what others can make this client keep; choices of this implementation. What is
// not kept can be fetched.
const (
	maxGrants     = 256
	maxGrantedFor = 32 // KeyPackages of one grant
)

// noteConsent keeps the KeyPackages of a grant: "If the list is non-empty this reduces the
// number of messages which need to be sent". A revocation ends what was granted.
func (m *Member) noteConsent(now time.Time, e *mimi.ConsentEntry) {
	var g grant
	ok := e.RequesterURI.Equal(mimi.URI(m.user))
	if ok {
		g.user, ok = e.TargetURI.Is(ident.KindUser)
	}
	if ok && e.RoomID != nil {
		g.room, ok = e.RoomID.Is(ident.KindRoom)
	}
	switch {
	case !ok:
	case e.ConsentOperation == mimi.ConsentRevoke:
		for _, other := range slices.SortedFunc(maps.Keys(m.grants), compareGrants) {
			if other.user == g.user && (g.room.IsZero() || other.room == g.room) {
				m.putGrant(other, nil)
			}
		}
	case e.ConsentOperation == mimi.ConsentGrant && (len(m.grants) < maxGrants || m.grants[g] != nil):
		list := m.grants[g]
		for i := range e.ClientKeyPackages {
			k := &e.ClientKeyPackages[i]
			same := func(o message.KeyPackage) bool { return bytes.Equal(o.InitKey, k.InitKey) } // a request that came twice
			if m.ofUser(now, k, g.user) == nil && !slices.ContainsFunc(list, same) {
				list = append(list, *k)
			}
		}
		if len(list) > 0 {
			m.putGrant(g, list[max(0, len(list)-maxGrantedFor):])
		}
	}
}

// ofUser says why a KeyPackage is not one that a user can be added by.
func (m *Member) ofUser(now time.Time, k *message.KeyPackage, user ident.URI) error {
	if _, of, err := m.cfg.Users(&k.LeafNode.Credential); err != nil || of != user {
		return fmt.Errorf("member: a KeyPackage of %v, want of %v", of, user)
	}
	return m.groups.CheckKeyPackage(now, k)
}

// takeGranted returns KeyPackages that a user has granted, one for each client that is not
// in a room yet, and forgets them. There are none for a room of another provider's hub, which has not seen
// them and would not know where the Welcome goes ("KeyPackages requested using this
// primitive MUST be sent via the hub provider", Fetch Key Material).
func (m *Member) takeGranted(now time.Time, r *chatRoom, user ident.URI) (keys [][]byte, err error) {
	if r.uri.Provider() != m.cfg.Client.Provider() {
		return nil, nil
	}
	seen := make(map[ident.URI]bool)
	for _, client := range m.clients(r.group.Tree(), user) {
		seen[client] = true
	}
	for _, g := range []grant{{user, r.uri}, {user, ident.URI{}}} {
		var left []message.KeyPackage
		for _, k := range m.grants[g] {
			client, _, err := m.cfg.Users(&k.LeafNode.Credential)
			switch {
			case err != nil || m.groups.CheckKeyPackage(now, &k) != nil: // it has expired
			case seen[client]:
				left = append(left, k)
			default:
				seen[client] = true
				b, err := wire.Marshal(&k)
				if err != nil {
					return nil, err
				}
				keys = append(keys, b)
			}
		}
		if m.grants[g] != nil {
			m.putGrant(g, left)
		}
	}
	return keys, nil
}

// putGrant sets what is kept of a grant; an empty list ends it.
func (m *Member) putGrant(g grant, list []message.KeyPackage) {
	if len(list) == 0 {
		delete(m.grants, g)
		m.put(g.key(), nil)
		return
	}
	m.grants[g] = slices.Clone(list)
	all := make([][]byte, len(list))
	for i := range list {
		b, err := wire.Marshal(&list[i])
		if err != nil {
			panic("member: invariant broken, a KeyPackage that was read can be written: " + err.Error())
		}
		all[i] = b
	}
	m.put(g.key(), mustJSON(all))
}

// readGrant reads a record of a grant; room is empty for every room.
func (m *Member) readGrant(user ident.URI, room string, b []byte) (err error) {
	g := grant{user: user}
	if room != "" {
		if g.room, err = ident.ParseURI(room); err != nil {
			return err
		}
	}
	var all [][]byte
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	list := make([]message.KeyPackage, len(all))
	for i := range all {
		if err := unmarshal(all[i], &list[i]); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return fmt.Errorf("no KeyPackage, want one")
	}
	m.grants[g] = list
	return nil
}

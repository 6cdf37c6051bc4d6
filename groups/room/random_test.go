package room

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// model is a participant list as the draft's prose has it: a slice to be walked, and
// nothing clever.
type model []UserRolePair

// apply makes the changes of one Commit, or reports that it cannot be.
func (m model) apply(updates []*ParticipantListUpdate) (model, bool) {
	touched := map[string]int{}
	next := model{}
	gone := map[int]bool{}
	roles := map[int]uint32{}
	for _, u := range updates {
		for _, c := range u.Changed {
			if int(c.Index) >= len(m) {
				return nil, false
			}
			touched[m[c.Index].User]++
			roles[int(c.Index)] = c.Role
		}
		for _, i := range u.Removed {
			if int(i) >= len(m) {
				return nil, false
			}
			touched[m[i].User]++
			gone[int(i)] = true
		}
		for _, p := range u.Added {
			touched[p.User]++
			if slices.ContainsFunc(m, func(q UserRolePair) bool { return q.User == p.User }) {
				return nil, false
			}
		}
	}
	for _, n := range touched {
		if n > 1 {
			return nil, false
		}
	}
	for i, p := range m {
		if role, ok := roles[i]; ok {
			p.Role = role
		}
		if !gone[i] {
			next = append(next, p)
		}
	}
	for _, u := range updates {
		next = append(next, u.Added...)
	}
	return next, true
}

// drawUpdate draws an update of a list; now and then one that cannot be.
func drawUpdate(t *rapid.T, m model) *ParticipantListUpdate {
	index := rapid.Uint32Range(0, uint32(len(m)))
	role := rapid.Uint32Range(1, 5)
	u := &ParticipantListUpdate{}
	for range rapid.IntRange(0, 3).Draw(t, "changed") {
		u.Changed = append(u.Changed, UserIndexRolePair{index.Draw(t, "index"), role.Draw(t, "role")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "removed") {
		u.Removed = append(u.Removed, index.Draw(t, "index"))
	}
	for range rapid.IntRange(0, 4).Draw(t, "added") {
		u.Added = append(u.Added, UserRolePair{fmt.Sprintf("mimi://x.example/u/%d", rapid.IntRange(0, 60).Draw(t, "user")), role.Draw(t, "role")})
	}
	return u
}

// TestRandomLists: sequences of updates come to what the model comes to, by State and
// by bytes alone, and leave the state before as it was.
func TestRandomLists(t *testing.T) {
	t.Parallel()
	p, _ := PolicyByName("cooperative")
	rapid.Check(t, func(rt *rapid.T) {
		var m model
		for range rapid.IntRange(0, 12).Draw(rt, "founders") {
			m, _ = m.apply([]*ParticipantListUpdate{{Added: []UserRolePair{{fmt.Sprintf("mimi://x.example/u/%d", 100-len(m)), 2}}}})
		}
		dict, err := p.Dictionary(nil, &RoomMetaData{}, m, nil, nil)
		if err != nil {
			rt.Fatal(err)
		}
		s, err := Decode(nil, dict, nil)
		if err != nil {
			rt.Fatal(err)
		}
		id := DefaultPoints.ParticipantList
		for range rapid.IntRange(1, 12).Draw(rt, "commits") {
			var updates []*ParticipantListUpdate
			var raw [][]byte
			for range rapid.IntRange(1, 3).Draw(rt, "updates") {
				updates = append(updates, drawUpdate(rt, m))
				raw = append(raw, must(t, updates[len(updates)-1]))
			}
			before := must(t, s.Dictionary())
			want, ok := m.apply(updates)
			next, err := s.Apply(id, raw...)
			if ok != (err == nil) {
				rt.Fatalf("updates %+v of %v: %v, the model says %t", updates, m, err, ok)
			}
			if !bytes.Equal(must(t, s.Dictionary()), before) {
				rt.Fatal("the state before has changed")
			}
			old, _ := s.Dictionary().Find(id)
			data, mergeErr := DefaultPoints.Merge(id, old, raw)
			if ok != (mergeErr == nil) {
				rt.Fatalf("merge of bytes: %v, of a state: %v", mergeErr, err)
			}
			if !ok {
				continue
			}
			if !slices.Equal(next.roster.list, want) {
				rt.Fatalf("updates %+v of %v make %v, the model %v", updates, m, next.roster.list, want)
			}
			if stored, _ := next.Dictionary().Find(id); !bytes.Equal(stored, data) || !bytes.Equal(data, must(t, &ParticipantListData{want})) {
				rt.Fatalf("bytes are %x by state, %x by merge", stored, data)
			}
			checkState(t, next)
			s, m = next, want
		}
	})
}

// TestRandomCommits: whatever Authorize allows leaves a room that keeps the rules,
// has the bytes that Merge makes of the updates, and counts what a map counts;
// whatever it refuses it refuses with an error of a known type; the state before
// stays as it was either way.
func TestRandomCommits(t *testing.T) {
	t.Parallel()
	allowed := 0
	rapid.Check(t, func(rt *rapid.T) {
		policy := rapid.SampledFrom([]string{"cooperative", "administered", "moderated", "multi-org"}).Draw(rt, "policy")
		base := &BaseRoomPolicy{MultiDevice: rapid.Bool().Draw(rt, "devices"), MaxClients: new(uint32(12)), MaxUsers: new(uint32(11))}
		s := house{policy: policy, base: base, preauth: preauth(2, staff)}.build(t)
		for range rapid.IntRange(1, 10).Draw(rt, "commits") {
			list := drawProposals(rt, s)
			before, err := json.Marshal(s)
			if err != nil {
				rt.Fatal(err)
			}
			next, err := AuthorizeCommit(s, nil, list)
			if after, _ := json.Marshal(s); !bytes.Equal(before, after) {
				rt.Fatalf("the state before has changed:\n%s\n%s", before, after)
			}
			if err != nil {
				var den *Denial
				var up *UpdateError
				if next != nil || !errors.As(err, &den) && !errors.As(err, &up) {
					rt.Fatalf("refused with %T %v and a state %v", err, err, next)
				}
				continue
			}
			allowed++
			checkAllowed(t, rt, s, next, list)
			s = next
		}
	})
	if allowed == 0 {
		t.Error("no commit was allowed, so that nothing was tested")
	}
}

// drawProposals draws a Commit of a few changes by people of the room and others.
func drawProposals(t *rapid.T, s *State) []Proposal {
	users := []string{u("new"), u("newer"), hub}
	for p := range s.All() {
		users = append(users, p.User)
	}
	user := rapid.SampledFrom(users)
	role := rapid.Uint32Range(1, 9)
	var list []Proposal
	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		a := &Actor{User: user.Draw(t, "actor"), Origin: rapid.SampledFrom([]Origin{FromMember, FromMember, FromMember, FromNewMemberCommit, FromExternalSender}).Draw(t, "origin")}
		if rapid.Bool().Draw(t, "claims") {
			a.Claims = []Claim{staff}
		}
		who := user.Draw(t, "user")
		p, _ := s.Find(who)
		switch rapid.IntRange(0, 6).Draw(t, "change") {
		case 0:
			list = append(list, Proposal{a, AddParticipant{who, role.Draw(t, "role")}}, Proposal{a, AddClient{who}})
		case 1:
			list = append(list, Proposal{a, RemoveParticipant{who}})
			for range p.Clients {
				list = append(list, Proposal{a, RemoveClient{who}})
			}
		case 2:
			list = append(list, Proposal{a, ChangeRole{who, role.Draw(t, "role")}})
		case 3:
			list = append(list, Proposal{a, AddClient{who}})
		case 4:
			list = append(list, Proposal{a, RemoveClient{who}})
		case 5:
			list = append(list, Proposal{a, ChangeRole{who, RoleBanned}})
			for range p.Clients {
				list = append(list, Proposal{a, RemoveClient{who}})
			}
		case 6:
			list = append(list, Proposal{a, SendMessage{}})
		}
	}
	return list
}

// checkAllowed looks at a Commit that was allowed.
func checkAllowed(t *testing.T, rt *rapid.T, before, after *State, list []Proposal) {
	checkState(t, after)
	clients := map[string]int{}
	roles := map[string]uint32{}
	for p := range before.All() {
		clients[p.User] = p.Clients
		roles[p.User] = p.Role
	}
	var raw [][]byte
	for _, p := range list {
		var up *ParticipantListUpdate
		switch c := p.Change.(type) {
		case AddParticipant:
			roles[c.User] = c.Role
			up = &ParticipantListUpdate{Added: []UserRolePair{{c.User, c.Role}}}
		case RemoveParticipant:
			delete(roles, c.User)
			was, _ := before.Find(c.User)
			up = &ParticipantListUpdate{Removed: []uint32{was.Index}}
		case ChangeRole:
			roles[c.User] = c.Role
			was, _ := before.Find(c.User)
			up = &ParticipantListUpdate{Changed: []UserIndexRolePair{{was.Index, c.Role}}}
		case AddClient:
			clients[c.User]++
		case RemoveClient:
			if _, listed := before.Find(c.User); listed || p.Actor.User != c.User {
				clients[c.User]--
			} // else it is of one who is off the list, as the hub has it already
		}
		if up != nil {
			raw = append(raw, must(t, up))
		}
	}
	maps.DeleteFunc(clients, func(_ string, n int) bool { return n == 0 })
	for user, n := range clients {
		p, ok := after.Find(user)
		if !ok || n < 0 || p.Clients != n || p.Role == RoleBanned {
			rt.Fatalf("%s has %d clients and is %+v, %t, after %+v", user, n, p, ok, list)
		}
	}
	if len(roles) != after.Participants() {
		rt.Fatalf("%d participants, want %d after %+v", after.Participants(), len(roles), list)
	}
	for user, role := range roles {
		if p, ok := after.Find(user); !ok || p.Role != role || p.Clients != clients[user] {
			rt.Fatalf("%s is %+v, %t, want role %d and %d clients after %+v", user, p, ok, role, clients[user], list)
		}
	}
	for i := range after.Roles().Roles {
		o := &after.Roles().Roles[i]
		was, _ := before.Counts(o.Index)
		n, active := after.Counts(o.Index)
		if o.Index != RoleNone && (n < was && n < int(o.Min) || o.Max != nil && n > was && n > int(*o.Max) || o.MaxActive != nil && *o.MaxActive == 0 && active > 0) {
			rt.Fatalf("role %d had %d participants and has %d, %d of them active, after %+v", o.Index, was, n, active, list)
		}
	}
	if raw != nil {
		id := DefaultPoints.ParticipantList
		old, _ := before.Dictionary().Find(id)
		got, _ := after.Dictionary().Find(id)
		if want, err := DefaultPoints.Merge(id, old, raw); err != nil || !bytes.Equal(got, want) {
			rt.Fatalf("the list is %x, members make it %x, %v", got, want, err)
		}
	}
}

// FuzzApply has any bytes for a dictionary's components and updates of them. What can
// be decoded can be shown, and what an update makes of it decoded again.
func FuzzApply(f *testing.F) {
	p, _ := PolicyByName("moderated")
	list := must(f, &ParticipantListData{people("moderated")})
	roles := must(f, &p.Roles)
	f.Add(uint16(0x22), list, roles, must(f, &ParticipantListUpdate{Removed: []uint32{0, 2}, Added: []UserRolePair{{"x:a", 2}}}))
	f.Add(uint16(0x25), list, roles, roles)
	f.Add(uint16(0x2a), list, roles, must(f, &JoinLinksUpdate{Added: []JoinLink{{Opaque("l")}}}))
	f.Add(uint16(0x23), list, roles, must(f, &RoomMetaData{URI: "mimi://hub.example/r/clubhouse"}))
	f.Fuzz(func(t *testing.T, id uint16, list, roles, update []byte) {
		points := &DefaultPoints
		dict := (house{policy: "moderated"}).build(t).Dictionary().With(points.ParticipantList, list).With(points.RolesList, roles)
		s, err := Decode(nil, dict, nil)
		if err != nil {
			return
		}
		target := s.Points().RolesList
		for _, c := range points.Components() {
			if uint16(c) == id {
				target = c
			}
		}
		for user := range s.All() {
			if _, err := Authorize(s, &Actor{User: user.User, Origin: FromExternalSender}, UpdateComponent{target, update}); err == nil {
				break
			}
		}
		next, err := s.Apply(target, update)
		if err != nil {
			return
		}
		if _, err := json.Marshal(next); err != nil {
			t.Fatal(err)
		}
		checkState(t, next)
	})
}

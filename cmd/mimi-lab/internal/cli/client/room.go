package client

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// RoomURI returns the room that somebody means: a URI, a name at a provider, or the
// name alone of a room that the device is in, or else of one of its own provider.
func (s *Session) RoomURI(name string) (ident.URI, error) {
	uri, _, err := s.resolve(name)
	return uri, err
}

// PastRoomURI is RoomURI, of rooms that the device was in as well.
func (s *Session) PastRoomURI(name string) (ident.URI, error) {
	uri, in, err := s.resolve(name)
	if err != nil || in || strings.ContainsAny(name, "@:") {
		return uri, err
	}
	events := s.Events(0)
	for i := range slices.Backward(events) {
		if e, ok := events[i].Event.(member.Joined); ok && e.Room.Segments()[0] == name {
			return e.Room, nil
		}
	}
	return uri, nil
}

// resolve is RoomURI, and reports whether the device is in the room or about to be.
func (s *Session) resolve(name string) (uri ident.URI, in bool, err error) {
	if strings.ContainsAny(name, "@:") {
		uri, err = parse(name, ident.KindRoom, "clubhouse@a.example")
		_, in = s.Room(uri)
		return uri, in, err
	}
	var found []ident.URI
	for _, u := range s.Rooms() {
		if u.Segments()[0] == name {
			found = append(found, u)
		}
	}
	switch len(found) {
	case 0:
		uri, err = parse(name+"@"+s.User.Provider(), ident.KindRoom, "clubhouse@a.example")
		return uri, false, err
	case 1:
		return found[0], true, nil
	}
	return uri, false, exit.Usagef("Say which one: "+strings.Join(short(found), " or ")+".", "%s is in %d rooms of the name %q", s.as, len(found), name)
}

// short writes URIs for people, sorted.
func short(uris []ident.URI) []string {
	out := make([]string, len(uris))
	for i, u := range uris {
		out[i] = Short(u)
	}
	slices.Sort(out)
	return out
}

// Rooms returns the rooms that the device is in or about to be.
func (s *Session) Rooms() (list []ident.URI) {
	s.View(func(m *member.Member) { list = m.Rooms() })
	return list
}

// Room returns what the device knows of a room. Its state does not change, its tree
// does.
func (s *Session) Room(uri ident.URI) (r member.Room, ok bool) {
	s.View(func(m *member.Member) { r, ok = m.Room(uri) })
	return r, ok
}

// Enter returns the room that somebody means, when the device is in it, for which it
// waits: an invitation may be under way. It commits what waits for a Commit there.
func (s *Session) Enter(ctx context.Context, name string) (member.Room, error) {
	r, err := s.await(ctx, name)
	if err != nil {
		return r, err
	}
	if r.Pending > 0 && r.Status == "inside" {
		// Somebody else may be first, which is as good.
		if _, err := s.Act(ctx, "commit", member.CommitPending{Room: r.URI}); ctx.Err() != nil {
			return r, err
		}
		return s.await(ctx, name)
	}
	return r, nil
}

// await waits until the device is in a room.
func (s *Session) await(ctx context.Context, name string) (member.Room, error) {
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	told := false
	for after := uint64(0); ; {
		uri, in, err := s.resolve(name)
		if err != nil {
			return member.Room{}, err
		}
		if r, _ := s.Room(uri); in && r.State != nil {
			return r, nil
		}
		if !told {
			told = true
			s.Tell("%s is in no room %s; waiting %v for somebody to add it", s.as, name, s.timeout)
		}
		list, err := s.Next(bounded, after)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return member.Room{}, exit.Failuref(s.howToEnter(name), "%s is in no room %s", s.as, name)
		}
		if err != nil {
			return member.Room{}, err
		}
		after = list[len(list)-1].N
	}
}

// howToEnter says how a device comes to be in a room.
func (s *Session) howToEnter(name string) string {
	hint := "A participant adds a user: mimi-lab room add " + name + " " + Short(s.User) + " --as ... Another device of a participant enters by: mimi-lab room join ROOM@PROVIDER --as " + s.as
	if list := s.Rooms(); len(list) > 0 {
		hint = "It is in " + strings.Join(short(list), ", ") + ". " + hint
	}
	return hint
}

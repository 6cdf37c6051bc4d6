package room

import (
	"encoding/json"
	"fmt"
	"strings"
)

// MarshalJSON writes the room for people to read: participants with the names of
// their roles and their clients, then the components by the drafts' names, and those
// that are not a room's in hexadecimal digits.
func (s *State) MarshalJSON() ([]byte, error) {
	type participant struct {
		User    string `json:"user"`
		Role    uint32 `json:"role_index"`
		Name    string `json:"role_name,omitempty"`
		Clients int    `json:"clients"`
	}
	roles := s.Roles()
	people := make([]participant, 0, s.Participants())
	for p := range s.All() {
		o := participant{User: p.User, Role: p.Role, Clients: p.Clients}
		if role := roles.Role(p.Role); role != nil {
			o.Name = role.Name
		}
		people = append(people, o)
	}
	out := map[string]any{partNames[partParticipants]: people}
	for which, v := range s.parts {
		if v != nil {
			out[partNames[which]] = v
		}
	}
	for _, c := range s.dict {
		if s.points.part(c.Component) == partNone {
			out[s.points.Name(c.Component)] = Opaque(c.Data)
		}
	}
	return json.Marshal(out)
}

// Outline returns the room in a few lines: its name, the limits it has, and each role
// with those who have it, an asterisk for one without a client in the group.
func (s *State) Outline() string {
	var b strings.Builder
	if m := s.Metadata(); m != nil {
		fmt.Fprintf(&b, "%s %q\n", m.URI, m.Name)
	}
	fmt.Fprintf(&b, "%d participants, %d clients\n", s.Participants(), s.Clients())
	if p := s.Base(); p != nil {
		for _, f := range []struct {
			is   bool
			name string
		}{{p.FixedMembership, "fixed membership"}, {p.ParentDependent, "part of " + p.ParentRoom}, {!p.MultiDevice, "one client for each user"},
			{p.MaxClients != nil, "at most " + number(p.MaxClients) + " clients"}, {p.MaxUsers != nil, "at most " + number(p.MaxUsers) + " users"}} {
			if f.is {
				b.WriteString(f.name + "\n")
			}
		}
	}
	by := make(map[uint32][]string)
	for p := range s.All() {
		name := p.User
		if p.Clients == 0 {
			name += "*"
		}
		by[p.Role] = append(by[p.Role], name)
	}
	for _, t := range s.tallies {
		if t.participants == 0 {
			continue
		}
		name := "not defined"
		if role := s.Roles().Role(t.role); role != nil {
			name = role.Name
		}
		fmt.Fprintf(&b, "%d %s: %s\n", t.role, name, strings.Join(by[t.role], ", "))
	}
	return b.String()
}

func number(n *uint32) string {
	if n == nil {
		return "any"
	}
	return fmt.Sprint(*n)
}

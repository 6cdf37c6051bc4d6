// Package room has users' devices take part in MIMI rooms.
package room

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/room"
)

// New makes the noun room.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "room",
		Short: "Take part in MIMI rooms",
		Long: `Have a device of a user take part in MIMI rooms: with its own keys, over a
connection to its provider, which provider serve --dev runs. Each command
connects, takes what has come meanwhile, and does one thing.

A user is written bob@b.example, a device bob@b.example/phone (without a name it
is "main"), a room clubhouse@a.example, or clubhouse alone if that is clear.
Their URIs do as well. A device comes to be with its first command.`,
		Example: `  mimi-lab room create clubhouse --as alice@a.example
  mimi-lab room send clubhouse "Hello!" --as alice@a.example`,
		Annotations: tried(""),
	}, newCreate(t), newAdd(t), newJoin(t), newSend(t), newHistory(t), newChat(t), newPolicy(t), newDevices(t), newRemove(t), newLeave(t), newReport(t), newList(t))
}

// The providers and what was done before the examples of the help, for who tries them.
const (
	running = "a.example b.example"
	made    = "mimi-lab room create clubhouse --as alice@a.example"
	met     = "mimi-lab room list --as bob@b.example"
	joined  = made + "\n" + met + "\nmimi-lab room add clubhouse bob@b.example --as alice@a.example"
)

// tried says what the examples of a command need.
func tried(before string) map[string]string {
	return map[string]string{"providers": running, "before": before}
}

// roleByName finds a role of a room by its name or number.
func roleByName(s *room.State, name string) (*room.Role, error) {
	var names []string
	if roles := s.Roles(); roles != nil {
		for i := range roles.Roles {
			r := &roles.Roles[i]
			if r.Name == name {
				return r, nil
			}
			if r.Index != room.RoleNone {
				names = append(names, r.Name)
			}
		}
	}
	return nil, command.Unknown("role", name, names, "The room has "+list(names)+".")
}

// roleName writes a role.
func roleName(s *room.State, index uint32) string {
	if s != nil {
		if r := s.Roles().Role(index); r != nil {
			return r.Name
		}
	}
	return "no role"
}

// firstRole returns the role in which a user adds others who asks for none: of those
// that the policy lets it give, the first that may send messages, or the first.
func firstRole(s *room.State, by, user string) (uint32, error) {
	var first uint32
	var denied error
	roles := s.Roles()
	if roles == nil {
		return 0, exit.Failuref("", "the room has no roles")
	}
	for i := range roles.Roles {
		r := &roles.Roles[i]
		if r.Index == room.RoleNone || r.Index == room.RoleBanned {
			continue
		}
		_, err := room.Authorize(s, &room.Actor{User: by}, room.AddParticipant{User: user, Role: r.Index})
		switch {
		case err != nil && denied == nil:
			denied = err
		case err == nil && r.Can(room.CanSendMessage):
			return r.Index, nil
		case err == nil && first == 0:
			first = r.Index
		}
	}
	if first == 0 {
		return 0, exit.Failuref("mimi-lab room policy ROOM shows who may do what.", "the room's policy does not allow it: %w", denied)
	}
	return first, nil
}

// list writes names in a sentence.
func list(names []string) string {
	s := ""
	for i, n := range names {
		switch {
		case i > 0 && i == len(names)-1:
			s += " and "
		case i > 0:
			s += ", "
		}
		s += n
	}
	return s
}

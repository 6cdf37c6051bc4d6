package room

import (
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// change is a Commit of the device's, as JSON.
type change struct {
	Room    ident.URI       `json:"room"`
	Epoch   uint64          `json:"epoch"` // 0 if there was nothing to change
	Changes []member.Change `json:"changes"`
}

// changeOf says what came of an intention.
func changeOf(s *client.Session, uri ident.URI, e member.Event) change {
	if c, ok := e.(member.RoomChanged); ok {
		return change{uri, c.Epoch, c.Changes}
	}
	return change{Room: uri, Changes: []member.Change{}}
}

// describe says what a user's Commit or proposals change: "added bob@b.example as
// ordinary_user with 2 devices". A user's clients are counted if the user comes or goes
// with them, else named.
func describe(s *room.State, by string, list []member.Change) string {
	moved := make(map[ident.URI]int) // devices of users who come or go
	for _, c := range list {
		if c.Kind == member.UserAdded || c.Kind == member.UserRemoved {
			moved[c.User] = 0
		}
	}
	for _, c := range list {
		if c.Kind != member.ClientAdded && c.Kind != member.ClientRemoved {
			continue
		}
		if _, ok := moved[c.User]; ok {
			moved[c.User]++
		}
	}
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	for _, c := range list {
		who := client.Short(c.User)
		self := c.User.String() == by
		switch c.Kind {
		case member.UserAdded:
			if self {
				say("came in as %s with %s", roleName(s, c.Role), term.Plural(moved[c.User], "device"))
				break
			}
			say("added %s as %s with %s", who, roleName(s, c.Role), term.Plural(moved[c.User], "device"))
		case member.UserRemoved:
			say("removed %s with %s", who, term.Plural(moved[c.User], "device"))
		case member.RoleChanged:
			say("made %s %s", who, roleName(s, c.Role))
		case member.ClientAdded, member.ClientRemoved:
			if _, ok := moved[c.User]; ok {
				break
			}
			if self && c.Kind == member.ClientAdded {
				say("came in with %s", client.Short(c.Client))
			} else {
				say("%s %s", map[member.ChangeKind]string{member.ClientAdded: "added", member.ClientRemoved: "removed"}[c.Kind], client.Short(c.Client))
			}
		case member.MetadataChanged:
			say("changed the room's name or description")
		case member.ComponentChanged:
			say("changed %s", componentName(c.Component))
		default:
			say("changed something else")
		}
	}
	if len(parts) == 0 {
		return "renewed keys"
	}
	return strings.Join(parts, ", ")
}

package dma

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Groups over sender keys. The stanzas are those of public clients; that a gatekeeper's
// interface has them for partners' users, and all that follows, is assumed:
//
//   - Native users and users of any partners may be in one group, and may make one. Who
//     makes it is its admin, and admins alone add and remove members. When no admin is
//     left, who has been in it for the longest is one.
//   - An agreement that ends takes the partner's users out of all groups at once.
//   - Nobody is added by whom they have blocked, or have been blocked by. In a group that
//     both are in, they read each other, and what waits there is not dropped.
//   - A native user and a partner's can be in one group only if they may write to each
//     other. If the native user takes that back, both stay in it, but nothing passes
//     between the two any more.
//   - Members may fetch each other's keys.
//   - Who can't be reached because too much waits for them misses the message; the sender
//     is not refused, or one member away would silence a group.
//   - There are no typing notices in groups.

// Bounds of groups. Public clients have 257 members by default and up to 1024; the others
// are assumed.
const (
	// DefaultGroupLimit is the default of [GatekeeperConfig].GroupLimit.
	DefaultGroupLimit = 257
	// MaxGroupLimit is the largest.
	MaxGroupLimit = 1024
	// MaxSubject bounds a group's name in bytes.
	MaxSubject = 256

	maxGroups = 1000 // that one user is in
	maxNamed  = 32   // members whom a notification of a change names
)

// Inputs of a [Device] about groups. What becomes of them its events say.
type (
	// CreateGroup makes a group of the user and others. Output.ID is the wish's.
	CreateGroup struct {
		Subject string
		Members []ident.Address
	}
	// AddMembers adds users to a group.
	AddMembers struct {
		Group   ident.Address
		Members []ident.Address
	}
	// RemoveMembers removes users from a group.
	RemoveMembers struct {
		Group   ident.Address
		Members []ident.Address
	}
	// LeaveGroup has the user leave a group.
	LeaveGroup struct{ Group ident.Address }
	// FetchGroups asks the gatekeeper which groups the user is in, as a device does that
	// has lost its state.
	FetchGroups struct{}
)

func (CreateGroup) input()   {}
func (AddMembers) input()    {}
func (RemoveMembers) input() {}
func (LeaveGroup) input()    {}
func (FetchGroups) input()   {}

// Group is what a device knows of a group that its user is in.
type Group struct {
	Address ident.Address
	Subject string
	Version uint64 // counts the changes of its members
	Members []GroupMember
}

// GroupMember is a user in a group.
type GroupMember struct {
	Address ident.Address
	Admin   bool
	Since   uint64 // the group's version that made it one
}

// ParticipantHash is the phash of a message to a group with these members, the sender
// among them, as public clients compute it (whatsmeow). The first six bytes of a hash say
// whether sender and server mean the same members, and nothing to an attacker, who knows
// them. How a partner's user is written in it is assumed.
func ParticipantHash(members []ident.Address) string {
	list := make([]string, len(members))
	for i, a := range members {
		user := a.User
		if a.Server == ident.Interop {
			user = strconv.Itoa(int(a.Integrator)) + "-" + user
		}
		list[i] = user + ".0:" + strconv.Itoa(int(a.Device)) + "@" + string(a.Server)
	}
	slices.Sort(list)
	sum := sha256.Sum256([]byte(strings.Join(list, "")))
	return "2:" + base64.RawStdEncoding.EncodeToString(sum[:6])
}

// groupText is how a group's address is stored: "" if it is none.
func groupText(a ident.Address) string {
	if a.IsZero() {
		return ""
	}
	return a.String()
}

// own returns an address that is no part of a frame.
func own(a ident.Address) ident.Address {
	a.User = strings.Clone(a.User)
	return a
}

package room

import "github.com/mimi-lab/mimi-lab/protocols/mls/message"

// Origin says how an actor stands to the MLS group (RFC 9420, Section 6:
// SenderType).
type Origin uint8

// The origins.
const (
	FromMember            Origin = iota // a client in the group
	FromExternalSender                  // a provider that external_senders lists
	FromNewMemberProposal               // a client that asks to be added
	FromNewMemberCommit                 // a client that adds itself by an external Commit
)

var origins = enum{"member", "external", "new_member_proposal", "new_member_commit"}

// String returns RFC 9420's name, or the number.
func (o Origin) String() string { return origins.name(uint8(o)) }

// Actor is who wants a change: a participant or one who would be, by the user that
// the sender's credential vouches for.
type Actor struct {
	User   string // the user's URI; for an external sender the provider's
	Origin Origin
	// Claims are those that the sender's credential makes. They are looked at only
	// where preauthorizations are consulted.
	Claims []Claim
	// JoinCode is set if the sender showed a join code that is valid.
	JoinCode *JoinCode
}

// JoinCode is a join code that a sender has shown to the hub. Members do not see it:
// they take the hub's word that there was one, see [Unseen].
type JoinCode struct {
	Role uint32 // that the code is for; RoleNone: whoever asks does not know
}

// Unseen stands for a join code that the hub has seen and others have not.
var Unseen = &JoinCode{}

// Change is what a proposal or message does to a room, in the room's terms.
type Change interface{ change() }

// The changes.
type (
	// AddParticipant appends a user to the participant list.
	AddParticipant struct {
		User string
		Role uint32
	}
	// RemoveParticipant takes a user off the participant list.
	RemoveParticipant struct{ User string }
	// ChangeRole gives a participant another role; RoleBanned is a ban.
	ChangeRole struct {
		User string
		Role uint32
	}
	// AddClient adds one client of a user to the group: an Add, or the sender of an
	// external Commit itself.
	AddClient struct{ User string }
	// RemoveClient removes one client of a user from the group: a Remove or a
	// SelfRemove.
	RemoveClient struct{ User string }
	// UpdateClient replaces the actor's leaf by one of User, who must be the same.
	UpdateClient struct{ User string }
	// UpdateComponent is an AppDataUpdate with op update. One of the participant
	// list stands for the changes that it holds.
	UpdateComponent struct {
		Component message.ComponentID
		Update    []byte
	}
	// RemoveComponent is an AppDataUpdate with op remove.
	RemoveComponent struct{ Component message.ComponentID }
	// ChangeExtensions replaces the GroupContext's extensions other than the
	// app_data_dictionary, or also that.
	ChangeExtensions struct{ Dictionary bool }
	// ReInit ends the group in favour of another.
	ReInit struct{}
	// SendMessage sends an application message.
	SendMessage struct{}
	// ReportAbuse reports a message to the hub.
	ReportAbuse struct{}
	// DestroyRoom ends the room.
	DestroyRoom struct{}
)

func (AddParticipant) change()    {}
func (RemoveParticipant) change() {}
func (ChangeRole) change()        {}
func (AddClient) change()         {}
func (RemoveClient) change()      {}
func (UpdateClient) change()      {}
func (UpdateComponent) change()   {}
func (RemoveComponent) change()   {}
func (ChangeExtensions) change()  {}
func (ReInit) change()            {}
func (SendMessage) change()       {}
func (ReportAbuse) change()       {}
func (DestroyRoom) change()       {}

// Proposal is a change with who wants it.
type Proposal struct {
	Actor  *Actor
	Change Change
}

package member

import (
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Output says what the shell has to do, in this order: make Persist durable with the
// Events, and give the rest to the provider, in the order of the fields. Its slices
// are valid until the next Step.
type Output struct {
	Persist []protocols.Record
	// ID is the number of the intention that the input began, 0 if it began none.
	ID uint64
	// Events are for the application.
	Events []Event
	// Publish are KeyPackages for the follower; Creations are rooms for the hub beside
	// it.
	Publish   []follower.Publish
	Creations []Creation
	Calls     []follower.Call
	Acks      []follower.Ack
	Leaves    []follower.Leave
	// WakeAt is when the machine wants to be woken; zero means not at all. It replaces
	// the one of the Step before.
	WakeAt time.Time
}

// Creation is a room that the hub beside the provider is to take over (Alice Creates
// a Room). When it has, the follower is told that this client joins (follower.Join),
// and then this machine (RoomCreated). Resume asks again if that did not come: a hub that
// has taken this very group over has the room.
type Creation struct {
	Room        ident.URI
	GroupInfo   *message.GroupInfo
	RatchetTree []byte
}

// Event is what the application is to know. The set is sealed.
type Event interface{ event() }

// The events.
type (
	// Joined: this client is in the room from this epoch on. By is the user who added
	// it, zero if it joined by itself.
	Joined struct {
		ID    uint64 // of CreateRoom or Join, else 0
		Room  ident.URI
		Epoch uint64
		By    ident.URI
	}
	// Message is one that came in a room.
	Message struct {
		Room         ident.URI
		Sender       ident.URI
		SenderClient ident.URI
		ID           content.MessageID
		// Content is nil if the message is none of MIMI content; then Why says what is
		// wrong and Data is what came.
		Content *content.Message
		Data    []byte
		Why     error
		// Accepted is when the hub accepted it.
		Accepted time.Time
		// Unfranked is why the hub does not vouch for the message; nil if it does.
		Unfranked error
		// Late is set if it is of an epoch before the current one.
		Late bool
		// Evidence is what a Report of the message needs; nil without a frank.
		Evidence *mimi.AbusiveMessage
	}
	// Sent: the hub has accepted a message of this client's.
	Sent struct {
		ID       uint64
		Room     ident.URI
		Message  content.MessageID
		Accepted time.Time   // zero if the answer was lost and only the echo came
		Frank    *mimi.Frank // nil without franking
	}
	// RoomChanged: a Commit has begun an epoch.
	RoomChanged struct {
		ID       uint64    `json:"id"` // of the intention that it ends; 0 for others' Commits, and one that only makes way for it
		Room     ident.URI `json:"room"`
		Epoch    uint64    `json:"epoch"`
		By       ident.URI `json:"by"` // the committing user
		ByClient ident.URI `json:"by_client"`
		Changes  []Change  `json:"changes"`
	}
	// Proposed: proposals wait for a Commit. By is a user or a provider.
	Proposed struct {
		Room    ident.URI
		By      ident.URI
		Changes []Change
	}
	// Leaving: the hub has taken this user's request to leave.
	Leaving struct {
		ID   uint64
		Room ident.URI
	}
	// Removed: this client is not in the room any more.
	Removed struct {
		Room ident.URI
		By   ident.URI
	}
	// Done: an intention that has no other event is done: Consent, Report and what
	// turned out to be so already.
	Done struct{ ID uint64 }
	// Failed: an intention failed for good.
	Failed struct {
		ID   uint64
		Room ident.URI
		What string
		Why  error // an *Error if the peer gave a code
		// Unknown is set if it may have been done all the same.
		Unknown bool
	}
	// Stalled: the hub does not answer to a Commit or proposals, whose fate has to be
	// known before anything else can be done in the room. It is asked on; Resume asks at
	// once.
	Stalled struct {
		ID   uint64
		Room ident.URI
		What string
		Why  error
	}
	// Refused: an event of a room is not valid, or its policy does not allow it,
	// though the hub has accepted it. The room is as before.
	Refused struct {
		Room ident.URI
		What string
		Why  error
	}
	// Gap: events are missing: deliveries by their numbers, if From is not 0, or
	// Commits, since an event is of a later epoch than this client knows of.
	Gap struct {
		Room     ident.URI
		From, To uint64 // the deliveries that are missing
		Epoch    uint64 // of the event
	}
	// ConsentChanged: another user asks for consent, or has given or ended it.
	ConsentChanged struct{ Entry *mimi.ConsentEntry }
	// Found answers FindUsers.
	Found struct {
		ID       uint64
		Response *mimi.IdentifierResponse
	}
)

func (Joined) event()         {}
func (Message) event()        {}
func (Sent) event()           {}
func (RoomChanged) event()    {}
func (Proposed) event()       {}
func (Leaving) event()        {}
func (Removed) event()        {}
func (Done) event()           {}
func (Failed) event()         {}
func (Stalled) event()        {}
func (Refused) event()        {}
func (Gap) event()            {}
func (ConsentChanged) event() {}
func (Found) event()          {}

// Change is one thing that a Commit or proposal does to a room.
type Change struct {
	Kind      ChangeKind          `json:"kind"`
	User      ident.URI           `json:"user,omitzero"`
	Client    ident.URI           `json:"client,omitzero"` // of ClientAdded and ClientRemoved
	Role      uint32              `json:"role,omitempty"`
	Component message.ComponentID `json:"component,omitempty"` // of ComponentChanged
}

// ChangeKind says what a [Change] is.
type ChangeKind string

// The kinds of changes.
const (
	UserAdded        ChangeKind = "user added"
	UserRemoved      ChangeKind = "user removed"
	RoleChanged      ChangeKind = "role changed"
	ClientAdded      ChangeKind = "client added"
	ClientRemoved    ChangeKind = "client removed"
	MetadataChanged  ChangeKind = "metadata changed"
	ComponentChanged ChangeKind = "component changed"
	OtherChange      ChangeKind = "other"
)

// Outcome returns the number of the intention ([Output].ID) that an event ends, 0 if it
// ends none.
func Outcome(e Event) uint64 {
	switch e := e.(type) {
	case Joined:
		return e.ID
	case Sent:
		return e.ID
	case RoomChanged:
		return e.ID
	case Leaving:
		return e.ID
	case Done:
		return e.ID
	case Failed:
		return e.ID
	case Found:
		return e.ID
	}
	return 0
}

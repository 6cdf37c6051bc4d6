package member

import (
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Input is what the machine can be told: by the user, one of the types of this file;
// by the provider, a [Delivered] or [Replied]. The set is sealed.
type Input interface{ input() }

// What the user wants (draft-ietf-mimi-protocol-06, Example protocol flow). What
// becomes of it is told by events with its number, Output.ID.
type (
	// PublishKeyPackages makes N KeyPackages and, if LastResort, one that may be used
	// more than once.
	PublishKeyPackages struct {
		N          int
		LastResort bool
	}
	// CreateRoom makes a room at the own provider's hub (Alice Creates a Room).
	CreateRoom struct {
		Room ident.URI
		// Policy is the name of one of [room.Policies]; or Dictionary has all
		// components, the participant list with this user and the hub among them.
		Policy     string
		Dictionary message.AppDataDictionary
		// Role is the creator's; 0 means the first of the policy that must not be
		// empty.
		Role uint32
		// Participants are others who are on the list from the beginning. The hub is
		// added in the role policy_enforcer.
		Participants []room.UserRolePair
		Metadata     room.RoomMetaData // the room's URI is set
		// Hub is what the hub signs proposals with: it goes into external_senders.
		Hub message.ExternalSender
		// FrankingAgent is who stamps the messages; nil for a room without franking.
		FrankingAgent *mimi.FrankingAgentData
		// MediaTypes are required of all members, and make application data framed; nil
		// requires none.
		MediaTypes message.MediaTypeList
	}
	// AddUser adds a user with all its clients (Alice adds Bob to the Room), or with those
	// of which the user has granted KeyPackages, if the room is of the own provider. For a
	// participant it adds the clients that are not in the group yet.
	AddUser struct {
		Room ident.URI
		User ident.URI
		Role uint32
	}
	// RemoveUser takes a user off the participant list and removes its clients.
	RemoveUser struct{ Room, User ident.URI }
	// Ban gives a user the role "banned" and removes its clients (room-policy-04, Role
	// Changes).
	Ban struct{ Room, User ident.URI }
	// ChangeRole gives a participant another role.
	ChangeRole struct {
		Room ident.URI
		User ident.URI
		Role uint32
	}
	// SetMetadata replaces the room's metadata, but for its URI.
	SetMetadata struct {
		Room     ident.URI
		Metadata room.RoomMetaData
	}
	// SetComponent updates another component of the room, such as its roles.
	SetComponent struct {
		Room      ident.URI
		Component message.ComponentID
		Update    []byte
	}
	// Leave takes this user off the participant list and all its clients out of the
	// group, with somebody's next Commit (Bob Leaves the Room).
	Leave struct{ Room ident.URI }
	// Join enters a room from outside (Cathy adds a new device): as another client of
	// a participant, or as a new participant in Role, 0 for the first that the policy
	// lets in. Code is a joining code, if one is needed. It also enters a room anew
	// that this client has lost.
	Join struct {
		Room ident.URI
		Code []byte
		Role uint32
	}
	// CommitPending commits the proposals that wait, and renews this client's keys.
	CommitPending struct{ Room ident.URI }
	// Send sends a message (Cathy Sends a Message). Its sender_uri and room_uri are
	// set; the salt is the caller's, or drawn if it is zero.
	Send struct {
		Room    ident.URI
		Message *content.Message
	}
	// Report reports messages of a user to the hub (Report abuse). Each is the
	// Evidence of a [Message].
	Report struct {
		Room     ident.URI
		Abuser   ident.URI
		Note     string
		Messages []mimi.AbusiveMessage
	}
	// Consent asks for consent, or gives it, or ends it (Convey explicit consent).
	// User is the other one. A grant carries KeyPackages as many as it says.
	Consent struct {
		Operation   mimi.ConsentOperation
		User        ident.URI
		Room        ident.URI // zero for every room
		KeyPackages int
	}
	// FindUsers looks for users of a provider (Find internal address).
	FindUsers struct {
		Domain string
		Query  []mimi.QueryElement
	}
)

// What the provider and the shell say.
type (
	// Delivered is an event for this client.
	Delivered struct {
		Room  ident.URI // or zero, for the mailbox
		Seq   uint64
		About ident.URI // the room of a Welcome in the mailbox
		Body  []byte
	}
	// Replied is the answer to a Call: its Body, or an error by which it may have been
	// done or not. [Refusal] marks those that say that it was not.
	Replied struct {
		ID   uint64
		Body any
		Err  error
	}
	// RoomCreated answers a [Creation]: the hub has the room, or has refused it, and why.
	// A shell that does not know waits, and asks again by Resume.
	RoomCreated struct {
		Room ident.URI
		Err  error
	}
	// Resume: the shell runs again after a restart, or after the provider lost sight
	// of this client's calls. What had no answer is asked again.
	Resume struct{}
	// Wake: the time that an earlier Output.WakeAt asked for has come. A wake that
	// comes early or late does no harm.
	Wake struct{}
)

func (PublishKeyPackages) input() {}
func (CreateRoom) input()         {}
func (AddUser) input()            {}
func (RemoveUser) input()         {}
func (Ban) input()                {}
func (ChangeRole) input()         {}
func (SetMetadata) input()        {}
func (SetComponent) input()       {}
func (Leave) input()              {}
func (Join) input()               {}
func (CommitPending) input()      {}
func (Send) input()               {}
func (Report) input()             {}
func (Consent) input()            {}
func (FindUsers) input()          {}
func (Delivered) input()          {}
func (Replied) input()            {}
func (RoomCreated) input()        {}
func (Resume) input()             {}
func (Wake) input()               {}

package hub

import (
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Input is what a hub can be told. The set is sealed.
type Input interface{ input() }

// The requests of draft-ietf-mimi-protocol-06 that come to a hub. From is the
// domain of the provider that sends the request, in lower case, as the shell has
// authenticated it (Transport layer); the hub's own domain stands for its own
// clients. Body is the body as it came; slices of it are kept.
type (
	// KeyMaterialRequest: POST /keyMaterial/{targetUser} for a user of another
	// provider or of this one, to be used in a room of this hub.
	KeyMaterialRequest struct {
		From string
		Body []byte
	}
	// KeyMaterialResponse: what the target's provider answered to a request that
	// Output.Forward passed on. Provider is whom the shell asked, as authenticated.
	KeyMaterialResponse struct {
		Provider string
		Request  []byte // the body that was passed on
		Body     []byte
	}
	// UpdateRequest: POST /update/{roomId}.
	UpdateRequest struct {
		From string
		Room ident.URI
		Body []byte
	}
	// SubmitMessageRequest: POST /submitMessage/{roomId}.
	SubmitMessageRequest struct {
		From string
		Room ident.URI
		Body []byte
	}
	// GroupInfoRequest: POST /groupInfo/{roomId}.
	GroupInfoRequest struct {
		From string
		Room ident.URI
		Body []byte
	}
	// ReportAbuse: POST /reportAbuse/{roomId}.
	ReportAbuse struct {
		From string
		Room ident.URI
		Body []byte
	}
	// ProxyDownload: GET /proxyDownload/{downloadUrl}. The hub only decides; an
	// Oblivious HTTP gateway asks the same of its targets.
	ProxyDownload struct {
		From string
		URL  string
	}
)

// The inputs from this provider itself.
type (
	// CreateRoom: a client of this provider made the room's MLS group, whose
	// GroupContext holds the room's state (Alice Creates a Room).
	CreateRoom struct {
		Room        ident.URI
		GroupInfo   *message.GroupInfo
		RatchetTree []byte // the data of a ratchet_tree extension; nil if the GroupInfo holds it
	}
	// Propose: this provider wants a change, such as the removal of a user who is
	// gone. The proposals are sent as those of the hub, an external sender.
	Propose struct {
		Room      ident.URI
		Proposals []message.Proposal
	}
	// GrantedKeyPackages: KeyPackages came to this provider without a request, with
	// a grant of consent (Convey explicit consent), and are to be used in rooms of
	// this hub.
	GrantedKeyPackages struct {
		Provider    string // where they came from
		KeyPackages []message.KeyPackage
	}
)

// The inputs from the shell.
type (
	// Delivered: the follower To answered 201 to the request to notify whose
	// Send.Last was Last.
	Delivered struct {
		Room ident.URI
		To   string
		Last uint64
	}
	// DeliveryFailed: it answered something else, or nothing. RetryAfter is what it
	// asked for, 0 if nothing.
	DeliveryFailed struct {
		Room       ident.URI
		To         string
		Last       uint64
		RetryAfter time.Duration
	}
	// Wake: the time that an earlier Output.WakeAt asked for has come. A wake that
	// comes early or late does no harm.
	Wake struct{}
	// Resume: the shell runs again after a restart, and of the requests to notify
	// that were under way before it knows nothing. They are sent again, byte for
	// byte.
	Resume struct{}
)

func (KeyMaterialRequest) input()   {}
func (KeyMaterialResponse) input()  {}
func (UpdateRequest) input()        {}
func (SubmitMessageRequest) input() {}
func (GroupInfoRequest) input()     {}
func (ReportAbuse) input()          {}
func (ProxyDownload) input()        {}
func (CreateRoom) input()           {}
func (Propose) input()              {}
func (GrantedKeyPackages) input()   {}
func (Delivered) input()            {}
func (DeliveryFailed) input()       {}
func (Wake) input()                 {}
func (Resume) input()               {}

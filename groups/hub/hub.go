package hub

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Config is what a [Hub] needs. It is not modified.
type Config struct {
	// Domain is this provider's domain; required.
	Domain string
	// Groups is the configuration of the rooms' groups; required. Its Suite is that
	// of all rooms. Its Authenticate says which credentials are valid; that one names
	// a user, and that a client stays the user's, the hub checks itself. Its
	// Components and Authorize are the hub's to set.
	Groups *mls.Config
	// Points are the numbers of what the drafts define; nil means
	// [mimi.DefaultCodePoints].
	Points *mimi.CodePoints
	// RoomPoints are the numbers of a room's components; nil means
	// [room.DefaultPoints].
	RoomPoints *room.Points
	// Identity is what the hub signs its proposals and GroupInfoResponses with, and
	// what every room has among its external_senders; required.
	Identity *mls.Identity
	// Franking is the pair of the rooms' franking_agent, of the suite's signatures,
	// and FrankKeys are the hub_keys: the first for new messages, the others those
	// that reports of older ones may still be about. Without them nothing is franked.
	Franking  suite.KeyPair
	FrankKeys []mimi.HubKey
	// Disclose finds in the application_data of a reported message what its sender
	// has committed itself to. Nil means [mimi.Disclose], which reads MIMI content.
	Disclose func(applicationData []byte) (mimi.Disclosed, error)
	// User returns the URI of the user whom a credential names (a pseudonym is one).
	// Nil means [UserOf].
	User func(*message.Credential) (ident.URI, error)
	// Provider returns the domain of the provider that a credential of an external
	// sender names. Nil means [ProviderOf].
	Provider func(*message.Credential) (string, error)
	// Claims returns the claims that a credential makes, for preauthorizations. Nil
	// means none.
	Claims func(*message.Credential) []room.Claim
	// AssetDomains are the peers, by their domains, with the hosts that they keep
	// assets on. What rooms say of such hosts does not count: whoever makes a room
	// would else make the hub an open proxy.
	AssetDomains map[string][]string
	// EpochTolerance is how many epochs an application message may be late in a room
	// whose operational policy says nothing of it.
	EpochTolerance uint64
	// BatchMessages and BatchBytes bound a request to notify of more than one
	// FanoutMessage; 0 means [DefaultBatchMessages] and [DefaultBatchBytes].
	BatchMessages int
	BatchBytes    int
	// RetryMin is when a request to notify is made again after it failed for the
	// first time; the time doubles with each failure up to RetryMax. 0 means
	// [DefaultRetryMin] and [DefaultRetryMax].
	RetryMin, RetryMax time.Duration
	// Backlog bounds the bytes of a room's events that wait for a follower which does not
	// accept them; 0 means [DefaultBacklog]. The oldest are given up for the newest: the
	// follower is told how many ([Send]), and the operator ([Output]).
	Backlog int
	// JoinWindow is how long a joining code that opened the GroupInfo allows the
	// external Commit; 0 means [DefaultJoinWindow].
	JoinWindow time.Duration
	// ProposalPatience is how long Commits have to cover a member's proposal, which nobody
	// but members can verify whole; 0 means [DefaultProposalPatience].
	ProposalPatience time.Duration
	// Remembered is how many of a room's last messages are known again; 0 means
	// [DefaultRemembered]. It may differ from one Restore to the next; then some of those
	// of before are forgotten.
	Remembered int
	// KeyPackages bounds the KeyPackages of each provider that are remembered; 0
	// means [DefaultKeyPackages].
	KeyPackages int
}

// Defaults of [Config]; all are choices of this implementation. A batch is to be no
// larger than what a follower remembers to know duplicates by: that of package follower
// has the last 1024 of a room.
const (
	DefaultBatchMessages = 512
	DefaultBatchBytes    = 256 << 10
	DefaultRetryMin      = time.Second
	DefaultRetryMax      = 5 * time.Minute
	DefaultBacklog       = 256 << 20
	DefaultJoinWindow    = 10 * time.Minute
	DefaultRemembered    = 256
	// DefaultProposalPatience is long enough for a proposal to reach who commits.
	DefaultProposalPatience = time.Minute
	DefaultKeyPackages      = 1 << 16
)

// Bounds of what a request may hold; choices of this implementation.
const (
	maxBody      = 16 << 20 // bytes of a request
	maxProposals = 1024     // in one request, and of one epoch
	maxOfSender  = 256      // of them, of one user or provider
	maxKeys      = 4096     // KeyPackages in one answer or grant
	maxReported  = 256      // messages in one report: the draft speaks of "a handful"
)

// complete checks a configuration and fills in what was left out.
func (c Config) complete() (Config, error) {
	own, err := ident.NewURI(ident.KindProvider, c.Domain)
	switch {
	case err != nil:
		return c, fmt.Errorf("hub: config: %w", err)
	case c.Groups == nil || c.Groups.Suite == nil:
		return c, errors.New("hub: config: no suite")
	case c.Identity == nil:
		return c, errors.New("hub: config: no identity")
	case c.BatchMessages < 0, c.BatchBytes < 0, c.RetryMin < 0, c.RetryMax < 0, c.JoinWindow < 0, c.Backlog < 0, c.ProposalPatience < 0, c.Remembered < 0, c.KeyPackages < 0:
		return c, errors.New("hub: config: a limit is negative")
	case (c.Franking.Private == nil) != (len(c.FrankKeys) == 0):
		return c, errors.New("hub: config: franking takes both Franking and FrankKeys")
	}
	c.Domain = own.Provider()
	c.BatchMessages = cmp.Or(c.BatchMessages, DefaultBatchMessages)
	c.BatchBytes = cmp.Or(c.BatchBytes, DefaultBatchBytes)
	c.RetryMin = cmp.Or(c.RetryMin, DefaultRetryMin)
	c.RetryMax = cmp.Or(c.RetryMax, max(DefaultRetryMax, c.RetryMin))
	c.Backlog = cmp.Or(c.Backlog, DefaultBacklog)
	c.JoinWindow = cmp.Or(c.JoinWindow, DefaultJoinWindow)
	c.ProposalPatience = cmp.Or(c.ProposalPatience, DefaultProposalPatience)
	c.Remembered = cmp.Or(c.Remembered, DefaultRemembered)
	c.KeyPackages = cmp.Or(c.KeyPackages, DefaultKeyPackages)
	if c.RetryMin < time.Millisecond || c.RetryMax < c.RetryMin {
		return c, fmt.Errorf("hub: config: retries after %v to %v, want at least a millisecond and an order", c.RetryMin, c.RetryMax)
	}
	if c.Points == nil {
		c.Points = &mimi.DefaultCodePoints
	}
	if c.User == nil {
		c.User = UserOf
	}
	if c.Provider == nil {
		c.Provider = ProviderOf
	}
	if c.Disclose == nil {
		c.Disclose = mimi.Disclose
	}
	return c, nil
}

// Hub is the hub provider's machine for all of its rooms. It is not for concurrent
// use.
type Hub struct {
	cfg    Config
	groups *mls.Config // of the rooms' groups
	rooms  map[ident.URI]*chatRoom
	ids    map[string]*chatRoom // by the identifiers of their groups
	routes routes
	// holds are the followers that asked not to be sent anything, until when (Unix
	// milliseconds).
	holds   map[string]int64
	retries retries

	// Of one Step:
	out     Output
	records []protocols.Record
	touched []*queue
	fresh   []freshEvent
}

// New returns a hub without rooms.
func New(cfg Config) (*Hub, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	h := &Hub{
		cfg: cfg, rooms: make(map[ident.URI]*chatRoom), ids: make(map[string]*chatRoom),
		routes: newRoutes(), holds: make(map[string]int64),
	}
	h.groups = h.groupConfig()
	return h, nil
}

// Step takes one input. The output is valid until the next Step. An error, which is
// an [*Error], says that the input was refused and nothing has changed. A response
// that refuses is no error; nothing has changed either.
func (h *Hub) Step(now time.Time, in Input) (Output, error) {
	clear(h.records)
	clear(h.out.Sends)
	h.records = h.records[:0]
	h.out = Output{Sends: h.out.Sends[:0]}
	ms := now.UnixMilli()
	if err := h.step(now, in); err != nil {
		if len(h.records) > 0 || len(h.touched) > 0 {
			panic(fmt.Sprintf("hub: invariant broken, a refused %T changes nothing: %v", in, err))
		}
		h.out.Sends = h.out.Sends[:0]
		return Output{}, err
	}
	if h.out.Refused == nil {
		h.forgetRoutes(ms)
	}
	h.flush(ms)
	h.out.Persist = h.records
	h.out.WakeAt = h.wakeAt()
	return h.out, nil
}

func (h *Hub) step(now time.Time, in Input) error {
	switch in := in.(type) {
	case SubmitMessageRequest:
		return h.submit(now, in)
	case UpdateRequest:
		return h.update(now, in)
	case Delivered:
		return h.delivered(in)
	case DeliveryFailed:
		return h.failed(now.UnixMilli(), in)
	case GroupInfoRequest:
		return h.groupInfo(now, in)
	case KeyMaterialRequest:
		return h.keyMaterial(now, in)
	case KeyMaterialResponse:
		return h.keyMaterialAnswer(now, in)
	case GrantedKeyPackages:
		return h.granted(now, in)
	case CreateRoom:
		return h.create(now, in)
	case Propose:
		return h.propose(now, in)
	case ReportAbuse:
		return h.reportAbuse(in)
	case ProxyDownload:
		return h.proxyDownload(in)
	case Wake:
		h.retryNow(now.UnixMilli())
		return nil
	case Resume:
		h.resume()
		return nil
	}
	return fail(Malformed, "input %T, want one of this package", in)
}

// wakeAt returns when the machine has something to do by itself.
func (h *Hub) wakeAt() time.Time {
	at, expiry := h.nextRetry(), h.routes.next()
	if at == 0 || expiry != 0 && expiry < at {
		at = expiry
	}
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMilli(at).UTC()
}

// put records a value.
func (h *Hub) put(key string, value []byte) {
	h.records = append(h.records, protocols.Record{Key: key, Value: value})
}

// drop records that a value is gone.
func (h *Hub) drop(key string) { h.put(key, nil) }

// room returns a room of this hub.
func (h *Hub) room(uri ident.URI) (*chatRoom, error) {
	if r := h.rooms[uri]; r != nil {
		return r, nil
	}
	return nil, fail(NotFound, "no room %v", uri)
}

func (h *Hub) sortedRooms() []*chatRoom {
	list := make([]*chatRoom, 0, len(h.rooms))
	for _, r := range h.rooms {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *chatRoom) int { return cmp.Compare(a.key, b.key) })
	return list
}

// checkBody bounds a request.
func checkBody(b []byte) error {
	if len(b) > maxBody {
		return fail(TooLarge, "request of %d bytes, want at most %d", len(b), maxBody)
	}
	return nil
}

// UserOf returns the user whom a basic credential names: its identity is the URI of
// a user or a pseudonym, or that of a client with its user, see [mimi.UserOf].
func UserOf(c *message.Credential) (ident.URI, error) {
	if c.Type != message.CredentialBasic {
		return ident.URI{}, fmt.Errorf("credential of type %v, want basic", c.Type)
	}
	u, err := ident.ParseURI(string(c.Identity))
	if err != nil {
		return ident.URI{}, fmt.Errorf("credential: %w", err)
	}
	if u.Kind() == ident.KindUser || u.Kind() == ident.KindPseudonym {
		return u, nil
	}
	return mimi.UserOf(u)
}

// ProviderOf returns the domain of the provider that a basic credential names: its
// identity is the URI of a provider.
func ProviderOf(c *message.Credential) (string, error) {
	if c.Type != message.CredentialBasic {
		return "", fmt.Errorf("credential of type %v, want basic", c.Type)
	}
	u, err := ident.ParseURI(string(c.Identity))
	if err != nil {
		return "", fmt.Errorf("credential: %w", err)
	}
	if u.Kind() != ident.KindProvider {
		return "", fmt.Errorf("credential of %v, want a provider's", u)
	}
	return u.Provider(), nil
}

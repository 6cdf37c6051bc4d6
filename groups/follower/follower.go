package follower

import (
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Config is what a provider decides. It is not modified.
type Config struct {
	// Domain is the provider's, in lower case; required.
	Domain string
	// Groups are the cipher suites that KeyPackages may be of, with what they are
	// checked by; at least one.
	Groups map[suite.ID]*mls.Config
	// Points are the draft's code points; nil means [mimi.DefaultCodePoints].
	Points *mimi.CodePoints
	// NeedConsent gives out key material of a user only to those whom the user has
	// granted it. Without it, only those are refused whom the user has revoked.
	NeedConsent bool
	// Hide answers for unknown and deleted users as for those who gave no consent,
	// so that nobody learns who exists (draft-ietf-mimi-protocol-06, Fetch Key
	// Material, Convey explicit consent).
	Hide bool
	// NoQueries refuses identifier queries.
	NoQueries bool
	// Limits bound what strangers can make the provider do and keep.
	Limits Limits
}

// Limits are bounds of this implementation; zero values mean the defaults.
type Limits struct {
	KeyPackages int // of one client, waiting to be claimed; default 100
	Claims      int // of a user's key material by one requesting user in ClaimWindow; default 30
	// PeerClaims are those through one provider, whose users may be as many as it likes;
	// default 120.
	PeerClaims   int
	ClaimWindow  time.Duration // default an hour
	Requests     int           // for consent, waiting at one user; default 1000
	PeerRequests int           // of them, of the users of one provider; default 250
	Consents     int           // remembered between a user and those of one provider; default 10000
	Rooms        int           // of one hub that a client is in; default 1000
	// Mail and MailBytes are what waits in a client's mailbox of the users of one
	// provider, and MailBytes of its rooms as well. The oldest is dropped for the
	// newest. Default 256 and 16 MiB.
	Mail, MailBytes int
	// RoomLog and HubLog are the bytes of events that wait for a room's clients, and for
	// those of all rooms of a hub. The room's oldest are dropped for the newest. Default
	// 64 MiB and 1 GiB.
	RoomLog, HubLog int
	Matches         int // users that an inexact query may find; default 20
	Remembered      int // FanoutMessages of a room by which duplicates are known; default 1024
	// Retention is how long events are kept for a client that does not fetch them;
	// default 30 days.
	Retention time.Duration
}

func (l Limits) orDefault() Limits {
	for _, d := range []struct {
		v    *int
		want int
	}{
		{&l.KeyPackages, 100}, {&l.Claims, 30}, {&l.PeerClaims, 120}, {&l.Requests, 1000}, {&l.PeerRequests, 250}, {&l.Consents, 10000}, {&l.Rooms, 1000},
		{&l.Mail, 256}, {&l.MailBytes, 16 << 20}, {&l.RoomLog, 64 << 20}, {&l.HubLog, 1 << 30}, {&l.Matches, 20}, {&l.Remembered, 1024},
	} {
		if *d.v == 0 {
			*d.v = d.want
		}
	}
	if l.ClaimWindow == 0 {
		l.ClaimWindow = time.Hour
	}
	if l.Retention == 0 {
		l.Retention = 30 * 24 * time.Hour
	}
	return l
}

// Follower is the machine of one provider. It is not safe for concurrent use.
type Follower struct {
	cfg    *Config
	limits Limits

	users    map[ident.URI]*user
	clients  map[ident.URI]*client
	rooms    map[ident.URI]*room
	last     uint64           // the last number of any room that was forgotten
	given    map[string]given // KeyPackages that were given out, by reference
	consent  map[scope]consent
	grants   map[claim]int         // for how many rooms alone a target has granted a requester
	dealings map[peering]int       // consents, and those of them that are asked for
	claims   map[claim][]time.Time // those within the window; not kept over a restart
	logged   map[string]int        // bytes in the logs of a hub's rooms
	left     map[string]int        // a hub's rooms that no client is in any more
	pending  map[uint64]call       // requests that were not answered yet; not kept either
	next     uint64                // the last request's number
	sweep    time.Time             // when to look for what has expired

	now time.Time // of the Step
	out Output
}

// New returns the machine of a provider without users.
func New(cfg *Config) (*Follower, error) {
	if _, err := ident.NewURI(ident.KindProvider, cfg.Domain); err != nil {
		return nil, fmt.Errorf("follower: Config.Domain: %w", err)
	}
	if len(cfg.Groups) == 0 {
		return nil, fmt.Errorf("follower: Config.Groups is empty, want one cipher suite at least")
	}
	return &Follower{
		cfg:      cfg,
		limits:   cfg.Limits.orDefault(),
		users:    map[ident.URI]*user{},
		clients:  map[ident.URI]*client{},
		rooms:    map[ident.URI]*room{},
		given:    map[string]given{},
		consent:  map[scope]consent{},
		grants:   map[claim]int{},
		dealings: map[peering]int{},
		claims:   map[claim][]time.Time{},
		logged:   map[string]int{},
		left:     map[string]int{},
		pending:  map[uint64]call{},
	}, nil
}

// Input is what the machine can be told. The set is sealed.
type Input interface{ input() }

// Wake: the time that an earlier Output.WakeAt asked for has come. A wake that comes
// early or late does no harm.
type Wake struct{}

func (Wake) input() {}

// Output says what the shell has to do, in this order: write Persist, then make the
// Sends. Its slices are valid until the next Step.
type Output struct {
	// Persist are records to write durably BEFORE anything is sent or answered. A
	// crash between the two must look like a crash before the Step or after it.
	Persist []protocols.Record
	// Response answers a peer's input: the body for its HTTP response, nil if that
	// has none.
	Response Body
	// Requests go to other providers, or to the hub of this one if To is its own
	// domain. They may overtake each other.
	Requests []Request
	// Replies answer clients' calls.
	Replies []Reply
	// Deliveries go to connected clients, to each in this order.
	Deliveries []Delivery
	// WakeAt is when the machine wants to be woken. It replaces the one of the Step
	// before.
	WakeAt time.Time
}

// Refusal is an error that whoever caused it is to be told, by an HTTP status code
// or, as a client, in words.
type Refusal struct {
	Status int           // HTTP status code
	Reason string        // what is wrong and what was expected
	After  time.Duration // for Retry-After, or 0
}

// Error implements error.
func (r *Refusal) Error() string { return "follower: " + r.Reason }

// HTTP status codes of refusals (RFC 9110, Section 15; RFC 6585, Section 4).
const (
	statusBadRequest      = 400
	statusForbidden       = 403
	statusNotFound        = 404
	statusConflict        = 409
	statusTooManyRequests = 429
)

func refuse(status int, format string, args ...any) error {
	return &Refusal{Status: status, Reason: fmt.Sprintf(format, args...)}
}

// Step takes one input. On an error, which is a [*Refusal] unless the shell or the
// provider's own randomness is at fault, nothing has changed and there is no output.
func (f *Follower) Step(now time.Time, in Input) (Output, error) {
	f.out = Output{
		Persist: f.out.Persist[:0], Requests: f.out.Requests[:0],
		Replies: f.out.Replies[:0], Deliveries: f.out.Deliveries[:0],
	}
	f.now = now
	if err := f.step(now, in); err != nil {
		return Output{}, err
	}
	if f.sweep.IsZero() {
		f.sweep = now.Add(sweepEvery)
	}
	f.out.WakeAt = f.sweep
	return f.out, nil
}

func (f *Follower) step(now time.Time, in Input) error {
	switch in := in.(type) {
	case AddUser:
		return f.addUser(in)
	case RemoveUser:
		return f.removeUser(in)
	case AddClient:
		return f.addClient(in)
	case RemoveClient:
		return f.removeClient(in)
	case Publish:
		return f.publish(now, in)
	case Connect:
		return f.connect(in)
	case Disconnect:
		return f.disconnect(in)
	case Ack:
		return f.ack(in)
	case Join:
		return f.join(in)
	case Leave:
		return f.leave(in)
	case Call:
		return f.call(now, in)
	case Answer:
		return f.answer(in)
	case ClaimKeyMaterial:
		return f.claimKeyMaterial(now, in)
	case Notify:
		return f.notify(now, in)
	case Consent:
		return f.takeConsent(now, in)
	case FindUsers:
		return f.findUsers(in)
	case Wake:
		if !now.Before(f.sweep) {
			f.expire(now)
		}
		return nil
	}
	return fmt.Errorf("follower: input of type %T", in)
}

// put and remove note changes to be persisted.
func (f *Follower) put(key string, value []byte) {
	f.out.Persist = append(f.out.Persist, protocols.Record{Key: key, Value: value})
}

func (f *Follower) remove(key string) {
	f.out.Persist = append(f.out.Persist, protocols.Record{Key: key})
}

// local checks that a URI is of a kind and of this provider.
func (f *Follower) local(u ident.URI, kind ident.Kind) error {
	if u.Kind() != kind || u.Provider() != f.cfg.Domain {
		return refuse(statusNotFound, "%v is no %v of %s", u, kind, f.cfg.Domain)
	}
	return nil
}

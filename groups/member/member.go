package member

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Config is what a Member needs. It is not modified.
type Config struct {
	// Client is this client's URI, such as mimi://b.example/d/bob/ClientB1; required.
	Client ident.URI
	// Identity is its credential, which names Client, and its signature key; required.
	Identity *mls.Identity
	// Groups is the configuration of its groups; required. Components and
	// PublicHandshake are this package's to set. PastEpochs of 0 means
	// [DefaultPastEpochs]: messages may overtake Commits at the hub, and the hub's
	// answers to a client's own Commits overtake the events of before. More Commits of
	// its own than that, while its provider gets no events, cost it messages.
	Groups *mls.Config
	// Points are the numbers of what the drafts define; nil means
	// [mimi.DefaultCodePoints]. RoomPoints are those of a room's components; nil means
	// [room.DefaultPoints].
	Points     *mimi.CodePoints
	RoomPoints *room.Points
	// Users says which client and user a credential names; nil means [mimi.Client].
	Users func(*message.Credential) (client, user ident.URI, err error)
	// Claims returns the claims that a credential makes, for preauthorizations; nil
	// means none.
	Claims func(*message.Credential) []room.Claim
	// Tries is how often an intention is begun before it fails; 0 means
	// [DefaultTries]. RetryMin is how long to wait before asking again what had no
	// answer; it doubles up to RetryMax. 0 means [DefaultRetryMin] and
	// [DefaultRetryMax].
	Tries              int
	RetryMin, RetryMax time.Duration
	// Patience is how long an intention may wait for what is no Commit of its own, key
	// material of a user or a GroupInfo, while others of the room wait behind it; 0 means
	// [DefaultPatience].
	Patience time.Duration
	// CommitDelay is how long this client waits with proposals of others before it
	// commits them, by its leaf, so that not all do so at once; negative means never.
	// Nil goes by the room's operational policy, and never without one.
	CommitDelay func(leaf uint32) time.Duration
}

// Defaults of Config; all are choices of this implementation.
const (
	DefaultTries      = 8
	DefaultPastEpochs = 32
	DefaultRetryMin   = time.Second
	DefaultRetryMax   = 5 * time.Minute
	DefaultPatience   = 2 * time.Minute
)

// maxWaiting bounds the intentions of a room that wait.
const maxWaiting = 1024

// Member is the machine of one client. It is not for concurrent use.
type Member struct {
	cfg       Config
	groups    *mls.Config
	translate *room.Translator
	user      ident.URI

	rooms   map[ident.URI]*chatRoom
	keys    []*mls.KeyPackage // in the order that they were made
	keySeq  []uint64          // the number of each, in records
	flights map[uint64]*flight
	grants  map[grant][]message.KeyPackage
	head    head

	now time.Time // of the Step
	out Output
}

// head is what is kept of the machine as a whole.
type head struct {
	Next uint64 `json:"next"`          // the last number that was given
	Box  uint64 `json:"box,omitempty"` // the last delivery of the mailbox
}

// New returns the machine of a client that is in no room.
func New(cfg Config) (*Member, error) {
	if cfg.Client.Kind() != ident.KindClient {
		return nil, fmt.Errorf("member: Config.Client %v, want the URI of a client", cfg.Client)
	}
	if cfg.Identity == nil || cfg.Groups == nil || cfg.Groups.Suite == nil {
		return nil, errors.New("member: Config without Identity, Groups or their Suite")
	}
	if cfg.Points == nil {
		cfg.Points = &mimi.DefaultCodePoints
	}
	if cfg.RoomPoints == nil {
		cfg.RoomPoints = &room.DefaultPoints
	}
	if cfg.Users == nil {
		cfg.Users = mimi.Client
	}
	cfg.Tries = cmp.Or(cfg.Tries, DefaultTries)
	cfg.RetryMin = cmp.Or(cfg.RetryMin, DefaultRetryMin)
	cfg.RetryMax = cmp.Or(cfg.RetryMax, DefaultRetryMax)
	cfg.Patience = cmp.Or(cfg.Patience, DefaultPatience)
	client, user, err := cfg.Users(&cfg.Identity.Credential)
	if err != nil {
		return nil, fmt.Errorf("member: Config.Identity: %w", err)
	}
	if client != cfg.Client {
		return nil, fmt.Errorf("member: Config.Identity is of %v, want %v", client, cfg.Client)
	}
	m := &Member{
		cfg: cfg, user: user, rooms: make(map[ident.URI]*chatRoom), flights: make(map[uint64]*flight),
		grants: make(map[grant][]message.KeyPackage),
	}
	m.groups = m.groupConfig()
	m.translate = &room.Translator{Users: m.userOf, Points: &cfg.Points.MLS, JoinCode: room.Unseen}
	return m, nil
}

// Client returns this client's URI.
func (m *Member) Client() ident.URI { return m.cfg.Client }

// User returns the URI of this client's user.
func (m *Member) User() ident.URI { return m.user }

// groupConfig returns the configuration of the groups: credentials name clients, a
// leaf stays its client's, and the components are those of MIMI.
func (m *Member) groupConfig() *mls.Config {
	c := *m.cfg.Groups
	c.Points = &m.cfg.Points.MLS
	c.PublicHandshake = true // which a hub can follow
	c.PastEpochs = cmp.Or(c.PastEpochs, DefaultPastEpochs)
	base := c.Authenticate
	c.Authenticate = func(cred *message.Credential, key []byte, w mls.Where) error {
		if w.Leaf != nil {
			client, _, err := m.cfg.Users(cred)
			if err != nil {
				return err
			}
			if w.Replaces != nil {
				if before, _, err := m.cfg.Users(&w.Replaces.Credential); err != nil || before != client {
					return fmt.Errorf("credential of %v in place of one of %v", client, before)
				}
			}
		}
		if base != nil {
			return base(cred, key, w)
		}
		if cred.Type != message.CredentialBasic {
			return fmt.Errorf("credential of type %v, and only basic ones are accepted", cred.Type)
		}
		return nil
	}
	c.Components = m.cfg.RoomPoints.MLSComponents()
	c.Components[m.cfg.Points.FrankingAgent] = mls.Component{Update: updateFrankingAgent}
	c.Components[m.cfg.Points.FrankAAD] = mls.Component{SafeAAD: true}
	return &c
}

// updateFrankingAgent is the update of the franking_agent component, which is a new
// one (draft-ietf-mimi-protocol-06, Message Franking).
func updateFrankingAgent(_ []byte, updates [][]byte) ([]byte, error) {
	if len(updates) > 1 {
		return nil, errors.New("franking_agent updated twice in one commit")
	}
	if _, err := mimi.ParseFrankingAgentData(updates[0]); err != nil {
		return nil, err
	}
	return updates[0], nil
}

// userOf is who a credential is of, as package room asks: a user, or the provider of
// an external sender.
func (m *Member) userOf(c *message.Credential) (string, []room.Claim, error) {
	_, user, err := m.cfg.Users(c)
	if err != nil {
		if c.Type == message.CredentialBasic {
			if p, perr := ident.ParseURI(string(c.Identity)); perr == nil && p.Kind() == ident.KindProvider {
				return p.String(), nil, nil
			}
		}
		return "", nil, err
	}
	if m.cfg.Claims == nil {
		return user.String(), nil, nil
	}
	return user.String(), m.cfg.Claims(c), nil
}

// Step takes one input. The output is valid until the next Step. On an error nothing
// has changed.
func (m *Member) Step(now time.Time, in Input) (Output, error) {
	m.out = Output{
		Persist: m.out.Persist[:0], Events: m.out.Events[:0], Publish: m.out.Publish[:0], Creations: m.out.Creations[:0],
		Calls: m.out.Calls[:0], Acks: m.out.Acks[:0], Leaves: m.out.Leaves[:0],
	}
	m.now = now
	if err := m.step(now, in); err != nil {
		return Output{}, err
	}
	m.out.WakeAt = m.wakeAt()
	return m.out, nil
}

func (m *Member) step(now time.Time, in Input) error {
	switch in := in.(type) {
	case PublishKeyPackages:
		return m.publish(now, in)
	case CreateRoom:
		return m.create(now, in)
	case AddUser:
		return m.want(now, in.Room, &intention{Do: doAdd, User: in.User, Role: in.Role})
	case RemoveUser:
		return m.want(now, in.Room, &intention{Do: doRemove, User: in.User})
	case Ban:
		return m.want(now, in.Room, &intention{Do: doBan, User: in.User, Role: room.RoleBanned})
	case ChangeRole:
		return m.want(now, in.Room, &intention{Do: doRole, User: in.User, Role: in.Role})
	case SetMetadata:
		return m.setMetadata(now, in)
	case SetComponent:
		return m.want(now, in.Room, &intention{Do: doComponent, Component: in.Component, Data: in.Update})
	case Leave:
		return m.want(now, in.Room, &intention{Do: doLeave})
	case CommitPending:
		return m.want(now, in.Room, &intention{Do: doCommit})
	case Join:
		return m.join(now, in)
	case Send:
		return m.send(now, in)
	case Report:
		return m.report(now, in)
	case Consent:
		return m.consent(now, in)
	case FindUsers:
		return m.find(now, in)
	case Delivered:
		return m.delivered(now, in)
	case Replied:
		m.replied(now, in)
		return nil
	case RoomCreated:
		return m.created(now, in)
	case Resume:
		m.resume(now)
		return nil
	case Wake:
		m.wake(now)
		return nil
	}
	return fmt.Errorf("member: input of type %T", in)
}

// event tells the application something.
func (m *Member) event(e Event) { m.out.Events = append(m.out.Events, e) }

// number returns the next number of an intention or a call.
func (m *Member) number() uint64 {
	m.head.Next++
	m.putHead()
	return m.head.Next
}

// publish makes KeyPackages.
func (m *Member) publish(now time.Time, in PublishKeyPackages) error {
	if in.N < 0 || in.N > maxKeyPackages {
		return fmt.Errorf("member: %d KeyPackages, want 0 to %d", in.N, maxKeyPackages)
	}
	keys, err := m.makeKeys(now, in.N, in.LastResort)
	if err != nil {
		return err
	}
	m.dropExpired(now)
	m.out.Publish = append(m.out.Publish, follower.Publish{Client: m.cfg.Client, KeyPackages: keys})
	return nil
}

// maxKeyPackages bounds the KeyPackages that are made at a time.
const maxKeyPackages = 1000

// makeKeys makes KeyPackages and keeps their keys.
func (m *Member) makeKeys(now time.Time, n int, lastResort bool) ([]message.KeyPackage, error) {
	var made []*mls.KeyPackage
	for i := 0; i < n || i == n && lastResort; i++ {
		k, err := m.groups.NewKeyPackage(now, m.cfg.Identity, mls.LeafOptions{LastResort: i == n})
		if err != nil {
			return nil, fmt.Errorf("member: KeyPackage: %w", err)
		}
		made = append(made, k)
	}
	var public []message.KeyPackage
	for _, k := range made {
		b, err := k.Marshal()
		if err != nil {
			return nil, fmt.Errorf("member: KeyPackage: %w", err)
		}
		seq := m.number()
		m.keys, m.keySeq = append(m.keys, k), append(m.keySeq, seq)
		m.put(keyPackageKey(seq), b)
		public = append(public, k.Public)
	}
	return public, nil
}

// HasLastResort reports whether this client has made a KeyPackage of last resort that is
// good for a while (follower.Lasts).
func (m *Member) HasLastResort(now time.Time) bool {
	return slices.ContainsFunc(m.keys, func(k *mls.KeyPackage) bool {
		return m.groups.IsLastResort(&k.Public) && follower.Lasts(&k.Public, now)
	})
}

// dropExpired forgets KeyPackages that nobody may use any more. A Welcome may have been
// on its way for as long as they were valid.
func (m *Member) dropExpired(now time.Time) {
	for i := len(m.keys) - 1; i >= 0; i-- {
		l := m.keys[i].Public.LeafNode.Lifetime
		if l.NotAfter < 1<<62 && now.Unix() > int64(l.NotAfter+(l.NotAfter-min(l.NotBefore, l.NotAfter))) {
			m.put(keyPackageKey(m.keySeq[i]), nil)
			m.keys, m.keySeq = slices.Delete(m.keys, i, i+1), slices.Delete(m.keySeq, i, i+1)
		}
	}
}

// dropKey forgets a KeyPackage that was used, unless it may be used again.
func (m *Member) dropKey(k *mls.KeyPackage) {
	if m.groups.IsLastResort(&k.Public) {
		return
	}
	if i := slices.Index(m.keys, k); i >= 0 {
		m.put(keyPackageKey(m.keySeq[i]), nil)
		m.keys, m.keySeq = slices.Delete(m.keys, i, i+1), slices.Delete(m.keySeq, i, i+1)
	}
}

// put notes a record; a nil value deletes it.
func (m *Member) put(key string, value []byte) {
	m.out.Persist = append(m.out.Persist, protocols.Record{Key: key, Value: value})
}

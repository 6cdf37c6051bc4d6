package dma

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// GatekeeperConfig is what a [Gatekeeper] needs. It is not modified.
type GatekeeperConfig struct {
	// Native is the server part of the addresses of the gatekeeper's own users:
	// [ident.User] for a WhatsApp-like service, [ident.Messenger] for a
	// Messenger-like one.
	Native ident.Server
	// Reach is whom a partner's user reaches by default. The sources dispute it,
	// so it is a parameter.
	Reach Reach
	// PingLimit is how many pings a partner user may send in 24 hours; 0 means
	// none. Assumed.
	PingLimit int
	// Retention is how long the mailbox keeps ciphertext; 30 days by the Reference
	// Offer, which is what 0 means.
	Retention time.Duration
	// Window is how many messages of one conversation may be under way to their
	// recipient at once; 0 means any number. Over a transport that reorders
	// frames it must be 1 to keep conversations in order.
	Window int
	// ResendAfter is when a stanza that was sent and not acknowledged is sent
	// again on the same connection; 0 means never, which is right for a transport
	// that delivers or breaks.
	ResendAfter time.Duration
	// PerSender is how many messages of one sender may wait for one recipient. One
	// more is refused with [stanza.ResourceLimit]; read receipts beyond it are
	// dropped. 0 means [DefaultPerSender]. Assumed.
	PerSender int
	// Quotas bound what users do to each other besides. Assumed.
	Quotas Quotas
	// CheckKeys refuses key material in Signal's form whose signed prekey is not signed by
	// its identity key, at enlistment with [ErrSignature] and at an upload with
	// [stanza.NotAcceptable]. Clients check that themselves, so that a bad signature only
	// makes its owner unreachable. That the gatekeeper checks it is assumed; a modelled
	// adapter signs nothing, so that it is off by default.
	CheckKeys bool
	// GroupLimit is how many members a group has at most, 2 to [MaxGroupLimit]. 0 means
	// [DefaultGroupLimit].
	GroupLimit int
	// RefillBelow is the number of one-time prekeys below which the owner is told
	// to upload more; whatsmeow's client refills below 5.
	RefillBelow int
	// UnenlistAfter is after what time without a connection a partner's user has no
	// account any more: 30 days by the Reference Offer, [DefaultUnenlistAfter]. 0 means
	// never.
	UnenlistAfter time.Duration
	// Media is where native users' media are hosted.
	Media MediaHosts
	// Volatile leaves Output.Persist empty, for simulations in which the
	// gatekeeper never crashes.
	Volatile bool
}

// DefaultRetention is how long an undelivered message is kept (Reference Offer).
const DefaultRetention = 30 * 24 * time.Hour

// Bounds of what a client can make the gatekeeper keep or answer; all assumed. A
// reply to the largest request stays well below [stanza.MaxSize].
const (
	// DefaultPerSender is the default of [GatekeeperConfig].PerSender.
	DefaultPerSender = 1000

	maxStanza  = 1 << 20  // bytes of a message or receipt as it is passed on
	maxRatio   = 32       // bytes that one of a compressed stanza becomes
	maxFetch   = 100      // users in one key fetch
	maxKeySize = 16 << 10 // bytes of a reusable part or of a one-time key
	maxBlocked = 1000     // addresses on a blocklist
)

// seenWindow is how many message IDs of one sender the gatekeeper remembers, so
// as to accept a message once when its sender repeats it. A sender repeats only
// what was not acknowledged, so it may have at most this many messages under
// way.
const seenWindow = 256

// Agree starts or ends a partner's agreement. Ending one closes the partner's connections
// and drops what is in mailboxes between its users and others. It is an input of a
// [Gatekeeper] that comes over no chat connection, as are [Register] and [Enlist].
type Agree struct {
	Integrator uint16 // 1 and up
	Active     bool
}

func (Agree) input() {}

// Gatekeeper is the chat server of a gatekeeper service: accounts, prekeys,
// consent, routing and the offline mailbox.
type Gatekeeper struct {
	cfg         GatekeeperConfig
	accounts    map[ident.Address]*account
	enlisted    map[identity]*account // partners' users whose devices have an auth key
	conns       map[ConnID]*account
	agreements  map[uint16]bool
	groups      map[ident.Address]*group
	groupsMade  map[groupWish]*group
	nextAccount uint64
	nextGroup   uint64
	nextSeq     uint64
	expiry      queue     // entries by the time they expire
	resend      queue     // entries by the time they are to be sent again
	now         time.Time // of the Step under way
	sweepAt     time.Time // when accounts are looked through for those to un-enlist; zero before the first Step
	out         Output
	records     recorder
	decoder     stanza.Decoder // of frames, whose stanzas end with the Step
	reply       stanza.Ack     // room for one that is sent
}

// account is what the gatekeeper holds of one user, native or partner's.
type account struct {
	addr     ident.Address
	visible  string
	eligible bool
	authKey  []byte // of the device's chat channel; nil if a shell tells devices apart otherwise
	conn     ConnID
	lastSeen int64 // with UnenlistAfter, when it was last seen connected: Unix seconds, or 0
	ip       netip.Addr

	keys     keyStore
	apps     map[uint16]Choice        // native: choice per partner app
	contacts map[ident.Address]Choice // native: choice per partner user
	inbox    stanza.Inbox             // native: where third-party chats are shown, empty before any choice
	blocked  map[ident.Address]bool
	pings    []time.Time // partner's: recent pings, oldest first

	groups map[ident.Address]*group // that it is in

	box      []*entry
	boxBytes int // of their frames
	seen     seenRing
	fetched  *fetched // with Quotas, nil before the first fetch
}

// partner reports whether the account is a partner's user.
func (a *account) partner() bool { return a.addr.Server == ident.Interop }

// NewGatekeeper returns a gatekeeper without accounts.
func NewGatekeeper(cfg GatekeeperConfig) (*Gatekeeper, error) {
	switch {
	case cfg.Native != ident.User && cfg.Native != ident.Messenger:
		return nil, fmt.Errorf("dma: gatekeeper config: native server %v, want user or messenger", cfg.Native)
	case cfg.Reach > DefaultOn:
		return nil, fmt.Errorf("dma: gatekeeper config: reach %v, want opt_in, ping_then_consent or default_on", cfg.Reach)
	case cfg.Window < 0, cfg.PingLimit < 0, cfg.RefillBelow < 0, cfg.PerSender < 0, cfg.Retention < 0, cfg.ResendAfter < 0, cfg.UnenlistAfter < 0:
		return nil, errors.New("dma: gatekeeper config: a limit is negative")
	case cfg.GroupLimit != 0 && (cfg.GroupLimit < 2 || cfg.GroupLimit > MaxGroupLimit):
		return nil, fmt.Errorf("dma: gatekeeper config: group limit %d, want 2 to %d", cfg.GroupLimit, MaxGroupLimit)
	}
	if cfg.GroupLimit == 0 {
		cfg.GroupLimit = DefaultGroupLimit
	}
	if err := cfg.Quotas.check(); err != nil {
		return nil, err
	}
	if cfg.Quotas.FetchEvery == 0 {
		cfg.Quotas.FetchEvery = DefaultFetchEvery
	}
	if cfg.Retention == 0 {
		cfg.Retention = DefaultRetention
	}
	if cfg.Media.Lifetime < 0 || cfg.Media.Lifetime > 0 && cfg.Media.Lifetime < time.Second {
		return nil, fmt.Errorf("dma: gatekeeper config: media: lifetime %v, want 0, or 1s or more", cfg.Media.Lifetime)
	}
	if cfg.Media.Lifetime == 0 {
		cfg.Media.Lifetime = DefaultMediaLifetime
	}
	if cfg.PerSender == 0 {
		cfg.PerSender = DefaultPerSender
	}
	return &Gatekeeper{
		cfg:         cfg,
		accounts:    make(map[ident.Address]*account),
		enlisted:    make(map[identity]*account),
		conns:       make(map[ConnID]*account),
		agreements:  make(map[uint16]bool),
		groups:      make(map[ident.Address]*group),
		groupsMade:  make(map[groupWish]*group),
		nextAccount: firstAccount,
		nextGroup:   firstGroup,
		records:     recorder{off: cfg.Volatile},
		decoder:     stanza.Decoder{Ratio: maxRatio, Reuse: true},
	}, nil
}

// firstAccount is the number of the first enlisted account: 14 digits, as in the
// Reference Offer's sample.
const firstAccount = 10_000_000_000_000

// Step takes one input at a time. The output is valid until the next Step. An
// error says that the input was refused and nothing has changed; a shell closes
// a connection whose frame was refused.
func (g *Gatekeeper) Step(now time.Time, in Input) (Output, error) {
	g.out.reset()
	g.records.reset()
	g.now = now
	var err error
	switch in := in.(type) {
	case Frame:
		err = g.frame(now, in)
	case Connect:
		err = g.connect(now, in)
	case Disconnect:
		g.disconnect(in.Conn)
	case Wake:
		g.wake(now)
	case Agree:
		err = g.agree(in)
	case Register:
		err = g.register(in)
	case Enlist:
		err = g.enlist(in)
	default:
		err = fmt.Errorf("dma: gatekeeper: input %T, want one of a gatekeeper's", in)
	}
	if err != nil {
		return Output{}, err
	}
	g.out.Persist = g.records.list
	g.out.WakeAt = earliest(earliest(g.expiry.next(), g.resend.next()), g.nextSweep(now))
	return g.out, nil
}

// Agreement reports whether the partner's agreement is active.
func (g *Gatekeeper) Agreement(integrator uint16) bool { return g.agreements[integrator] }

func (g *Gatekeeper) agree(in Agree) error {
	if in.Integrator == 0 {
		return errors.New("dma: agreement: integrator 0, want 1 or more")
	}
	g.agreements[in.Integrator] = in.Active
	g.records.put("agree/"+strconv.Itoa(int(in.Integrator)), boolBytes(in.Active))
	if in.Active {
		return nil
	}
	for _, a := range g.sortedAccounts() {
		mine := a.addr.Server == ident.Interop && a.addr.Integrator == in.Integrator
		g.dropWhere(a, "agreement ended", func(e *entry) bool {
			return mine || e.from.Server == ident.Interop && e.from.Integrator == in.Integrator
		})
		if mine && a.conn != 0 {
			g.sendTo(a, &stanza.Notification{ID: "revoked", Event: stanza.RevokedAgreement{Integrator: in.Integrator}}, true)
		}
	}
	g.expel(func(a ident.Address) bool { return a.Server == ident.Interop && a.Integrator == in.Integrator })
	return nil
}

func (g *Gatekeeper) connect(now time.Time, in Connect) error {
	a := g.accounts[in.Account]
	switch {
	case a == nil:
		return fmt.Errorf("dma: connect: no account %v; enlist first", in.Account)
	case in.Conn == 0 || g.conns[in.Conn] != nil:
		return fmt.Errorf("dma: connect: connection %d is 0 or in use", in.Conn)
	case a.partner() && !g.agreements[a.addr.Integrator]:
		return fmt.Errorf("dma: connect %v: %w", in.Account, stanza.AgreementRevoked)
	}
	if a.conn != 0 { // one connection per client: the newer one wins
		g.out.Sends = append(g.out.Sends, Send{Conn: a.conn, Close: true})
		g.disconnect(a.conn)
	}
	a.conn, a.ip = in.Conn, in.IP
	g.conns[in.Conn] = a
	g.touch(a)
	for _, e := range a.box {
		e.sentAt = time.Time{}
	}
	g.deliver(now, a)
	g.sendTo(a, &stanza.IB{Offline: &stanza.Offline{Count: len(a.box)}}, false)
	if a.keys.low(g.cfg.RefillBelow) {
		g.askForKeys(a)
	}
	return nil
}

func (g *Gatekeeper) disconnect(c ConnID) {
	if a := g.conns[c]; a != nil {
		a.conn = 0
		delete(g.conns, c)
		g.touch(a)
	}
}

// frame parses a stanza and hands it to the file that serves its kind.
func (g *Gatekeeper) frame(now time.Time, in Frame) error {
	a := g.conns[in.Conn]
	if a == nil {
		return fmt.Errorf("dma: frame on unknown connection %d", in.Conn)
	}
	s, err := g.decoder.Parse(in.Data)
	if err != nil {
		return fmt.Errorf("dma: frame: %w", err)
	}
	switch s := s.(type) {
	case *stanza.Message:
		return g.message(now, a, s, len(in.Data))
	case *stanza.Receipt:
		return g.receipt(now, a, s)
	case *stanza.Ack:
		return g.ack(now, a, s)
	case *stanza.IQ:
		return g.iq(now, a, s)
	case *stanza.Notification:
		return g.chatState(a, s)
	default:
		return fmt.Errorf("dma: %w: a client may not send %T", protocols.ErrMalformed, s)
	}
}

// decoders holds decoders between frames.
var decoders = sync.Pool{New: func() any { return &stanza.Decoder{Ratio: maxRatio} }}

// parseFrame decodes one frame of the chat channel. The stanza shares bytes with it.
func parseFrame(data []byte) (stanza.Stanza, error) {
	d := decoders.Get().(*stanza.Decoder)
	defer decoders.Put(d)
	s, err := d.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("dma: frame: %w", err)
	}
	return s, nil
}

// sendTo sends a stanza to an account that is connected, and closes the
// connection after it if last is set.
func (g *Gatekeeper) sendTo(a *account, s stanza.Stanza, last bool) {
	g.out.Sends = append(g.out.Sends, Send{Conn: a.conn, Frame: encode(s), Close: last})
	if last {
		g.disconnect(a.conn)
	}
}

// acknowledge sends an ack, of which there is one for each stanza.
func (g *Gatekeeper) acknowledge(a *account, ack stanza.Ack) {
	g.reply = ack
	g.sendTo(a, &g.reply, false)
}

// encoders holds encoders, with room for frames under construction, between frames.
var encoders = sync.Pool{New: func() any { return new(encoder) }}

type encoder struct {
	stanza.Encoder
	room []byte
}

// encode renders a stanza that this package made; that it can be rendered is our
// invariant.
func encode(s stanza.Stanza) []byte {
	frame, err := render(s)
	if err != nil {
		panic("dma: own stanza does not encode: " + err.Error())
	}
	return frame
}

// render renders any stanza. It fails if that is too large.
func render(s stanza.Stanza) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	b, err := e.Append(e.room[:0], s)
	if err != nil {
		return nil, err
	}
	e.room = b
	return append(make([]byte, 0, len(b)), b...), nil
}

func (g *Gatekeeper) wake(now time.Time) {
	g.sweep(now)
	for e := g.expiry.pop(now); e != nil; e = g.expiry.pop(now) {
		if e.live {
			if e.kind == messageEntry {
				g.event(Dropped, e, "kept "+g.cfg.Retention.String())
			}
			g.remove(e)
		}
	}
	for e := g.resend.pop(now); e != nil; e = g.resend.pop(now) {
		if a := e.owner; e.live && a.conn != 0 && !e.sentAt.IsZero() && now.Sub(e.sentAt) >= g.cfg.ResendAfter {
			e.sentAt = time.Time{}
			g.deliver(now, a)
		}
	}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func boolBytes(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}

package dma

import (
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// DeviceConfig is what a [Device] needs. It is not modified.
type DeviceConfig struct {
	// Address is the account that the gatekeeper assigned.
	Address ident.Address
	// Client is the end-to-end state, which the device owns from now on.
	Client protocols.Client
	// Keys is how the adapter's key material is written in stanzas.
	Keys KeyForm
	// Rand gives message IDs and padding.
	Rand io.Reader
	// Batch is the number of one-time prekeys in one upload: 1 to
	// [protocols.MaxOneTime]. Public clients use 812 (web) and 50 (whatsmeow).
	Batch int
	// RotateEvery is the age at which the signed prekey is replaced; 0 means
	// never. Public clients: 27 days.
	RotateEvery time.Duration
	// Window and ResendAfter are as in [GatekeeperConfig], for what the device
	// sends.
	Window      int
	ResendAfter time.Duration
	// Volatile leaves Output.Persist empty, for simulations in which the device
	// never crashes.
	Volatile bool
	// Room, if not nil, is where the device puts its outputs. Very many devices may
	// share one: an output is then valid until the next Step of any of them.
	Room *Room
}

// Inputs of a [Device]: what its user does.
type (
	// Compose writes a message to a user or a group. Output.ID is its ID.
	Compose struct {
		To      ident.Address
		Content Content
	}
	// MarkRead says that the user saw messages of a peer.
	MarkRead struct {
		Group ident.Address // in which they were, or empty
		Peer  ident.Address
		IDs   []string // at least one; all are put into one receipt
	}
	// Typing says that the user began to write to a peer.
	Typing struct{ To ident.Address }
	// AllowApp is a native user's choice about a partner's app.
	AllowApp struct {
		Integrator uint16
		Allow      bool
	}
	// AskPing asks a native user to be allowed to write.
	AskPing struct{ To ident.Address }
	// AnswerPing is a native user's answer to a ping; it may come at any time.
	AnswerPing struct {
		To    ident.Address
		Allow bool
	}
	// Block adds a user to the blocklist or takes them off.
	Block struct {
		User ident.Address
		On   bool
	}
	// Delete has the gatekeeper delete the account and all it keeps for it, and end the
	// connection (Reference Offer, deletion).
	Delete struct{}
)

func (Compose) input()    {}
func (MarkRead) input()   {}
func (Typing) input()     {}
func (AllowApp) input()   {}
func (AskPing) input()    {}
func (AnswerPing) input() {}
func (Block) input()      {}
func (Delete) input()     {}

// Room is memory for the outputs of devices. The zero value is ready for use. It is
// not safe for concurrent use.
type Room struct{ out Output }

// Device is one client of the chat channel, native or partner's: it encrypts,
// repeats what was not acknowledged, decrypts, and shows each message to its user
// once.
type Device struct {
	cfg       DeviceConfig
	hosted    protocols.HostedGroupClient // cfg.Client, if it is one
	groups    map[ident.Address]*memberGroup
	held      []heldMessage            // of groups whose members are not known yet
	answered  bool                     // they are known now, as far as they will be
	leftAt    map[ident.Address]uint64 // versions of groups in which the user is no more, since the start
	conn      ConnID
	peers     []*peer
	byAddress map[ident.Address]*peer // nil while there are few
	out       []*outgoing             // not yet acknowledged, in order
	sent      map[string]*outgoing    // acknowledged messages whose delivery receipt is missing
	seen      seenRing                // messages shown to the user
	nextSeq   uint64
	published bool
	rotatedAt time.Time
	inbox     stanza.Inbox // native: the user's choice, empty before any
	resendAt  time.Time    // earliest time to send something again
	output    *Output      // of the Step under way
	records   recorder
}

// peer is what a device keeps of another client.
type peer struct {
	addr     ident.Address
	name     protocols.Address
	fetching bool // a key fetch is under way
	rekey    bool // start a new session before the next message is sealed
}

// NewDevice returns a device that has published nothing yet.
func NewDevice(cfg DeviceConfig) (*Device, error) {
	if err := cfg.Address.Validate(); err != nil {
		return nil, fmt.Errorf("dma: device config: %w", err)
	}
	switch {
	case cfg.Client == nil || cfg.Rand == nil:
		return nil, errors.New("dma: device config: client or rand is nil")
	case cfg.Batch < 1 || cfg.Batch > protocols.MaxOneTime:
		return nil, fmt.Errorf("dma: device config: batch %d, want 1 to %d", cfg.Batch, protocols.MaxOneTime)
	case cfg.Window < 0 || cfg.ResendAfter < 0 || cfg.RotateEvery < 0:
		return nil, errors.New("dma: device config: a limit is negative")
	}
	d := &Device{cfg: cfg, records: recorder{off: cfg.Volatile}}
	d.hosted, _ = cfg.Client.(protocols.HostedGroupClient)
	return d, nil
}

// Step takes one input at a time. The output is valid until the next Step. An
// error says that the input was refused and nothing has changed.
func (d *Device) Step(now time.Time, in Input) (Output, error) {
	room := d.cfg.Room
	if room == nil {
		room = new(Room)
	}
	out := &room.out
	out.reset()
	d.output = out
	d.records.list = nil
	err := d.step(now, in)
	if err == nil {
		d.pump(now)
		if !d.cfg.Volatile {
			for _, r := range d.cfg.Client.Changes() {
				r.Key = ClientPrefix + r.Key
				d.records.list = append(d.records.list, r)
			}
		}
		out.Persist = d.records.list
		out.WakeAt = d.wakeAt()
	}
	d.output, d.records.list = nil, nil
	if err != nil {
		return Output{}, err
	}
	return *out, nil
}

func (d *Device) step(now time.Time, in Input) error {
	if err := checkInput(in); err != nil {
		return fmt.Errorf("dma: device: %T: %w", in, err)
	}
	switch in := in.(type) {
	case Frame:
		return d.frame(now, in)
	case Connect:
		return d.connect(now, in)
	case Disconnect:
		if in.Conn == d.conn {
			d.conn = 0
		}
	case Wake: // pump and rotation look at the time themselves
		d.rotate(now)
	case Compose:
		return d.compose(now, in)
	case MarkRead:
		return d.markRead(in)
	case Typing:
		if d.conn != 0 {
			d.send(&stanza.Notification{ID: "t", To: in.To, Event: stanza.Typing{}})
		}
	case AllowApp:
		d.ask(stanza.Set, &stanza.Settings{Apps: []stanza.App{{Integrator: in.Integrator, Enabled: in.Allow}}}, nil)
	case ChooseInbox:
		return d.chooseInbox(in)
	case AskPing:
		d.ask(stanza.Set, &stanza.Ping{User: in.To}, d.peer(in.To))
	case AnswerPing:
		d.ask(stanza.Set, &stanza.Consent{User: in.To, Given: in.Allow}, d.peer(in.To))
	case Block:
		d.ask(stanza.Set, &stanza.Block{Address: in.User, Unblock: !in.On}, nil)
	case CreateGroup, AddMembers, RemoveMembers, LeaveGroup, FetchGroups:
		return d.wishGroup(in)
	case AskMedia:
		d.ask(stanza.Set, stanza.MediaConnQuery{}, nil)
	case Delete:
		d.ask(stanza.Set, stanza.Delete{}, nil)
	default:
		return fmt.Errorf("dma: device: input %T, want one of a device's", in)
	}
	return nil
}

func (d *Device) markRead(in MarkRead) error {
	if len(in.IDs) == 0 {
		return errors.New("dma: mark read: no message IDs")
	}
	r := &stanza.Receipt{ID: in.IDs[0], To: in.Peer, Type: stanza.Read, IDs: in.IDs[1:]}
	if !in.Group.IsZero() {
		r.To, r.Participant = in.Group, in.Peer
	}
	d.queue(&outgoing{kind: outReceipt, group: in.Group, peer: d.peer(in.Peer), id: r.ID, typ: string(r.Type), frame: encode(r)})
	return nil
}

// checkInput refuses what a user can't do: it could not be put into a stanza.
func checkInput(in Input) error {
	switch in := in.(type) {
	case MarkRead:
		for _, id := range in.IDs {
			if id == "" || len(id) > MaxID || !utf8.ValidString(id) {
				return fmt.Errorf("id of %d bytes, want 1 to %d in UTF-8", len(id), MaxID)
			}
		}
		if len(in.IDs) > maxRead {
			return fmt.Errorf("%d ids, want at most %d", len(in.IDs), maxRead)
		}
		if !in.Group.IsZero() && in.Group.Validate() != nil {
			return in.Group.Validate()
		}
		return in.Peer.Validate()
	case Typing:
		return in.To.Validate()
	case AllowApp:
		if in.Integrator == 0 {
			return errors.New("integrator 0, want 1 or more")
		}
	case AskPing:
		return in.To.Validate()
	case AnswerPing:
		return in.To.Validate()
	case Block:
		return in.User.Validate()
	}
	return nil
}

// maxRead is how many messages one read receipt covers.
const maxRead = 1000

// Waiting returns how many stanzas wait for their acknowledgement, and how many
// acknowledged messages for their delivery receipt.
func (d *Device) Waiting() (unacknowledged, undelivered int) { return len(d.out), len(d.sent) }

func (d *Device) connect(now time.Time, in Connect) error {
	if in.Conn == 0 {
		return errors.New("dma: connect: connection 0")
	}
	d.conn = in.Conn
	d.held = nil // they come again
	for _, o := range d.out {
		o.sentAt = time.Time{}
	}
	if !d.published {
		d.published = true
		d.rotatedAt = now
		d.publish(now, d.cfg.Batch)
		d.saveSelf()
	}
	d.rotate(now)
	return nil
}

// publish uploads the reusable key material and n fresh one-time keys.
func (d *Device) publish(now time.Time, n int) {
	km, err := d.cfg.Client.Publish(now, n)
	if err != nil {
		panic("dma: client does not publish: " + err.Error())
	}
	d.ask(stanza.Set, &stanza.KeyUpload{Keys: stanzaKeys(d.cfg.Keys, km.Static, km.OneTime)}, nil)
}

// refilling reports whether one-time keys are on their way to the gatekeeper, which may
// have asked for them before they came: a new device's first connection is such a time.
func (d *Device) refilling() bool {
	for _, o := range d.out {
		if o.kind != outIQ || o.fetch || o.frame == nil {
			continue
		}
		n, err := stanza.ParseBinary(o.frame)
		if err != nil {
			panic("dma: invariant broken, the outbox has stanzas: " + err.Error())
		}
		s, err := stanza.Parse(n)
		if err != nil {
			panic("dma: invariant broken, the outbox has stanzas: " + err.Error())
		}
		if u, ok := s.(*stanza.IQ).Payload.(*stanza.KeyUpload); ok && len(u.Keys.OneTime) > 0 {
			return true
		}
	}
	return false
}

// rotate replaces the signed prekey when it is old enough.
func (d *Device) rotate(now time.Time) {
	if d.cfg.RotateEvery == 0 || !d.published || now.Sub(d.rotatedAt) < d.cfg.RotateEvery {
		return
	}
	if err := d.cfg.Client.Rotate(now); err != nil {
		panic("dma: client does not rotate: " + err.Error())
	}
	d.rotatedAt = now
	d.publish(now, 0)
	d.saveSelf()
}

func (d *Device) wakeAt() time.Time {
	var rotation time.Time
	if d.cfg.RotateEvery > 0 && d.published {
		rotation = d.rotatedAt.Add(d.cfg.RotateEvery)
	}
	return earliest(rotation, d.resendAt)
}

// fewPeers is up to how many peers a search is cheaper than a map. Most users of a
// large service have few.
const fewPeers = 8

func (d *Device) peer(addr ident.Address) *peer {
	if d.byAddress != nil {
		if p := d.byAddress[addr]; p != nil {
			return p
		}
	} else {
		for _, p := range d.peers {
			if p.addr == addr {
				return p
			}
		}
	}
	name := addr.String()
	if own, err := ident.ParseAddress(name); err == nil {
		addr = own // whose user is a part of name and of no frame
	}
	p := &peer{addr: addr, name: protocols.Address(name)}
	d.peers = append(d.peers, p)
	switch {
	case d.byAddress != nil:
		d.byAddress[addr] = p
	case len(d.peers) > fewPeers:
		d.byAddress = make(map[ident.Address]*peer)
		for _, p := range d.peers {
			d.byAddress[p.addr] = p
		}
	}
	return p
}

// newID returns a message ID in the form of public clients: 3EB0 and random hex
// digits.
func (d *Device) newID() string {
	var b [8]byte
	if _, err := io.ReadFull(d.cfg.Rand, b[:]); err != nil {
		panic("dma: source of randomness failed: " + err.Error())
	}
	const digits = "0123456789ABCDEF"
	id := [4 + 2*len(b)]byte{'3', 'E', 'B', '0'}
	for i, x := range b {
		id[4+2*i], id[5+2*i] = digits[x>>4], digits[x&15]
	}
	return string(id[:])
}

func (d *Device) tell(e Event) { d.output.Events = append(d.output.Events, e) }

func (d *Device) send(s stanza.Stanza) {
	d.output.Sends = append(d.output.Sends, Send{Conn: d.conn, Frame: encode(s)})
}

package sized

import (
	"math"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// Limits of the real library, go.mau.fi/libsignal v0.2.1.
const (
	maxFuture   = 2000 // messages that one message may skip
	maxSkipped  = 2000 // keys kept for skipped messages of one chain
	maxChains   = 5    // receiving chains kept
	maxArchived = 40   // earlier sessions kept beside the current one
)

// chain is a receiving chain of the Double Ratchet.
type chain struct {
	ratchet uint64 // the sender's ratchet key
	secret  uint64
	next    uint32 // counter of the next message in order
}

// header is what a PreKeySignalMessage says besides its keys.
type header struct {
	hasOneTime   bool
	oneTime      uint32 // id of the one-time prekey
	signed       uint32 // id of the signed prekey
	registration uint32 // id of the initiator
}

// role is a client's part in a session.
type role uint8

const (
	responder role = iota
	initiator      // has opened a reply
	waiting        // initiator that has not, and so sends PreKeySignalMessages
)

// state is one session: the outcome of one key agreement (X3DH, Section 3) and
// the Double Ratchet that runs from it (Double Ratchet, Section 3).
type state struct {
	base     uint64 // the initiator's base key, which names the session
	remote   uint64 // the peer's identity key
	root     uint64
	ratchet  uint64 // core of our ratchet key
	sending  uint64 // secret of our sending chain
	counter  uint32 // of the next message we send
	previous uint32 // as sent
	header   header // of the PreKeySignalMessages in this session
	role     role
	n        uint8  // chains in use
	baseCore uint64 // of the base key, while waiting
	chains   [maxChains]chain
	skipped  spans
}

// session is everything that a client keeps about a peer.
type session struct {
	peer     protocols.Address
	identity uint64 // the peer's identity key, as last seen
	changed  bool   // since it was last exported
	current  state
	archived []state // latest first
}

// sessions are those of a client, by peer. Most clients have few, for which a map
// would take more memory than a session.
type sessions []*session

func (s sessions) find(peer protocols.Address) (int, bool) {
	return slices.BinarySearchFunc(s, peer, func(s *session, peer protocols.Address) int {
		return strings.Compare(string(s.peer), string(peer))
	})
}

// with returns the session with peer, or nil.
func (s sessions) with(peer protocols.Address) *session {
	if i, ok := s.find(peer); ok {
		return s[i]
	}
	return nil
}

// add takes in a session with a peer that none is with.
func (s *sessions) add(x *session) {
	i, _ := s.find(x.peer)
	*s = slices.Insert(*s, i, x)
}

// agreement is the secret of X3DH (Sections 3.3 and 3.4) between the keys that
// the specification calls IK_A, EK_A, IK_B, SPK_B and, unless nil, OPK_B.
func agreement(identityA, base, identityB, signed uint64, oneTime *uint64) uint64 {
	secret := mix2(agree(identityA, signed), agree(base, identityB))
	secret = mix2(secret, agree(base, signed))
	if oneTime != nil {
		secret = mix2(secret, agree(base, *oneTime))
	}
	return secret
}

// step is KDF_RK: the next root and the secret of a new chain.
func step(root, ours, theirs uint64) (next, secret uint64) {
	root = mix2(root, agree(ours, theirs))
	return mix(root + 1), mix(root + 2)
}

// initiate is the initiator's state after X3DH with a peer's bundle.
func initiate(own uint64, registration uint32, base, ratchet uint64, b *bundle) state {
	secret := agreement(own, public(base), b.identity, b.signed, b.oneTime)
	s := state{
		base:     public(base),
		remote:   b.identity,
		ratchet:  ratchet,
		header:   b.header,
		role:     waiting,
		baseCore: base,
	}
	s.header.registration = registration
	s.addChain(chain{ratchet: b.signed, secret: mix(secret + 2)})
	s.root, s.sending = step(mix(secret+1), public(ratchet), b.signed)
	return s
}

// respond is the responder's state after X3DH with an initiator's message.
// signed is the core of the signed prekey, oneTime the fold of the one-time one.
func respond(own, signed uint64, oneTime *uint64, m *preKeyMessage) state {
	secret := agreement(m.identity, m.base, own, public(signed), oneTime)
	return state{
		base:    m.base,
		remote:  m.identity,
		root:    mix(secret + 1),
		ratchet: signed,
		sending: mix(secret + 2),
		header:  m.header,
	}
}

// messageKey is what one message is sealed with.
type messageKey struct {
	secret           uint64
	sender, receiver uint64 // identity keys
}

func (k messageKey) stream() uint64 { return mix(k.secret + 1) }

func (k messageKey) mac(digest uint64) uint64 {
	return mix2(mix2(k.secret+2, mix2(k.sender, k.receiver)), digest)
}

func keyOf(secret uint64, counter uint32, sender, receiver uint64) messageKey {
	return messageKey{mix2(secret, uint64(counter)), sender, receiver}
}

// opening is a message that a state can open, and what the state becomes then.
type opening struct {
	chain  int // index of its chain, or -1 for a new one
	secret uint64
	root   uint64 // after the receiving half of the step to a new chain
	key    messageKey
}

// check finds the key of m and verifies its MAC. It changes nothing.
func (s *state) check(own uint64, m *message) (opening, error) {
	o := opening{chain: s.chainOf(m.ratchet)}
	var next uint32
	if o.chain >= 0 {
		o.secret, next = s.chains[o.chain].secret, s.chains[o.chain].next
	} else {
		o.root, o.secret = step(s.root, public(s.ratchet), m.ratchet)
	}
	switch {
	case m.counter < next:
		if s.skipped.find(m.ratchet, m.counter) < 0 {
			return opening{}, protocols.ErrReplayed
		}
	case m.counter-next > maxFuture || m.counter == math.MaxUint32:
		return opening{}, protocols.ErrTooFarAhead
	}
	o.key = keyOf(o.secret, m.counter, s.remote, own)
	if o.key.mac(m.digest) != m.mac {
		return opening{}, protocols.ErrAuthentication
	}
	return o, nil
}

// accept changes the state as the opened message demands. fresh is the core of
// a ratchet key, used if the message begins a new chain.
func (s *state) accept(o opening, m *message, fresh uint64) {
	if s.role == waiting {
		s.role, s.baseCore = initiator, 0
	}
	if o.chain < 0 {
		s.addChain(chain{ratchet: m.ratchet, secret: o.secret})
		o.chain = int(s.n) - 1
		s.root, s.sending = step(o.root, public(fresh), m.ratchet)
		s.ratchet = fresh
		s.previous, s.counter = max(s.counter, 1)-1, 0
	}
	c := &s.chains[o.chain]
	c.next = s.skipped.pass(m.ratchet, c.next, m.counter)
}

func (s *state) chainOf(ratchet uint64) int {
	for i := range int(s.n) {
		if s.chains[i].ratchet == ratchet {
			return i
		}
	}
	return -1
}

// addChain adds a receiving chain and forgets the oldest of too many.
func (s *state) addChain(c chain) {
	if s.n == maxChains {
		s.skipped.forget(s.chains[0].ratchet)
		copy(s.chains[:], s.chains[1:])
		s.n--
	}
	s.chains[s.n] = c
	s.n++
}

// find returns the state that opens m: -1 for the current one, else the index
// of an archived one. If none does, the error is the current state's.
func (s *session) find(own uint64, m *message) (int, opening, error) {
	var first error
	for i := -1; i < len(s.archived); i++ {
		o, err := s.at(i).check(own, m)
		if err == nil || err == protocols.ErrReplayed {
			return i, o, err
		}
		if first == nil {
			first = err
		}
	}
	return 0, opening{}, first
}

func (s *session) at(i int) *state {
	if i < 0 {
		return &s.current
	}
	return &s.archived[i]
}

// withBase returns the state with this base key, as find does.
func (s *session) withBase(base uint64) (int, bool) {
	for i := -1; i < len(s.archived); i++ {
		if s.at(i).base == base {
			return i, true
		}
	}
	return 0, false
}

// replace makes next the current state and archives the one before.
func (s *session) replace(next state) {
	if len(s.archived) == maxArchived {
		s.archived = s.archived[:maxArchived-1]
	}
	s.archived = slices.Insert(s.archived, 0, s.current)
	s.current = next
}

// promote makes the archived state i the current one.
func (s *session) promote(i int) {
	s.current, s.archived[i] = s.archived[i], s.current
	// The former current state is the latest of the archived ones.
	st := s.archived[i]
	copy(s.archived[1:i+1], s.archived[:i])
	s.archived[0] = st
}

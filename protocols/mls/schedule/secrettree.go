package schedule

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// What the errors of a [SecretTree] and an [ExporterTree] wrap.
var (
	// ErrConsumed: the secret was used, or it was skipped too long ago to be kept.
	ErrConsumed = errors.New("secret was consumed")
	// ErrTooFarAhead: to get to the generation takes more steps than the limit.
	ErrTooFarAhead = errors.New("generation is too far ahead")
	// ErrNoLeaf: the tree has no such leaf.
	ErrNoLeaf = errors.New("no such leaf")
	// ErrExhausted: the ratchet has no generation left.
	ErrExhausted = errors.New("no generation is left")
)

// Limits bound what senders can make a receiver compute and keep (RFC 9420,
// Section 15.3). A field of 0 means that of [DefaultLimits].
type Limits struct {
	// OutOfOrder is how many skipped keys are kept per ratchet, for messages that
	// come late; the oldest go first. Less than 0 is none.
	OutOfOrder int
	// Forward is how many generations a message may skip.
	Forward uint32
}

// DefaultLimits suit a hub that mostly keeps the order. It is not modified.
var DefaultLimits = Limits{OutOfOrder: 64, Forward: 1024}

// orDefault returns the limits with no field meaning another.
func (l Limits) orDefault() Limits {
	if l.OutOfOrder == 0 {
		l.OutOfOrder = DefaultLimits.OutOfOrder
	}
	if l.Forward == 0 {
		l.Forward = DefaultLimits.Forward
	}
	l.OutOfOrder = max(l.OutOfOrder, 0)
	return l
}

// Key protects one message of a sender (RFC 9420, Section 9.1). It never prints
// itself.
type Key struct {
	Generation uint32
	Key, Nonce []byte
}

// Wipe overwrites key and nonce.
func (k *Key) Wipe() {
	clear(k.Key)
	clear(k.Nonce)
}

// SecretTree gives the keys of the messages of an epoch (RFC 9420, Section 9) and
// deletes them, and all they came from, when they are consumed (Section 9.2).
// Until then nothing that is asked changes what it will answer. It is not for use
// by several goroutines at once.
type SecretTree struct {
	s        suite.Suite
	size     suite.Sizes
	lim      Limits
	leaves   uint32
	frontier frontier
	senders  map[uint32]*sender // those whose leaf was consumed
	ahead    ahead
	info     []byte // room for a KDFLabel
}

// ahead is what was derived beyond the state, for messages that may turn out to be
// forged. It follows from the state, so to lose it costs time alone. There is one,
// so that forgeries cannot make it grow.
type ahead struct {
	leaf    uint32
	ratchet Ratchet
	way     *descent      // to the leaf; nil if that is among senders
	sender  *sender       // from there; nil if it is among senders
	steps   []step        // consecutive generations, the first not below the ratchet's next
	secret  [maxHash]byte // room for a ratchet_secret on the way, zero else
}

// NewSecretTree returns the tree of an epoch for 1 to 2^31 leaves, blank ones
// included. It copies the encryption_secret: the caller overwrites it.
func NewSecretTree(s suite.Suite, encryptionSecret []byte, leaves uint32, lim Limits) *SecretTree {
	if leaves < 1 || leaves > maxLeaves {
		panic(fmt.Sprintf("schedule: a secret tree of %d leaves, want 1 to %d", leaves, uint32(maxLeaves)))
	}
	return &SecretTree{
		s: s, size: s.ID().Sizes(), lim: lim.orDefault(), leaves: leaves,
		frontier: newFrontier(encryptionSecret, leaves), senders: map[uint32]*sender{},
	}
}

// Leaves returns how many leaves the tree has.
func (t *SecretTree) Leaves() uint32 { return t.leaves }

// Next returns the next key of a ratchet and consumes it: what a sender takes
// for a message. It fails with [ErrExhausted] after 2^32 of them.
func (t *SecretTree) Next(leaf uint32, r Ratchet) (Key, error) {
	m, err := t.open(leaf)
	if err != nil {
		return Key{}, fmt.Errorf("schedule: %v key of leaf %d: %w", r, leaf, err)
	}
	if m[r].next > math.MaxUint32 {
		return Key{}, fmt.Errorf("schedule: %v key of leaf %d: %w", r, leaf, ErrExhausted)
	}
	k, err := t.Peek(leaf, r, uint32(m[r].next))
	if err == nil {
		t.Consume(leaf, r, k.Generation)
	}
	return k, err
}

// Peek returns the key of a generation: what a receiver opens a message with. It
// changes nothing; if the message is genuine, Consume follows. The key belongs to
// the caller, who overwrites it.
func (t *SecretTree) Peek(leaf uint32, r Ratchet, generation uint32) (Key, error) {
	k, err := t.look(leaf, r, generation)
	if err != nil {
		return Key{}, fmt.Errorf("schedule: %v key of leaf %d, generation %d: %w", r, leaf, generation, err)
	}
	b := make([]byte, t.size.AEADKey+t.size.AEADNonce)
	n := copy(b, k.key[:t.size.AEADKey])
	copy(b[n:], k.nonce[:])
	return Key{generation, b[:n:n], b[n:]}, nil
}

// Consume deletes the key of a generation and all that it comes from (RFC 9420,
// Section 9.2). The keys of generations skipped for it are kept within the
// limits. It does nothing where Peek fails.
func (t *SecretTree) Consume(leaf uint32, r Ratchet, generation uint32) {
	if _, err := t.look(leaf, r, generation); err != nil {
		return
	}
	m, _ := t.open(leaf)
	c, a := &m[r], &t.ahead
	if uint64(generation) < c.next {
		_, i := c.find(generation)
		rest := i + copy(c.kept[i:], c.kept[i+1:])
		clear(c.kept[rest:])
		c.kept = c.kept[:rest]
		return
	}
	from := max(t.window(generation), c.next)
	if uint64(a.steps[0].generation) > from { // a later generation was looked at, which may keep less
		a.forget(a.steps)
		t.reach(a, c, generation)
	}
	if a.sender != nil {
		t.frontier.take(a.way)
		t.senders[leaf] = a.sender
		a.way, a.sender = nil, nil
	}
	a.steps = shift(a.steps, int(from-uint64(a.steps[0].generation)))
	n := int(uint64(generation) - from)
	c.keep(a.steps[:n], t.lim.OutOfOrder)
	c.secret, c.next = a.steps[n].after, uint64(generation)+1
	a.steps = shift(a.steps, n+1)
}

// window returns the first generation that is kept when one is consumed.
func (t *SecretTree) window(generation uint32) uint64 {
	return uint64(max(0, int64(generation)-int64(t.lim.OutOfOrder)))
}

// look returns the slot of a generation. It is valid until the next call.
func (t *SecretTree) look(leaf uint32, r Ratchet, generation uint32) (*slot, error) {
	m, err := t.open(leaf)
	if err != nil {
		return nil, err
	}
	c, a := &m[r], &t.ahead
	if uint64(generation) < c.next {
		if k, _ := c.find(generation); k != nil {
			return k, nil
		}
		return nil, ErrConsumed
	}
	if skipped := uint64(generation) - c.next; skipped > uint64(t.lim.Forward) {
		return nil, fmt.Errorf("%w: it skips %d, want at most %d", ErrTooFarAhead, skipped, t.lim.Forward)
	}
	if a.leaf != leaf || a.ratchet != r || len(a.steps) > 0 && generation < a.steps[0].generation {
		a.forget(a.steps)
		if a.leaf != leaf {
			a.abandon()
		}
		a.leaf, a.ratchet = leaf, r
	}
	return t.reach(a, c, generation), nil
}

// open returns the ratchets of a leaf, as they are or ahead of the state.
func (t *SecretTree) open(leaf uint32) (*sender, error) {
	if leaf >= t.leaves {
		return nil, fmt.Errorf("%w: want less than %d", ErrNoLeaf, t.leaves)
	}
	if m := t.senders[leaf]; m != nil {
		return m, nil
	}
	a := &t.ahead
	if a.sender != nil && a.leaf == leaf {
		return a.sender, nil
	}
	way := t.frontier.descend(t.s, leaf)
	if way == nil {
		return nil, ErrConsumed
	}
	a.forget(a.steps)
	a.abandon()
	a.leaf, a.way, a.sender = leaf, way, newSender(t.s, way.leaf)
	return a.sender, nil
}

// reach extends the steps ahead of a ratchet to a generation. Those that would
// not be kept if that is consumed are not worth a key.
func (t *SecretTree) reach(a *ahead, c *ratchet, generation uint32) *slot {
	g, from := c.next, &c.secret
	if n := len(a.steps); n > 0 {
		last := &a.steps[n-1]
		if generation <= last.generation {
			return &a.steps[generation-a.steps[0].generation].slot
		}
		g, from = uint64(last.generation)+1, &last.after
	}
	a.secret = *from // steps are about to move
	defer clear(a.secret[:])
	if n := len(a.steps); n > 0 {
		if low, first := t.window(generation), uint64(a.steps[0].generation); low > first {
			a.steps = shift(a.steps, int(min(low-first, uint64(n))))
		}
	}
	secret := a.secret[:t.size.Hash]
	for ; g <= uint64(generation); g++ {
		after := t.derive(secret, "secret", uint32(g), t.size.Hash)
		if g >= t.window(generation) {
			a.steps = push(a.steps)
			k := &a.steps[len(a.steps)-1]
			k.generation = uint32(g)
			take(k.key[:], t.derive(secret, "key", uint32(g), t.size.AEADKey))
			take(k.nonce[:], t.derive(secret, "nonce", uint32(g), t.size.AEADNonce))
			copy(k.after[:], after)
		}
		take(secret, after)
	}
	return &a.steps[len(a.steps)-1].slot
}

// derive is DeriveTreeSecret from a ratchet_secret (RFC 9420, Section 9.1), in a
// room of its own for the label.
func (t *SecretTree) derive(secret []byte, label string, generation uint32, n int) []byte {
	var g [4]byte
	binary.BigEndian.PutUint32(g[:], generation)
	t.info = labeled.KDFLabel(t.info[:0], label, g[:], n)
	return t.s.Expand(secret, t.info, n)
}

// forget overwrites steps, which are all that are ahead.
func (a *ahead) forget(steps []step) {
	clear(steps)
	a.steps = steps[:0]
}

// abandon overwrites a leaf that was opened ahead of the state.
func (a *ahead) abandon() {
	if a.sender == nil {
		return
	}
	a.way.drop()
	for r := range a.sender {
		a.sender[r].wipe()
	}
	a.way, a.sender = nil, nil
}

// Wipe overwrites all secrets. The tree gives none after that.
func (t *SecretTree) Wipe() {
	t.frontier.wipe()
	for _, m := range t.senders {
		for r := range m {
			m[r].wipe()
		}
	}
	t.senders = nil
	t.ahead.forget(t.ahead.steps)
	t.ahead.abandon()
}

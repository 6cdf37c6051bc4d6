package dma

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// Partner is a partner's server as far as messages need it: it takes the
// gatekeeper's pushes and wakes its users' devices, knows with which keys tokens
// are signed and which the gatekeeper must still find, and hosts the ciphertext of
// the media that its users send.
type Partner struct {
	users   map[string][]byte // credentials by user-visible identifier
	keys    []SigningKey      // oldest first
	media   Media
	records recorder
	out     Output
}

// SigningKey is a key of the tokens by which a partner proves who its users are.
type SigningKey struct {
	ID      string    `json:"id"`
	Private []byte    `json:"private"` // in a form of the shell's
	From    time.Time `json:"from"`    // when tokens are signed with it, if no later key is
	Until   time.Time `json:"until"`   // when nobody needs it any more; zero without a later key
}

// String leaves the private key out.
func (k SigningKey) String() string { return "signing key " + k.ID }

// GoString leaves the private key out.
func (k SigningKey) GoString() string { return k.String() }

// Inputs of a [Partner].
type (
	// Join makes a user known by the user-visible identifier. Credential is what the
	// user's device shows to get a token, or what it is verified by; nil if it gets
	// none. A user who is known may have another one. How a partner knows its users is
	// its own affair: assumed.
	Join struct {
		Visible    string
		Credential []byte
	}
	// Leave makes a user unknown.
	Leave struct{ Visible string }
	// PushRequest: the gatekeeper POSTed {"to": To} to {base}/push.
	PushRequest struct{ To string }
	// AddKey gives the partner another key for tokens. It is published at once and signs
	// after Ahead, when gatekeepers that fetch the keys from time to time have it (the
	// first key signs at once). The key before stays published for Keep after that, until
	// the tokens that it has signed are over.
	AddKey struct {
		ID          string
		Private     []byte
		Ahead, Keep time.Duration
	}
)

func (Join) input()        {}
func (Leave) input()       {}
func (PushRequest) input() {}
func (AddKey) input()      {}

// MaxSigningKeys is how many keys a partner has at once at most; a choice of this
// implementation, below what package token reads of a document.
const MaxSigningKeys = 16

// NewPartner returns a partner server without users.
func NewPartner() *Partner { return &Partner{users: make(map[string][]byte)} }

// Media returns the store of the media that the partner's users sent.
func (p *Partner) Media() *Media { return &p.media }

// Credential returns what a user's device has to show, and whether there is such a
// user.
func (p *Partner) Credential(visible string) ([]byte, bool) {
	c, ok := p.users[visible]
	return c, ok
}

// Users returns how many users there are.
func (p *Partner) Users() int { return len(p.users) }

// Keys returns the keys that are published, oldest first.
func (p *Partner) Keys() []SigningKey { return slices.Clone(p.keys) }

// Signing returns the key that signs now, and whether there is one.
func (p *Partner) Signing(now time.Time) (SigningKey, bool) {
	for _, k := range slices.Backward(p.keys) {
		if !k.From.After(now) {
			return k, true
		}
	}
	return SigningKey{}, false
}

// Step takes one input at a time. The output is valid until the next Step:
// Output.Wakes names the users whose devices are to be woken.
func (p *Partner) Step(now time.Time, in Input) (Output, error) {
	p.out.reset()
	p.records.reset()
	var err error
	switch in := in.(type) {
	case Join:
		err = p.join(in)
	case Leave:
		err = p.leave(in)
	case PushRequest:
		if _, ok := p.users[in.To]; !ok {
			err = fmt.Errorf("push for unknown user %q", in.To)
			break
		}
		p.out.Wakes = append(p.out.Wakes, in.To)
	case AddKey:
		err = p.addKey(now, in)
	case Wake:
	default:
		err = fmt.Errorf("input %T, want one of a partner's", in)
	}
	if err != nil {
		return Output{}, fmt.Errorf("dma: partner: %w", err)
	}
	p.retire(now)
	p.out.Persist = p.records.list
	return p.out, nil
}

func (p *Partner) join(in Join) error {
	if in.Visible == "" || len(in.Visible) > maxVisible || !utf8.ValidString(in.Visible) {
		return fmt.Errorf("user of %d bytes, want 1 to %d in UTF-8", len(in.Visible), maxVisible)
	}
	if _, ok := p.users[in.Visible]; ok && len(in.Credential) == 0 {
		return fmt.Errorf("user %q is known already, want another credential", in.Visible)
	}
	p.users[in.Visible] = in.Credential
	p.records.put(userKey(in.Visible), append([]byte{}, in.Credential...)) // nil would delete it
	return nil
}

func (p *Partner) leave(in Leave) error {
	if _, ok := p.users[in.Visible]; !ok {
		return fmt.Errorf("unknown user %q leaves", in.Visible)
	}
	delete(p.users, in.Visible)
	p.records.delete(userKey(in.Visible))
	return nil
}

// maxKeyID is the longest ID of a key: below that of package token.
const maxKeyID = 64

// keyID reports whether a key may have the ID, which is part of a record's key.
func keyID(s string) bool {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.", c)) {
			return false
		}
	}
	return s != "" && len(s) <= maxKeyID
}

func (p *Partner) addKey(now time.Time, in AddKey) error {
	switch {
	case !keyID(in.ID) || len(in.Private) == 0:
		return fmt.Errorf("a signing key of ID %q and %d bytes, want 1 to %d letters, digits and -_. and its private part", in.ID, len(in.Private), maxKeyID)
	case in.Ahead < 0 || in.Keep < 0:
		return errors.New("a signing key from or until before now")
	case len(p.keys) >= MaxSigningKeys:
		return fmt.Errorf("%d signing keys, want at most %d: some must be over first", len(p.keys)+1, MaxSigningKeys)
	case slices.ContainsFunc(p.keys, func(k SigningKey) bool { return k.ID == in.ID }):
		return fmt.Errorf("signing key %q is known already", in.ID)
	}
	k := SigningKey{ID: in.ID, Private: in.Private, From: now.Add(in.Ahead)}
	if n := len(p.keys); n == 0 {
		k.From = now
	} else {
		before := &p.keys[n-1]
		if !before.From.Before(now) {
			return fmt.Errorf("signing key %q signs from %v on, want that to have come before another follows", before.ID, before.From)
		}
		before.Until = k.From.Add(in.Keep)
		p.saveKey(before)
	}
	p.keys = append(p.keys, k)
	p.saveKey(&k)
	return nil
}

// retire drops the keys that are over, and says when the next one is.
func (p *Partner) retire(now time.Time) {
	p.keys = slices.DeleteFunc(p.keys, func(k SigningKey) bool {
		over := !k.Until.IsZero() && !k.Until.After(now)
		if over {
			p.records.delete(keyRecord + k.ID)
		}
		return over
	})
	for _, k := range p.keys {
		p.out.WakeAt = earliest(p.out.WakeAt, k.Until)
	}
}

// The records of a partner: user/<identifier in hexadecimal> has the credential, and
// key/<ID> a SigningKey in JSON.
const (
	userRecord = "user/"
	keyRecord  = "key/"
)

func userKey(visible string) string { return userRecord + hex.EncodeToString([]byte(visible)) }

func (p *Partner) saveKey(k *SigningKey) { p.records.put(keyRecord+k.ID, mustJSON(k)) }

// RestorePartner makes a partner from the records of an earlier one: all of them,
// each key once. Media are not among them.
func RestorePartner(records []protocols.Record) (*Partner, error) {
	p := NewPartner()
	for _, r := range records {
		if err := p.restore(r); err != nil {
			return nil, fmt.Errorf("dma: restore partner: record %q: %w: %w", r.Key, protocols.ErrState, err)
		}
	}
	slices.SortFunc(p.keys, func(a, b SigningKey) int { return a.From.Compare(b.From) })
	return p, nil
}

// restore takes one record in.
func (p *Partner) restore(r protocols.Record) error {
	if name, ok := strings.CutPrefix(r.Key, userRecord); ok {
		visible, err := hex.DecodeString(name)
		if err != nil {
			return err
		}
		// A user without a credential has an empty one: a record can't be nil.
		p.users[string(visible)] = r.Value
		return nil
	}
	name, ok := strings.CutPrefix(r.Key, keyRecord)
	if !ok {
		return errors.New("unknown kind")
	}
	var k SigningKey
	if err := json.Unmarshal(r.Value, &k); err != nil {
		return err
	}
	if k.ID != name {
		return fmt.Errorf("signing key %q", k.ID)
	}
	p.keys = append(p.keys, k)
	return nil
}

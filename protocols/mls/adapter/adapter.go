// Package adapter makes an end-to-end protocol of package protocols out of the MLS
// engine (RFC 9420, https://www.rfc-editor.org/rfc/rfc9420). It is a package of its
// own so that the engine knows nothing of the seam.
//
// # Key material
//
// A client's signature key is its identity; its credential is a basic one with its
// address. The reusable part of its key material is a last-resort KeyPackage
// (draft-ietf-mls-extensions-10), the parts that serve once are ordinary ones; each
// is an MLSMessage.
//
// # Payloads
//
// All have type "mls" and version 1. One is one or two MLSMessages, whose
// wire_format says what they are:
//
//	in a session   [Welcome | PrivateMessage with a Commit]  PrivateMessage with data
//	in a group     Welcome | PrivateMessage
//
// A session is a group of two, with an identifier drawn at random. Who establishes
// it adds the other and sends the Welcome along with each message until the other
// is heard. In every epoch one of the two may commit, the joiner in odd ones, the
// creator in even ones, so Commits never conflict and need no server to order
// them. It does so with the first message that it sends after it heard the other in
// that epoch, and sends the Commit along until the other is heard in the next: each
// turn of the conversation has fresh keys, as in the Double Ratchet, for the price
// of a Commit. What is sent along is bound to the data by its hash, which is the
// authenticated_data of the PrivateMessage.
//
//	creator                               joiner
//	   | Welcome, data (epoch 1)             |
//	   |------------------------------------>|
//	   |             Commit, data (epoch 2)  |
//	   |<------------------------------------|
//	   | Commit, data (epoch 3)              |
//	   |------------------------------------>|
//
// Both may establish a session at once; then there are two, and each seals in the one
// in which it last heard the other.
//
// Groups are MLS groups, whose identifier is the GroupID. Every change is a Commit
// with a path; a server puts Commits in an order.
//
// # What it does not do
//
// It has no external Commits, proposals by reference or pre-shared keys, which the
// engine has; it does not tell a hub what it would need to follow the group (see
// mls.PublicGroup); nobody can remove itself.
package adapter

import (
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
)

// Adapter makes clients that speak MLS. The zero value is ready to use. Its clients
// are [protocols.GroupClient] and [protocols.Fingerprinter].
type Adapter struct{}

// Name returns "mls".
func (Adapter) Name() string { return "mls" }

// Claims returns what the protocol guarantees. Messages are signed, so it has no
// deniability; its cipher suites are not yet post-quantum.
func (Adapter) Claims() protocols.Claims {
	return protocols.Claims{
		ForwardSecrecy:         true,
		PostCompromiseSecurity: true,
		SenderAuthentication:   true,
	}
}

// New makes a client with a fresh identity. It has no KeyPackage before it is asked
// for one, since a KeyPackage is valid from some time on.
func (Adapter) New(cfg protocols.Config) (protocols.Client, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	if c.self, err = mls.NewIdentity(cfg.Suite, []byte(cfg.Address)); err != nil {
		return nil, fmt.Errorf("mls: new client: %w", err)
	}
	c.ids.next = 1
	c.putLocal()
	return c, nil
}

// Restore makes a client from its records.
func (Adapter) Restore(cfg protocols.Config, records []protocols.Record) (protocols.Client, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.restore(records); err != nil {
		return nil, fmt.Errorf("mls: restore: %w: %w", protocols.ErrState, err)
	}
	return c, nil
}

// What one is to wait for, and to keep.
const (
	// lifetime is how long a KeyPackage is valid.
	lifetime = 90 * 24 * time.Hour
	// sessionEpochs is how many epochs a session's messages may be late: five turns
	// of each side.
	sessionEpochs = 10
	// groupEpochs is how many changes a group's messages may be late.
	groupEpochs = 5
	// maxSessions is how many sessions with one peer are kept, for messages that are
	// under way.
	maxSessions = 16
)

func newClient(cfg protocols.Config) (*client, error) {
	switch {
	case cfg.Address == "" || len(cfg.Address) > maxAddressSize:
		return nil, fmt.Errorf("mls: Config.Address of %d bytes, expected 1 to %d", len(cfg.Address), maxAddressSize)
	case cfg.Suite == nil:
		return nil, errors.New("mls: Config.Suite is nil")
	}
	engine := mls.Config{
		Suite:        cfg.Suite,
		Components:   map[message.ComponentID]mls.Component{}, // for last-resort KeyPackages
		Authenticate: authenticate,
		ClientOf:     func(l *message.LeafNode) string { return string(l.Credential.Identity) },
		// Who joins does not say when; who adds checks lifetimes.
		IgnoreLifetime: true,
		PastEpochs:     groupEpochs,
		Limits:         schedule.Limits{OutOfOrder: 128, Forward: 2000},
	}
	sessions := engine
	sessions.PastEpochs = sessionEpochs
	strict := engine
	strict.IgnoreLifetime = false
	return &client{
		address: cfg.Address, suite: cfg.Suite, engine: &engine, sessions: &sessions, strict: &strict,
		store: newStore(), packages: make(map[string]string),
		peers: make(map[protocols.Address]*peer), groups: make(map[protocols.GroupID]*group),
	}, nil
}

// authenticate accepts basic credentials, and no change of identity in a group.
func authenticate(c *message.Credential, key []byte, w mls.Where) error {
	if c.Type != message.CredentialBasic {
		return fmt.Errorf("credential of type %v, want a basic one", c.Type)
	}
	if old := w.Replaces; old != nil && (string(old.Credential.Identity) != string(c.Identity) || string(old.SignatureKey) != string(key)) {
		return fmt.Errorf("%q with another identity than before", c.Identity)
	}
	return nil
}

// Package protocols is the seam between an end-to-end encryption protocol and
// everything that carries, serves or measures it: the simulator, the DMA
// gatekeeper, the MIMI rooms and the benchmarks.
//
// An [Adapter] is one protocol in one version ("signal-v3", "mls"). It makes
// [Client] values, each the end-to-end state of one device. A client turns
// plaintext into [Sealed] payloads and back; what it hands out is what a server
// may see and nothing else. Optional abilities (groups, safety numbers) are
// interfaces of their own, found by type assertion.
//
// # Why it looks as it does
//
// The seam was drawn for two protocols at once, Signal (X3DH, Double Ratchet,
// Sender Keys) and MLS (RFC 9420), so it says nothing that only one of them
// has:
//
//   - Key material is a reusable part and a list of parts that serve once:
//     Signal's identity with signed prekey and its one-time prekeys; MLS's
//     last-resort KeyPackage and its ordinary KeyPackages. A server stores both
//     as bytes and hands out one [Bundle] at a time.
//   - Group changes are proposed and then settled. A sender-key client needs no
//     second phase; an MLS client must not merge its own Commit before the hub
//     accepted it (RFC 9420, Section 14).
//   - State is a set of named records. A client reports the ones that changed
//     since it was last asked, so a store writes what an operation touched and
//     not the whole state: one session of Signal, O(log N) tree nodes of MLS.
//     Read one after the other, all reports ever made are the state.
//   - Time and randomness come in as values. A client owns no clock, socket,
//     goroutine or file.
//
// It does not carry messages (protocols/stanza does), and it does not
// interpret plaintext.
package protocols

import (
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Address names one client: one device of one user. It is opaque to adapters,
// which only compare it.
type Address string

// GroupID names one group. It is opaque to adapters.
type GroupID string

// Adapter is one end-to-end protocol in one version.
type Adapter interface {
	// Name is the stable name by which scenarios and results call the adapter:
	// lower-case letters, digits and dashes.
	Name() string
	// Claims says which guarantees the protocol gives.
	Claims() Claims
	// New makes a client with a fresh identity.
	New(Config) (Client, error)
	// Restore makes a client from the records of an earlier one with the same
	// address: those of [Client.State] followed by those of later
	// [Client.Changes], or a store's merger of them. Of several records with one
	// key the last counts, and one without a value deletes. Records that it does
	// not understand, that belong to another address or that contradict each
	// other are an error that wraps [ErrState].
	Restore(Config, []Record) (Client, error)
}

// Claims are the guarantees a protocol gives its users. A claim is about the
// protocol as specified; an adapter that only models it says so by Modelled.
type Claims struct {
	ForwardSecrecy         bool // a later compromise does not open earlier messages
	PostCompromiseSecurity bool // after a compromise the parties can recover
	Deniability            bool // no third party can be shown who wrote a message
	PostQuantum            bool // confidentiality holds against a quantum adversary who records now
	SenderAuthentication   bool // in a group, members can tell each other's messages apart
	// Modelled marks an adapter with the right sizes and state machine but
	// without cryptography. Every result made with it is labelled "modelled".
	Modelled bool
}

// Config is what a new or restored client needs. It is not modified.
type Config struct {
	Address Address     // the client's own address; required
	Suite   suite.Suite // the source of all cryptography and randomness; required
}

// Client is the end-to-end state of one device.
//
// A returned error means that nothing changed. Methods may be called
// concurrently. Slices passed in are not retained; slices handed out belong to
// the caller.
type Client interface {
	// Publish returns the reusable key material and n fresh one-time keys, for a
	// server to store and hand out. 0 <= n <= [MaxOneTime].
	Publish(now time.Time, n int) (KeyMaterial, error)
	// Rotate replaces the reusable part (Signal's signed prekey, MLS's
	// last-resort KeyPackage). The part it replaces is still honoured until the
	// next rotation, for messages that are under way. The new one is what
	// Publish returns from now on.
	Rotate(now time.Time) error
	// Establish starts a session towards peer from a bundle that the peer
	// published, replacing the one that may exist; messages of that one which
	// are under way still open. It sends nothing. The notice is SessionStarted,
	// with IdentityChanged if the bundle shows another identity than the one
	// known. A client has no session with itself.
	Establish(now time.Time, peer Address, b Bundle) (Notice, error)
	// Established reports whether Seal to peer would find a session.
	Established(peer Address) bool
	// Seal encrypts plaintext to one peer. Without a session it returns
	// [ErrNoSession].
	Seal(peer Address, plaintext []byte) (Sealed, error)
	// Open decrypts a payload that peer sealed for this client, in whatever
	// order payloads arrive. Errors wrap the sentinels of this package;
	// [Retryable] says whether asking the sender again can help. A Type or
	// Version that the adapter does not know is [ErrMalformed]. A bundle's keys
	// that have gone are [ErrKeyUnknown].
	Open(peer Address, s Sealed) (Opened, error)
	// State returns the whole state as records, sorted by key.
	State() []Record
	// Changes returns the records that changed since the last call of Changes or
	// State, sorted by key. A shell writes them BEFORE it sends what the same
	// operation sealed.
	Changes() []Record
}

// GroupClient is a [Client] that also seals to many. Signal's sender keys and
// MLS both fit: what one does in distribution messages, the other does in
// Commits and Welcomes, and both leave as envelopes.
type GroupClient interface {
	Client
	// CreateGroup makes a group with this client as its only member.
	CreateGroup(now time.Time, g GroupID) error
	// Change adds and removes members. The change is pending until Settle says
	// what became of it; a second Change before that returns [ErrPending]. An
	// impossible change, such as to add a member again, is the caller's fault and
	// an error that wraps no sentinel; whether a client can remove itself is up to
	// the protocol (an MLS client can't: RFC 9420, Section 12.2). A change of nobody
	// renews the client's keys in the group where a protocol can do that, and is
	// impossible elsewhere.
	//
	// A protocol that sends in pairwise sessions returns a
	// [MissingSessionsError] if some are missing, here and from SealGroup.
	Change(now time.Time, g GroupID, add []Member, remove []Address) ([]Envelope, error)
	// Settle merges the pending change if it was accepted and drops it if not.
	// Without a pending change it does nothing. Of changes that members propose at
	// the same time one is accepted: the others take it by OpenGroup and drop their
	// own, in either order.
	Settle(g GroupID, accepted bool) error
	// Members returns the addresses of the group's members, sorted.
	Members(g GroupID) ([]Address, error)
	// SealGroup encrypts plaintext to all other members. The envelopes are to be
	// sent in order: those that set members up come first.
	SealGroup(g GroupID, plaintext []byte) ([]Envelope, error)
	// OpenGroup takes an envelope's payload that peer sent within the group. One
	// that carried no plaintext returns an [Opened] whose Plaintext is nil; an
	// empty plaintext is not nil. A change of members takes effect at once, and a
	// member removed forgets the group.
	//
	// Changes are to be taken in the order in which they were accepted, as a hub
	// hands them out. A message that comes before a change which it needs is an
	// error that is [Retryable] and opens once the change was taken.
	OpenGroup(now time.Time, g GroupID, peer Address, s Sealed) (Opened, error)
}

// Fingerprinter is a [Client] that can show a safety number for a peer.
type Fingerprinter interface {
	// SafetyNumber returns the number that both users see when they compare
	// their identities. localID and remoteID are the stable identifiers of the
	// two users. Without a known identity of peer it returns [ErrNoSession].
	SafetyNumber(localID, remoteID []byte, peer Address) (string, error)
}

// MaxOneTime is the largest number of one-time keys that one Publish makes.
const MaxOneTime = 1000

// KeyMaterial is what a client publishes for others to reach it.
type KeyMaterial struct {
	Static  []byte       // reusable; its layout is the adapter's own
	OneTime []OneTimeKey // each to be handed out once
}

// OneTimeKey is a part of [KeyMaterial] that serves once.
type OneTimeKey struct {
	ID    uint32 // unique among the client's one-time keys; never 0
	Value []byte // its layout is the adapter's own
}

// Bundle is the key material for one session: the reusable part and, unless the
// server has run out of them, a one-time key.
type Bundle struct {
	Static  []byte
	OneTime *OneTimeKey // nil if exhausted
}

// Member is a client to add to a group, with the key material to reach it. The
// bundle may be empty if the protocol adds over a session that exists.
type Member struct {
	Address Address
	Bundle  Bundle
}

// Sealed is an encrypted payload, as an <enc> element of a stanza carries it.
type Sealed struct {
	Type    string // "pkmsg", "msg", "skmsg" (Signal) or "mls"
	Version int    // the wire version within the type: 2 for Signal in interop stanzas
	Payload []byte
}

// HostedGroupClient is a GroupClient whose groups may also be hosted: who is in such a
// group is what its server says, and no member tells another. [GroupClient.Change] is
// impossible in it, and a change that a member sends is an [ErrAuthentication].
type HostedGroupClient interface {
	GroupClient
	// SetMembers makes the members of a hosted group those of the list, in any order, and
	// makes the group if there is none; a group that is not hosted can't become one.
	// Who is removed can't open what is sealed from then on, and who is new not what was
	// sealed before. A list without this client's own address forgets the group.
	SetMembers(g GroupID, members []Address) error
	// Distribute seals to one member, in their pairwise session, what it needs to open
	// what this client seals to a hosted group from now on. Without a session it returns
	// a [MissingSessionsError].
	Distribute(g GroupID, peer Address) (Envelope, error)
	// Redistribute has the next SealGroup distribute to these members once more, since
	// what was sealed to them before was not sent. Those who are no members it ignores.
	Redistribute(g GroupID, peers []Address) error
}

// Envelope is a payload with those it is for.
type Envelope struct {
	To    []Address // nil means every other member of Group, as it was before a change
	Group GroupID
	Sealed
}

// Opened is what became of a payload.
type Opened struct {
	Plaintext []byte
	Notice    Notice
}

// Notice is a set of things that a user or a server should hear of.
type Notice uint8

const (
	// IdentityChanged: the peer's identity key is not the one known before.
	IdentityChanged Notice = 1 << iota
	// OneTimeKeyUsed: a peer used one of this client's one-time keys up.
	OneTimeKeyUsed
	// SessionStarted: a session with the peer is new.
	SessionStarted
	// MembersChanged: the group has other members now.
	MembersChanged
)

// Has reports whether all of the given notices are set.
func (n Notice) Has(m Notice) bool { return n&m == m }

// Record is one named piece of a client's state. Keys are ASCII without spaces.
type Record struct {
	Key   string
	Value []byte // nil means deleted
}

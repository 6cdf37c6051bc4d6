package mls

import (
	"bytes"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Config is what the groups of one client, or the trackers of one hub, have in
// common. It is not modified; groups keep a pointer to it.
type Config struct {
	// Suite is the source of all cryptography and randomness, and the cipher
	// suite of the groups; required.
	Suite suite.Suite
	// Authenticate says whether a credential is valid (RFC 9420, Section 5.3.1).
	// Nil accepts basic credentials and no others, and as successor of one only the
	// same; for X.509 see [X509].
	Authenticate Authenticate
	// Authorize says whether the application allows a list of proposals
	// (Section 12.2). Nil allows all.
	Authorize func(*Proposed) error
	// ClientOf names the client that a leaf represents, for Section 12.2: leaves with
	// the same name are of the same client. Nil compares signature keys, which is
	// checked in any case.
	ClientOf func(*message.LeafNode) string
	// PSK returns external and application pre-shared keys, and the resumption
	// keys of other groups. Nil has none.
	PSK func(*message.PreSharedKeyID) (secret []byte, ok bool)
	// Components are the parts of the application that the groups know
	// (draft-ietf-mls-extensions-10). With nil, and no MediaTypes, the client does
	// not support app_data_dictionary at all; an empty map supports it, with the components of
	// the draft and no others. The leaves of a client that does say which
	// components it supports.
	Components map[message.ComponentID]Component
	// MediaTypes are the media types that the client takes, for its leaves
	// (draft-ietf-mls-extensions-10, Content Advertisement).
	MediaTypes message.MediaTypeList
	// KnowsMedia says whether a client takes a media type that its leaf does not
	// list, as one may be configured to know. Nil knows of none. All members
	// of a group have to know the same.
	KnowsMedia func(*message.LeafNode, *message.MediaType) bool
	// Points are the numbers of the extensions; nil means
	// [message.DefaultCodePoints].
	Points *message.CodePoints
	// Extensions and Proposals are the types beyond RFC 9420 and the extensions of
	// Points that the client supports, for what it says of its capabilities.
	Extensions []message.ExtensionType
	Proposals  []message.ProposalType
	// Credentials are the credential types that the client supports; nil means
	// basic alone.
	Credentials []message.CredentialType
	// MaxLifetime is the longest lifetime of a KeyPackage (Section 7.2); 0
	// means [DefaultMaxLifetime].
	MaxLifetime time.Duration
	// IgnoreLifetime accepts leaves of others outside of their lifetime, which
	// Section 7.3 allows.
	IgnoreLifetime bool
	// PublicHandshake sends proposals and commits as PublicMessages, which a hub
	// can follow; else they are PrivateMessages.
	PublicHandshake bool
	// Padding returns how many zero bytes to add to a content of n bytes
	// (Section 6.3.1). Nil adds none.
	Padding func(n int) int
	// PastEpochs is how many epochs application messages may be late; 0 means
	// none are kept.
	PastEpochs int
	// ResumptionEpochs is how many epochs' resumption secrets are kept; 0 means
	// [DefaultResumptionEpochs].
	ResumptionEpochs int
	// MaxProposals and MaxProposalBytes are how many proposals of one sender, and how
	// many bytes of them, may wait for a Commit in an epoch; 0 means
	// [DefaultMaxProposals] and [DefaultMaxProposalBytes], less sets no limit. Each
	// member has a share of its own, this one too, and so has each external sender;
	// all who propose to join have one together. So none takes the room of another,
	// and all who see the proposals of a sender in one order keep the same of them.
	//
	// A member who refused what others keep can't follow the Commit that covers it
	// ([CheckReference]): all members of a group are to have the same limits, and its
	// hub the same or lower ones, and a hub passes on nothing that it refused.
	MaxProposals     int
	MaxProposalBytes int
	// Limits bound out-of-order messages.
	Limits schedule.Limits
	// Shared lets members of one group in one process share public state and the
	// checks of it. Nil shares nothing.
	Shared *Shared
}

// Defaults of [Config].
const (
	DefaultMaxLifetime      = 366 * 24 * time.Hour
	DefaultResumptionEpochs = 8
	DefaultMaxProposals     = 256
	DefaultMaxProposalBytes = 1 << 20
)

func (c *Config) points() *message.CodePoints {
	if c.Points == nil {
		return &message.DefaultCodePoints
	}
	return c.Points
}

func (c *Config) maxLifetime() time.Duration {
	if c.MaxLifetime == 0 {
		return DefaultMaxLifetime
	}
	return c.MaxLifetime
}

func (c *Config) resumptionEpochs() int {
	if c.ResumptionEpochs == 0 {
		return DefaultResumptionEpochs
	}
	return c.ResumptionEpochs
}

func (c *Config) maxProposals() int {
	if c.MaxProposals == 0 {
		return DefaultMaxProposals
	}
	return c.MaxProposals
}

func (c *Config) maxProposalBytes() int {
	if c.MaxProposalBytes == 0 {
		return DefaultMaxProposalBytes
	}
	return c.MaxProposalBytes
}

func (c *Config) check() error {
	if c == nil {
		return wanting("a Config")
	}
	if c.Suite == nil {
		return fmt.Errorf("mls: Config has no Suite")
	}
	return nil
}

// Where says in which role a credential appears.
type Where struct {
	Now     time.Time
	GroupID []byte            // nil for a KeyPackage outside of a group
	Leaf    *message.LeafNode // nil for an external sender
	// Replaces is the leaf that Leaf takes the place of, nil if none.
	Replaces *message.LeafNode
}

// Authenticate checks that a credential vouches for a signature key and, if
// w.Replaces is set, that it may succeed that leaf's (RFC 9420, Section 5.3.1).
type Authenticate func(c *message.Credential, signatureKey []byte, w Where) error

func (c *Config) authenticate(cred *message.Credential, key []byte, w Where) error {
	if c.Authenticate != nil {
		return c.Authenticate(cred, key, w)
	}
	if cred.Type != message.CredentialBasic {
		return fmt.Errorf("credential of type %v, and only basic ones are accepted", cred.Type)
	}
	if r := w.Replaces; r != nil && (r.Credential.Type != cred.Type || !bytes.Equal(r.Credential.Identity, cred.Identity)) {
		return fmt.Errorf("credential of %q, which is to succeed that of %q", cred.Identity, r.Credential.Identity)
	}
	return nil
}

// Component is a part of an application that keeps data in a group
// (draft-ietf-mls-extensions-10). Functions may be nil: then what they would take is
// refused.
type Component struct {
	// SafeAAD says that the component has items in the authenticated data of
	// messages (Safe Additional Authenticated Data).
	SafeAAD bool
	// Update returns the component's new data, given the old (nil if none) and
	// the updates of one Commit in their order.
	Update func(old []byte, updates [][]byte) ([]byte, error)
	// Ephemeral takes the data of an AppEphemeral proposal.
	Ephemeral func(data []byte) error
}

// Capabilities returns what a client with this configuration supports, for its
// leaves (RFC 9420, Section 7.2).
func (c *Config) Capabilities() message.Capabilities {
	p := c.points()
	caps := message.Capabilities{
		Versions:    []message.ProtocolVersion{message.MLS10},
		Suites:      []suite.ID{c.Suite.ID()},
		Proposals:   []message.ProposalType{p.SelfRemove},
		Extensions:  []message.ExtensionType{p.SupportedWireFormats, p.RequiredWireFormats},
		Credentials: c.Credentials,
	}
	if c.Components != nil || c.MediaTypes != nil {
		caps.Proposals = append(caps.Proposals, p.AppDataUpdate, p.AppEphemeral)
		caps.Extensions = append(caps.Extensions, p.AppDataDictionary)
	}
	caps.Proposals = append(caps.Proposals, c.Proposals...)
	caps.Extensions = append(caps.Extensions, c.Extensions...)
	if caps.Credentials == nil {
		caps.Credentials = []message.CredentialType{message.CredentialBasic}
	}
	return caps
}

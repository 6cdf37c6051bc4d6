// Package schedule is the key schedule and the secret tree of MLS (RFC 9420,
// Sections 8 and 9, https://www.rfc-editor.org/rfc/rfc9420), the exporter tree of
// draft-ietf-mls-extensions-10 and the protection of messages with what they give
// (RFC 9420, Section 6.3).
//
//	init_secret ─┐
//	             ├─ JoinerSecret ─┬─ MemberSecret ─┬─ WelcomeKey
//	commit_secret┘     psk_secret ┘                └─ NewEpoch ─┬─ SecretTree ── Protect, Unprotect
//	                                                            ├─ ExporterTree
//	                                                            ├─ Export, ExternalKeyPair, ...
//	                                                            └─ Init, of the next epoch
//
// The functions are the arrows of that picture: they take secrets and give secrets,
// which belong to the caller, who overwrites them when they are consumed (Section
// 9.2). What has state, [SecretTree] and [ExporterTree], deletes by itself. Nothing
// here prints a secret.
//
// The package knows no group: whether a leaf is a member, and whether what a
// message says is allowed, is for package mls to say.
package schedule

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// JoinerSecret returns the joiner_secret of an epoch (RFC 9420, Section 8).
// context is the GroupContext of that epoch as it is encoded, initSecret that of
// the epoch before.
func JoinerSecret(s suite.Suite, initSecret, commitSecret, context []byte) []byte {
	b := s.Extract(initSecret, commitSecret)
	defer clear(b)
	return labeled.Expand(s, b, "joiner", context, s.ID().Sizes().Hash)
}

// MemberSecret returns what the joiner_secret and the psk_secret give: the secret
// without a name from which welcome_secret and epoch_secret come (RFC 9420,
// Section 8).
func MemberSecret(s suite.Suite, joinerSecret, pskSecret []byte) []byte {
	return s.Extract(joinerSecret, pskSecret)
}

// WelcomeSecret returns the welcome_secret (RFC 9420, Section 8). member is of
// [MemberSecret].
func WelcomeSecret(s suite.Suite, member []byte) []byte {
	return labeled.DeriveSecret(s, member, "welcome")
}

// WelcomeKey returns what the GroupInfo of a Welcome is encrypted with (RFC 9420,
// Section 12.4.3.1). member is of [MemberSecret].
func WelcomeKey(s suite.Suite, member []byte) (key, nonce []byte) {
	secret := WelcomeSecret(s, member)
	defer clear(secret)
	size := s.ID().Sizes()
	return labeled.Expand(s, secret, "key", nil, size.AEADKey), labeled.Expand(s, secret, "nonce", nil, size.AEADNonce)
}

// Epoch holds the secrets of an epoch that its epoch_secret gives (RFC 9420,
// Section 8, Table 4; draft-ietf-mls-extensions-10, Exported Secrets). Each has the
// size of the suite's hash. It never prints them.
type Epoch struct {
	SenderData        []byte // sender_data_secret
	Encryption        []byte // encryption_secret, the root of the SecretTree
	Exporter          []byte // exporter_secret
	External          []byte // external_secret
	Confirmation      []byte // confirmation_key
	Membership        []byte // membership_key
	Resumption        []byte // resumption_psk
	Authenticator     []byte // epoch_authenticator
	Init              []byte // init_secret, for the next epoch
	ApplicationExport []byte // application_export_secret, the root of the ExporterTree
}

// NewEpoch returns the secrets of the epoch whose GroupContext is context, as it is
// encoded. member is of [MemberSecret].
func NewEpoch(s suite.Suite, member, context []byte) *Epoch {
	secret := labeled.Expand(s, member, "epoch", context, s.ID().Sizes().Hash)
	defer clear(secret)
	return EpochOf(s, secret)
}

// EpochOf returns the secrets that an epoch_secret gives. It is for a group's
// creator, who draws the first one (RFC 9420, Section 11); all others come by
// [NewEpoch].
func EpochOf(s suite.Suite, epochSecret []byte) *Epoch {
	derive := func(label string) []byte { return labeled.DeriveSecret(s, epochSecret, label) }
	return &Epoch{
		SenderData:        derive("sender data"),
		Encryption:        derive("encryption"),
		Exporter:          derive("exporter"),
		External:          derive("external"),
		Confirmation:      derive("confirm"),
		Membership:        derive("membership"),
		Resumption:        derive("resumption"),
		Authenticator:     derive("authentication"),
		Init:              derive("init"),
		ApplicationExport: derive("application_export"),
	}
}

// Wipe overwrites the secrets.
func (e *Epoch) Wipe() {
	for _, b := range [][]byte{e.SenderData, e.Encryption, e.Exporter, e.External, e.Confirmation,
		e.Membership, e.Resumption, e.Authenticator, e.Init, e.ApplicationExport} {
		clear(b)
	}
	*e = Epoch{}
}

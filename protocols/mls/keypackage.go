package mls

import (
	"bytes"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Identity is who a client is: its credential and the key that it signs with.
type Identity struct {
	Credential message.Credential
	Signer     suite.KeyPair
}

// NewIdentity returns an identity with a basic credential and a fresh key.
func NewIdentity(s suite.Suite, name []byte) (*Identity, error) {
	signer, err := s.GenerateSigner()
	if err != nil {
		return nil, fmt.Errorf("mls: signature key: %w", err)
	}
	return &Identity{message.BasicCredential(name), signer}, nil
}

// LeafOptions say what a leaf is to hold besides keys and credential. The zero
// value is a leaf with [Config.Capabilities] and no extensions.
type LeafOptions struct {
	Capabilities *message.Capabilities // nil means those of the Config
	Extensions   message.Extensions
	Lifetime     message.Lifetime // of a KeyPackage; zero means the 30 days from now on and, for clocks that differ, the day before
	// KeyPackage are extensions of the KeyPackage itself.
	KeyPackage message.Extensions
	// LastResort marks a KeyPackage that may be used more than once
	// (draft-ietf-mls-extensions-10, Last-Resort KeyPackages). It takes a client
	// with Components.
	LastResort bool
	// GREASE adds values that others have to ignore (RFC 9420, Section 13.5).
	GREASE bool
}

// How long a KeyPackage is valid that was made without a lifetime: from clockSkew
// before now, for clocks that differ, and for defaultLifetime after.
const (
	defaultLifetime = 30 * 24 * time.Hour
	clockSkew       = 24 * time.Hour
)

// lifetime returns the lifetime of a leaf that is made now.
func (o *LeafOptions) lifetime(now time.Time) message.Lifetime {
	if o.Lifetime != (message.Lifetime{}) {
		return o.Lifetime
	}
	return message.Lifetime{
		NotBefore: uint64(max(0, now.Add(-clockSkew).Unix())),
		NotAfter:  uint64(max(0, now.Add(defaultLifetime).Unix())),
	}
}

// leaf returns a LeafNode without source and signature.
func (c *Config) leaf(id *Identity, key []byte, o *LeafOptions) (*message.LeafNode, error) {
	l := &message.LeafNode{
		EncryptionKey: key,
		SignatureKey:  id.Signer.Public,
		Credential:    id.Credential,
		Extensions:    o.Extensions,
	}
	if o.Capabilities != nil {
		l.Capabilities = *o.Capabilities
	} else {
		l.Capabilities = c.Capabilities()
	}
	var unknown message.ComponentID
	if o.GREASE {
		var err error
		if unknown, err = c.grease(l); err != nil {
			return nil, err
		}
	}
	return l, c.addComponents(l, unknown)
}

// grease adds one GREASE value to each list that may hold some, and returns one for
// components.
func (c *Config) grease(l *message.LeafNode) (message.ComponentID, error) {
	var b [5]byte
	if _, err := c.Suite.Rand().Read(b[:]); err != nil {
		return 0, fmt.Errorf("mls: grease: %w", err)
	}
	value := func(i int) uint16 { return 0x0a0a + 0x1010*uint16(b[i]%15) }
	caps := &l.Capabilities
	caps.Suites = append(caps.Suites[:len(caps.Suites):len(caps.Suites)], suite.ID(value(0)))
	caps.Extensions = append(caps.Extensions[:len(caps.Extensions):len(caps.Extensions)], message.ExtensionType(value(1)))
	caps.Proposals = append(caps.Proposals[:len(caps.Proposals):len(caps.Proposals)], message.ProposalType(value(2)))
	caps.Credentials = append(caps.Credentials[:len(caps.Credentials):len(caps.Credentials)], message.CredentialType(value(3)))
	l.Extensions = l.Extensions.With(message.ExtensionType(value(1)), b[4:])
	return message.ComponentID(0x0a0a + 0x1010*uint16(b[4]%8)), nil // those below the private ones
}

// KeyPackage is a client's own KeyPackage with its private keys.
type KeyPackage struct {
	Public message.KeyPackage
	Ref    message.KeyPackageRef
	Init   suite.KeyPair
	Leaf   suite.KeyPair
	Signer suite.KeyPair
}

// NewKeyPackage makes a KeyPackage that is valid now, for as long as o.Lifetime says.
func (c *Config) NewKeyPackage(now time.Time, id *Identity, o LeafOptions) (*KeyPackage, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if id == nil {
		return nil, wanting("an identity")
	}
	k := &KeyPackage{Signer: id.Signer}
	var err error
	if k.Init, err = c.Suite.GenerateKeyPair(); err != nil {
		return nil, fmt.Errorf("mls: init key: %w", err)
	}
	if k.Leaf, err = c.Suite.GenerateKeyPair(); err != nil {
		return nil, fmt.Errorf("mls: encryption key: %w", err)
	}
	leaf, err := c.leaf(id, k.Leaf.Public, &o)
	if err != nil {
		return nil, err
	}
	leaf.Source = message.SourceKeyPackage
	leaf.Lifetime = o.lifetime(now)
	if err := leaf.Sign(c.Suite, id.Signer.Private, nil, 0); err != nil {
		return nil, fmt.Errorf("mls: leaf: %w", err)
	}
	k.Public = message.KeyPackage{
		Version: message.MLS10, Suite: c.Suite.ID(), InitKey: k.Init.Public, LeafNode: *leaf, Extensions: o.KeyPackage,
	}
	if o.LastResort {
		if err := c.markLastResort(&k.Public); err != nil {
			return nil, err
		}
	}
	if err := k.Public.Sign(c.Suite, id.Signer.Private); err != nil {
		return nil, fmt.Errorf("mls: KeyPackage: %w", err)
	}
	k.Ref, err = k.Public.Ref(c.Suite)
	return k, err
}

// markLastResort adds the last_resort_key_package component.
func (c *Config) markLastResort(k *message.KeyPackage) error {
	if !k.LeafNode.Capabilities.SupportsExtension(c.points().AppDataDictionary) {
		return fmt.Errorf("mls: a last-resort KeyPackage of a client that does not support app_data_dictionary")
	}
	d, err := c.dictionary(k.Extensions)
	if err != nil {
		return err
	}
	data, err := wire.Marshal(d.With(c.points().LastResortKeyPackage, []byte{}))
	if err != nil {
		return fmt.Errorf("mls: app_data_dictionary: %w", err)
	}
	k.Extensions = k.Extensions.With(c.points().AppDataDictionary, data)
	return nil
}

// IsLastResort reports whether a KeyPackage may be used more than once.
func (c *Config) IsLastResort(k *message.KeyPackage) bool {
	d, err := c.dictionary(k.Extensions)
	if err != nil {
		return false
	}
	_, ok := d.Find(c.points().LastResortKeyPackage)
	return ok
}

// Message returns the KeyPackage as an MLSMessage, for a server to hand out.
func (k *KeyPackage) Message() ([]byte, error) {
	return wire.Marshal(&message.Message{KeyPackage: &k.Public})
}

// keyPackageVersion is that of a stored KeyPackage.
const keyPackageVersion = 1

// Marshal returns the KeyPackage with its private keys, for a store that keeps it
// secret:
//
//	struct {
//	    uint8 version = 1;
//	    KeyPackage public;
//	    opaque init<V>, leaf<V>, signer<V>; // private keys
//	} StoredKeyPackage;
func (k *KeyPackage) Marshal() ([]byte, error) {
	w := wire.NewWriter(nil)
	w.Uint8(keyPackageVersion)
	k.Public.MarshalTLS(w)
	for _, private := range []suite.PrivateKey{k.Init.Private, k.Leaf.Private, k.Signer.Private} {
		w.Opaque(private)
	}
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("mls: storing a KeyPackage: %w", err)
	}
	return b, nil
}

// UnmarshalKeyPackage returns the KeyPackage that Marshal stored. That the private
// keys are those of the public ones is checked for the signer alone, which is all
// that costs little. Errors wrap [ErrState].
func (c *Config) UnmarshalKeyPackage(b []byte) (*KeyPackage, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	k := new(KeyPackage)
	r := wire.NewReader(bytes.Clone(b))
	if version := r.Uint8(); r.Err() == nil && version != keyPackageVersion {
		r.Fail(fmt.Errorf("version %d, want %d", version, keyPackageVersion))
	}
	k.Public.UnmarshalTLS(r)
	k.Init = suite.KeyPair{Private: r.Opaque(), Public: k.Public.InitKey}
	k.Leaf = suite.KeyPair{Private: r.Opaque(), Public: k.Public.LeafNode.EncryptionKey}
	k.Signer = suite.KeyPair{Private: r.Opaque(), Public: k.Public.LeafNode.SignatureKey}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: KeyPackage: %w", ErrState, err)
	}
	if k.Public.Suite != c.Suite.ID() {
		return nil, fmt.Errorf("%w: KeyPackage of suite %d, want %d", ErrState, k.Public.Suite, c.Suite.ID())
	}
	public, err := c.Suite.SignerPublicKey(k.Signer.Private)
	if err != nil || !bytes.Equal(public, k.Signer.Public) {
		return nil, fmt.Errorf("%w: KeyPackage with another signer's private key", ErrState)
	}
	if k.Ref, err = k.Public.Ref(c.Suite); err != nil {
		return nil, fmt.Errorf("%w: KeyPackage: %w", ErrState, err)
	}
	return k, nil
}

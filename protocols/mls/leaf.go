package mls

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// place says where a LeafNode appears.
type place struct {
	what     string // for errors: "leaf 3", "KeyPackage of an Add"
	source   message.LeafNodeSource
	any      bool // any source will do: the leaf stands in a tree
	now      time.Time
	groupID  []byte
	index    tree.LeafIndex    // where it is or will be, for the signature
	replaces *message.LeafNode // the leaf it takes the place of, nil if none
	needs    *needs            // of the GroupContext, nil without a group
}

// checkLeaf checks what can be said of a LeafNode by itself and the GroupContext
// (RFC 9420, Section 7.3); uniqueness and what other members support is for
// checkTree. Its signature is added to sigs unless that is nil.
func (c *Config) checkLeaf(l *message.LeafNode, p place, sigs *signatures) error {
	caps := &l.Capabilities
	if !p.any && l.Source != p.source { // 7.3-7
		return fail(CheckLeafSource, "%s has leaf_node_source %v, want %v", p.what, l.Source, p.source)
	}
	if err := c.checkLeafKeys(l, p.what); err != nil {
		return err
	}
	if !slices.Contains(caps.Versions, message.MLS10) || !slices.Contains(caps.Suites, c.Suite.ID()) { // 11.1-1
		return fail(CheckLeafSuite, "%s does not support mls10 with suite %d", p.what, c.Suite.ID())
	}
	if !caps.SupportsCredential(l.Credential.Type) { // 7.2-1
		return fail(CheckCapabilitiesOwn, "%s has a credential of type %v, which its capabilities lack", p.what, l.Credential.Type)
	}
	if err := checkExtensionList(p.what, l.Extensions); err != nil {
		return err
	}
	supported := newTypeSet(caps.Extensions)
	for _, e := range l.Extensions { // 7.3-6
		if !e.Type.IsDefault() && !supported.has(e.Type) {
			return fail(CheckLeafExtensions, "%s has extension %v, which its capabilities lack", p.what, e.Type)
		}
	}
	if err := c.checkDictionary(p.what, l.Extensions); err != nil {
		return err
	}
	if err := c.checkSupport(l, p); err != nil {
		return err
	}
	if err := c.checkLifetime(l, p); err != nil {
		return err
	}
	if p.replaces != nil && bytes.Equal(l.EncryptionKey, p.replaces.EncryptionKey) { // 7.3-8
		return fail(CheckLeafUpdated, "%s has the encryption_key of the leaf it replaces", p.what)
	}
	w := Where{Now: p.now, GroupID: p.groupID, Leaf: l, Replaces: p.replaces}
	if err := c.authenticate(&l.Credential, l.SignatureKey, w); err != nil { // 7.3-1
		return fail(CheckLeafCredential, "%s: %w", p.what, err)
	}
	if sigs == nil {
		return nil
	}
	tbs, err := l.TBS(p.groupID, uint32(p.index))
	if err != nil {
		return fail(CheckLeafSignature, "%s: %w", p.what, err)
	}
	sigs.add(CheckLeafSignature, p.what, l.SignatureKey, message.LabelLeafNode, tbs, l.Signature) // 7.3-2
	return nil
}

// checkLeafKeys checks that a leaf's keys are keys of the suite. One that nobody can
// encrypt to would keep all others from committing with a path (RFC 9180, Section
// 7.1.4). Whether a signature_key is a point of its curve shows when it is used.
func (c *Config) checkLeafKeys(l *message.LeafNode, what string) error {
	size := c.Suite.ID().Sizes()
	if err := suite.CheckPublicKey(c.Suite, l.EncryptionKey); err != nil { // 5.1.1-1
		return fail(CheckKey, "%s has a bad encryption_key: %w", what, err)
	}
	if len(l.SignatureKey) != size.SignPublic { // 5.1.1-1
		return fail(CheckKey, "%s has a signature_key of %d bytes, want %d", what, len(l.SignatureKey), size.SignPublic)
	}
	return nil
}

// checkSupport checks that a leaf supports what the GroupContext asks for
// (Sections 7.3, 13.4; draft-ietf-mls-extensions-10).
func (c *Config) checkSupport(l *message.LeafNode, p place) error {
	n := p.needs
	if n == nil {
		return nil
	}
	if n.err != nil {
		return n.err
	}
	extensions := newTypeSet(l.Capabilities.Extensions)
	for _, e := range n.context { // 13.4, second rule on GroupContext extensions
		if !e.Type.IsDefault() && !extensions.has(e.Type) {
			return fail(CheckLeafRequired, "%s does not support extension %v of the GroupContext", p.what, e.Type)
		}
	}
	req := &n.required
	for _, t := range req.Extensions { // 7.3-3
		if !t.IsDefault() && !extensions.has(t) {
			return fail(CheckLeafRequired, "%s does not support extension %v, which is required", p.what, t)
		}
	}
	proposals := newTypeSet(l.Capabilities.Proposals)
	for _, t := range req.Proposals {
		if !t.IsDefault() && !proposals.has(t) {
			return fail(CheckLeafRequired, "%s does not support proposal %v, which is required", p.what, t)
		}
	}
	credentials := newTypeSet(l.Capabilities.Credentials)
	for _, t := range req.Credentials {
		if !credentials.has(t) {
			return fail(CheckLeafRequired, "%s does not support credential %v, which is required", p.what, t)
		}
	}
	return c.checkLists(l, p)
}

// checkLifetime checks a lifetime, which leaves from KeyPackages have.
func (c *Config) checkLifetime(l *message.LeafNode, p place) error {
	if l.Source != message.SourceKeyPackage {
		return nil
	}
	t := l.Lifetime
	if most := c.maxLifetime(); most > 0 && (t.NotAfter < t.NotBefore || t.NotAfter-t.NotBefore > uint64(most/time.Second)) { // 7.2-2
		return fail(CheckLifetimeRange, "%s has a lifetime from %s to %s, want %v at most", p.what, utc(t.NotBefore), utc(t.NotAfter), most)
	}
	if !c.IgnoreLifetime && !t.Includes(p.now) { // 7.3-5
		return fail(CheckLeafLifetime, "%s has a lifetime from %s to %s, it is %s", p.what, utc(t.NotBefore), utc(t.NotAfter), p.now.UTC().Format(time.RFC3339))
	}
	return nil
}

// utc writes a time of a Lifetime, and one that no calendar has room for in the seconds
// since 1970 that it is made of.
func utc(seconds uint64) string {
	if seconds > uint64(lastTime) {
		return fmt.Sprintf("second %d", seconds)
	}
	return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339)
}

// lastTime is the end of the year 9999, the last that RFC 3339 can write.
const lastTime = 253402300799

// checkKeyPackage checks a KeyPackage for an Add (Section 10.1) and adds its
// signatures to sigs.
func (c *Config) checkKeyPackage(k *message.KeyPackage, p place, sigs *signatures) error {
	if k.Version != message.MLS10 || k.Suite != c.Suite.ID() { // 10.1-1
		return fail(CheckKeyPackageSuite, "%s has version %d and suite %d, want %d and %d", p.what, k.Version, k.Suite, message.MLS10, c.Suite.ID())
	}
	p.source = message.SourceKeyPackage
	if err := c.checkLeaf(&k.LeafNode, p, sigs); err != nil {
		return err
	}
	if err := checkExtensionList(p.what, k.Extensions); err != nil {
		return err
	}
	supported := newTypeSet(k.LeafNode.Capabilities.Extensions)
	for _, e := range k.Extensions { // 10-1
		if !e.Type.IsDefault() && !supported.has(e.Type) {
			return fail(CheckKeyPackageExtensions, "%s has extension %v, which its capabilities lack", p.what, e.Type)
		}
	}
	if err := c.checkDictionary(p.what, k.Extensions); err != nil {
		return err
	}
	if bytes.Equal(k.InitKey, k.LeafNode.EncryptionKey) { // 10.1-3
		return fail(CheckKeyPackageInitKey, "%s has the same init_key and encryption_key", p.what)
	}
	if err := suite.CheckPublicKey(c.Suite, k.InitKey); err != nil { // 5.1.1-1
		return fail(CheckKey, "%s has a bad init_key: %w", p.what, err)
	}
	tbs, err := k.TBS()
	if err != nil {
		return fail(CheckKeyPackageSignature, "%s: %w", p.what, err)
	}
	sigs.add(CheckKeyPackageSignature, p.what, k.LeafNode.SignatureKey, message.LabelKeyPackage, tbs, k.Signature) // 10.1-2
	return nil
}

// CheckKeyPackage checks a KeyPackage as one that was fetched to be added to a
// group (Section 10.1). A group checks it again against what its members support.
func (c *Config) CheckKeyPackage(now time.Time, k *message.KeyPackage) error {
	var sigs signatures
	if err := c.checkKeyPackage(k, place{what: "KeyPackage", now: now}, &sigs); err != nil {
		return err
	}
	return sigs.verify(c.Suite)
}

// checkExtensionList checks that a list has each type once (Section 13.4).
func checkExtensionList(what string, list message.Extensions) error {
	var seen typeSet[message.ExtensionType]
	for _, e := range list {
		if !seen.add(e.Type) { // 13.4-1
			return fail(CheckExtensionTwice, "%s has extension %v twice", what, e.Type)
		}
	}
	return nil
}

// checkContextExtensions checks extensions that a GroupContext has: each once, and
// those that this package knows well-formed.
func (c *Config) checkContextExtensions(list message.Extensions) error {
	const what = "GroupContext"
	if err := checkExtensionList(what, list); err != nil {
		return err
	}
	if _, err := externalSenders(list); err != nil {
		return err
	}
	return c.needsOf(list).err
}

// checkNewContext is checkContextExtensions for what comes from others: external
// senders are authenticated whenever the extension is added or updated (Section
// 5.3.1).
func (c *Config) checkNewContext(now time.Time, groupID []byte, list message.Extensions) error {
	if err := c.checkContextExtensions(list); err != nil {
		return err
	}
	senders, err := externalSenders(list)
	if err != nil {
		return err
	}
	w := Where{Now: now, GroupID: groupID}
	for i := range senders {
		e := &senders[i]
		if want := c.Suite.ID().Sizes().SignPublic; len(e.SignatureKey) != want { // 5.1.1-1
			return fail(CheckKey, "external sender %d has a signature_key of %d bytes, want %d", i, len(e.SignatureKey), want)
		}
		if err := c.authenticate(&e.Credential, e.SignatureKey, w); err != nil { // 5.3.1-1
			return fail(CheckExternalCredential, "external sender %d: %w", i, err)
		}
	}
	return nil
}

// externalSenders returns the external_senders of a GroupContext, nil if it has
// none (Section 12.1.8.1).
func externalSenders(list message.Extensions) (senders message.ExternalSenders, err error) {
	if data, ok := list.Find(message.ExtensionExternalSenders); ok {
		if err := wire.Unmarshal(data, &senders); err != nil { // 12.1.8-2
			return nil, fail(CheckExternalSender, "external_senders: %w", err)
		}
	}
	return senders, nil
}

// leafName names a leaf for errors.
func leafName(i tree.LeafIndex) string { return fmt.Sprintf("leaf %d", i) }

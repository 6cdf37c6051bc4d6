//go:build !nogpl

package v3

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"go.mau.fi/libsignal/ecc"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// restore reads the client back from its records, each of which it checks.
func (c *client) restore(records []protocols.Record) error {
	for _, r := range records {
		if r.Value == nil {
			delete(c.store.records, r.Key)
		} else {
			c.store.records[r.Key] = bytes.Clone(r.Value)
		}
	}
	var err error
	if c.self, c.preKeys, err = decodeLocal(c.store.records[localKey], c.address); err != nil {
		return wrap(protocols.ErrState, err)
	}
	for _, id := range []uint32{c.preKeys.signed, c.preKeys.previous} {
		if id != 0 && c.store.records[signedKey(id)] == nil {
			return fmt.Errorf("%w: signed prekey %d is missing", protocols.ErrState, id)
		}
	}
	for key, value := range c.store.records {
		if err := c.check(key, value); err != nil {
			return fmt.Errorf("%w: record %q: %w", protocols.ErrState, key, err)
		}
	}
	return nil
}

// check reads one record.
func (c *client) check(key string, value []byte) error {
	if key == localKey {
		return nil // read already
	}
	kind, name, _ := strings.Cut(key, "/")
	switch kind + "/" {
	case signedPrefix:
		return c.checkSigned(key, value)
	case oneTimePrefix:
		if _, ok := parseID(key, oneTimePrefix); !ok {
			return fmt.Errorf("%w: key", errRecord)
		}
		_, err := decodeOneTime(value)
		return err
	}
	for part := range strings.SplitSeq(name, "/") {
		if plain, err := url.PathUnescape(part); err != nil || url.PathEscape(plain) != part {
			return fmt.Errorf("%w: key", errRecord)
		}
	}
	group, _, nested := strings.Cut(name, "/")
	if nested != (kind+"/" == senderPrefix) {
		return fmt.Errorf("%w: key", errRecord)
	}
	switch kind + "/" {
	case sessionPrefix:
		return c.checkSession(name, value)
	case identityPrefix:
		if len(value) != 33 || value[0] != recordVersion {
			return fmt.Errorf("%w: identity", errRecord)
		}
		return nil
	}
	if c.store.records[groupPrefix+group] == nil {
		return fmt.Errorf("%w: group is missing, or kind is unknown", errRecord)
	}
	switch kind + "/" {
	case groupPrefix:
		_, err := decodeRoster(value)
		return err
	case ownKeyPrefix:
		return checkSenderKeys(value, true)
	case senderPrefix:
		return checkSenderKeys(value, false)
	}
	return fmt.Errorf("%w: kind is unknown", errRecord)
}

func (c *client) checkSigned(key string, value []byte) error {
	id, ok := parseID(key, signedPrefix)
	if !ok || id != c.preKeys.signed && id != c.preKeys.previous {
		return fmt.Errorf("%w: signed prekey is not in use", errRecord)
	}
	k, err := decodeSigned(value)
	if err != nil {
		return err
	}
	priv := private(k.pair)
	if public(ecc.CreateKeyPair(priv[:])) != public(k.pair) {
		return fmt.Errorf("%w: signed prekey's public key is not its private one's", errRecord)
	}
	return nil
}

func (c *client) checkSession(name string, value []byte) error {
	if c.store.records[identityPrefix+name] == nil {
		return fmt.Errorf("%w: session without identity", errRecord)
	}
	states, err := decodeSession(value)
	if err != nil {
		return err
	}
	for _, encoded := range states {
		state, _, err := decodeState(encoded)
		if err != nil {
			return err
		}
		if state.LocalIdentityKey().PublicKey().PublicKey() != public(c.self.identity) {
			return fmt.Errorf("%w: session of another identity", errRecord)
		}
	}
	return nil
}

// checkSenderKeys reads sender keys; only the client's own one has its private
// key.
func checkSenderKeys(value []byte, own bool) error {
	keys, err := decodeSenderKeys(value)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if (k.signing.PrivateKey() != nil) != own {
			return fmt.Errorf("%w: sender key of the wrong side", errRecord)
		}
	}
	return nil
}

package serve

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// What the records of the store begin with, by whose they are.
const (
	hubPrefix      = "hub/"
	followerPrefix = "follower/"
	keysKey        = "serve/keys"
)

// keys are the provider's own secrets. They are made at its first start and kept in
// its store: rooms name the public ones for as long as they last.
type keys struct {
	Suite    suite.ID `json:"suite"`
	Signer   pair     `json:"signer"`   // of the hub's proposals and GroupInfoResponses
	Franking pair     `json:"franking"` // of the rooms' franking_agent
	FrankKey []byte   `json:"frank_key"`
	Gateway  pair     `json:"gateway"` // of the Oblivious HTTP gateway
}

// pair is a suite.KeyPair as it is stored.
type pair struct {
	Private []byte `json:"private"`
	Public  []byte `json:"public"`
}

func (p pair) keys() suite.KeyPair { return suite.KeyPair{Private: p.Private, Public: p.Public} }

// loadKeys returns the keys in the store, which it makes if there are none.
func loadKeys(ctx context.Context, s store.Store, c suite.Suite) (*keys, error) {
	var k *keys
	err := s.Load(ctx, keysKey, func(r protocols.Record) error {
		k = new(keys)
		return json.Unmarshal(r.Value, k)
	})
	if err != nil {
		return nil, fmt.Errorf("serve: keys of the provider: %w", err)
	}
	if k != nil {
		if k.Suite != c.ID() {
			return nil, fmt.Errorf("serve: the store's keys are of cipher suite %d, want %d", k.Suite, c.ID())
		}
		return k, nil
	}
	if k, err = newKeys(c); err != nil {
		return nil, fmt.Errorf("serve: making keys: %w", err)
	}
	b, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("serve: keys of the provider: %w", err)
	}
	if err := s.Commit(ctx, []protocols.Record{{Key: keysKey, Value: b}}); err != nil {
		return nil, fmt.Errorf("serve: keys of the provider: %w", err)
	}
	return k, nil
}

func newKeys(s suite.Suite) (*keys, error) {
	k := &keys{Suite: s.ID()}
	for _, p := range []struct {
		to   *pair
		make func() (suite.KeyPair, error)
	}{{&k.Signer, s.GenerateSigner}, {&k.Franking, s.GenerateSigner}, {&k.Gateway, s.GenerateKeyPair}} {
		made, err := p.make()
		if err != nil {
			return nil, err
		}
		*p.to = pair{made.Private, made.Public}
	}
	frank, err := mimi.NewHubKey(s)
	k.FrankKey = frank
	return k, err
}

// useKeys sets the keys that the hub's configuration leaves out.
func (c *Config) useKeys(k *keys) {
	if c.Hub.Identity == nil {
		c.Hub.Identity = &mls.Identity{Credential: message.BasicCredential([]byte("mimi://" + c.Domain)), Signer: k.Signer.keys()}
	}
	if c.Hub.Franking.Private == nil && len(c.Hub.FrankKeys) == 0 {
		c.Hub.Franking, c.Hub.FrankKeys = k.Franking.keys(), []mimi.HubKey{k.FrankKey}
	}
}

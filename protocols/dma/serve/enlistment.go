package serve

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// EnlistConfig is what a device needs to enlist its user. It is not modified.
type EnlistConfig struct {
	Base    string         // the enlistment server's URL, without a path: https://gatekeeper.example
	Roots   *x509.CertPool // who signs its certificate; nil means the system's
	Store   store.Store    // of the device
	Adapter protocols.Adapter
	Suite   suite.Suite
	// Identifier is what others find the user by, and Token the proof that the user owns it.
	Identifier, Token string
	// Native, if not "", registers a user of the gatekeeper's own at [RegisterPath], whose
	// identifier is the number, in place of a partner's.
	Native  ident.Server
	Names   enlist.Names
	Timeout time.Duration // default 30 s
}

// account is what a device's store knows of its account.
type account struct {
	Address ident.Address `json:"address"`
	Adapter string        `json:"adapter"`
	Private []byte        `json:"private"` // the static key of the chat channel
	Public  []byte        `json:"public"`
}

func (a *account) static() suite.KeyPair { return suite.KeyPair{Private: a.Private, Public: a.Public} }

// record returns the account as it is stored.
func (a *account) record() (protocols.Record, error) {
	b, err := json.Marshal(a)
	return protocols.Record{Key: accountKey, Value: b}, err
}

// loadAccount returns the account of a device's store, or nil.
func loadAccount(ctx context.Context, s store.Store) (*account, error) {
	var a *account
	err := s.Load(ctx, accountKey, func(r protocols.Record) error {
		a = new(account)
		return json.Unmarshal(r.Value, a)
	})
	if err != nil {
		return nil, fmt.Errorf("serve: the device's account: %w", err)
	}
	return a, nil
}

// Enlist makes a device of an empty store: it makes its keys, sends the form, and keeps
// what is needed to connect. A store with an account has the user enlisted anew, with the
// keys there are, or with others if the gatekeeper does not know the account any more. A
// gatekeeper's refusal is an enlist.Reason.
func Enlist(ctx context.Context, cfg EnlistConfig) (ident.Address, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(cfg.Timeout, 30*time.Second))
	defer cancel()
	a, err := loadAccount(ctx, cfg.Store)
	switch {
	case err != nil:
		return ident.Address{}, err
	case a == nil:
		return enlistNew(ctx, &cfg)
	}
	client, err := a.client(ctx, cfg.Store, cfg.Adapter, cfg.Suite)
	if err != nil {
		return ident.Address{}, err
	}
	km, err := client.Publish(time.Now(), 0)
	if err != nil {
		return ident.Address{}, fmt.Errorf("serve: enlist: %w", err)
	}
	addr, err := post(ctx, &cfg, a, km.Static)
	switch {
	case err != nil:
		return ident.Address{}, err
	case addr != a.Address:
		return enlistNew(ctx, &cfg) // the account before was deleted, and its sessions are of no use
	}
	return addr, keep(ctx, &cfg, a, client)
}

// enlistNew makes a device. Its end-to-end client has keys before it has an address, which
// it may be made for: so it is made twice, from the same random seed.
func enlistNew(ctx context.Context, cfg *EnlistConfig) (ident.Address, error) {
	a := &account{Adapter: cfg.Adapter.Name()}
	pair, err := cfg.Suite.GenerateKeyPair()
	if err != nil {
		return ident.Address{}, fmt.Errorf("serve: enlist: %w", err)
	}
	a.Private, a.Public = pair.Private, pair.Public
	var seed [32]byte
	if _, err := io.ReadFull(cfg.Suite.Rand(), seed[:]); err != nil {
		return ident.Address{}, fmt.Errorf("serve: enlist: %w", err)
	}
	now := time.Now()
	_, static, err := fromSeed(cfg, seed, "unnamed", now)
	if err != nil {
		return ident.Address{}, err
	}
	if a.Address, err = post(ctx, cfg, a, static); err != nil {
		return ident.Address{}, err
	}
	client, again, err := fromSeed(cfg, seed, protocols.Address(a.Address.String()), now)
	if err == nil && !bytes.Equal(static, again) {
		err = fmt.Errorf("serve: enlist: the keys of %s depend on the address, which is known only after them", cfg.Adapter.Name())
	}
	if err != nil {
		return ident.Address{}, err
	}
	return a.Address, keep(ctx, cfg, a, client)
}

// fromSeed makes an end-to-end client and what it publishes.
func fromSeed(cfg *EnlistConfig, seed [32]byte, address protocols.Address, now time.Time) (protocols.Client, []byte, error) {
	s, err := suite.NewSeeded(cfg.Suite.ID(), seed, "enlist")
	if err != nil {
		return nil, nil, fmt.Errorf("serve: enlist: %w", err)
	}
	client, err := cfg.Adapter.New(protocols.Config{Address: address, Suite: s})
	if err != nil {
		return nil, nil, fmt.Errorf("serve: enlist: %w", err)
	}
	km, err := client.Publish(now, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("serve: enlist: %w", err)
	}
	return client, km.Static, nil
}

// keep makes an account durable, in place of what the store has of another.
func keep(ctx context.Context, cfg *EnlistConfig, a *account, client protocols.Client) error {
	own, err := a.record()
	if err != nil {
		return fmt.Errorf("serve: enlist: %w", err)
	}
	before, err := store.LoadUnder(ctx, cfg.Store, machinePrefix)
	if err != nil {
		return err
	}
	if old, err := loadAccount(ctx, cfg.Store); err != nil || old != nil && old.Address == a.Address {
		before = nil
	}
	records := []protocols.Record{own}
	for _, r := range before {
		records = append(records, protocols.Record{Key: machinePrefix + r.Key})
	}
	for _, r := range client.State() {
		records = append(records, protocols.Record{Key: machinePrefix + dma.ClientPrefix + r.Key, Value: r.Value})
	}
	if err := cfg.Store.Commit(ctx, records); err != nil {
		return fmt.Errorf("serve: enlist: %w", err)
	}
	return nil
}

// client returns the end-to-end client of an account.
func (a *account) client(ctx context.Context, s store.Store, adapter protocols.Adapter, c suite.Suite) (protocols.Client, error) {
	if adapter.Name() != a.Adapter {
		return nil, fmt.Errorf("serve: the device speaks %s, not %s", a.Adapter, adapter.Name())
	}
	records, err := store.LoadUnder(ctx, s, machinePrefix)
	if err != nil {
		return nil, err
	}
	client, err := adapter.Restore(protocols.Config{Address: protocols.Address(a.Address.String()), Suite: c}, dma.ClientRecords(records))
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	return client, nil
}

// newForm fills a form with the keys of a device.
func newForm(cfg *EnlistConfig, a *account, static []byte) (*enlist.Form, error) {
	s, err := signal.ParseStatic(static)
	if err != nil {
		return nil, fmt.Errorf("serve: enlist: %s has other keys than Signal's, which the form is for: %w", cfg.Adapter.Name(), err)
	}
	return &enlist.Form{
		AuthKey: [32]byte(a.Public), RegistrationID: s.RegistrationID, Identity: s.IdentityKey,
		SignedPreKeyID: s.SignedPreKeyID, SignedPreKey: s.SignedPreKey, Signature: s.Signature,
		Token: cfg.Token, Identifier: cfg.Identifier, Version: enlist.Version,
	}, nil
}

// post sends a form and returns the account.
func post(ctx context.Context, cfg *EnlistConfig, a *account, static []byte) (ident.Address, error) {
	f, err := newForm(cfg, a, static)
	if err != nil {
		return ident.Address{}, err
	}
	body, err := cfg.Names.Encode(f)
	if err != nil {
		return ident.Address{}, err
	}
	path := enlist.Path
	if cfg.Native != "" {
		path = RegisterPath
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(cfg.Base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return ident.Address{}, fmt.Errorf("serve: enlist: %w", err)
	}
	req.Header.Set("Content-Type", enlist.ContentType)
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: cfg.Roots},
		DialContext:       (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		ForceAttemptHTTP2: true, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 32 << 10,
	}
	resp, err := (&http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		return ident.Address{}, fmt.Errorf("serve: enlist: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if cfg.Native != "" && resp.StatusCode == http.StatusNoContent {
		return ident.Address{User: f.Identifier, Server: cfg.Native}, nil
	}
	if resp.StatusCode != http.StatusOK {
		return ident.Address{}, fmt.Errorf("serve: enlist: status %d, want 200", resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, enlist.MaxAnswer+1))
	if err != nil {
		return ident.Address{}, fmt.Errorf("serve: enlist: %w", err)
	}
	answer, err := enlist.ParseAnswer(text)
	switch {
	case err != nil:
		return ident.Address{}, err
	case answer.Reason != "":
		return ident.Address{}, answer.Reason
	case cfg.Native != "":
		return ident.Address{}, errors.New("serve: enlist: an account of a partner's user, want a native one")
	}
	return answer.Login, nil
}

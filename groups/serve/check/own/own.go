// Package own runs a MIMI provider of this project that has all that package check can
// look at: a user with a device that consents and answers, one who refuses, a room with
// the checker's user among its participants, and an asset
// (draft-ietf-mimi-protocol-06, https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/).
//
// It is there to see what a run looks like, and for tests of what a run finds.
package own

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/groups/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// Config says where the provider is and who checks it. All but the functions is
// required.
type Config struct {
	Domain      string
	Certificate tls.Certificate
	Roots       *x509.CertPool
	Listener    net.Listener
	// Dial connects it to the checker's peers, by their domains.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Assets is the host of its asset, which is served at AssetListener.
	Assets           string
	AssetCertificate tls.Certificate
	AssetListener    net.Listener
	// Checkers are the domains of the checker's peers, and Name its users'.
	Checkers []string
	Name     string

	// Change is called with the provider's configuration before it starts, and Handler
	// with what answers its requests; nil changes nothing.
	Change  func(*serve.Config)
	Handler func(http.Handler) http.Handler
}

// Names of what there is.
const (
	user     = "bob"
	refusing = "rufus"
	handle   = "im:bob.builder"
	roomName = "clubhouse"
	asset    = "These are the bytes of an asset."
)

// Provider is a provider that runs.
type Provider struct {
	cfg    Config
	p      *serve.Provider
	device *device
	server *http.Server
	assets *http.Server
	room   ident.URI
	role   uint32 // of the checker's user there
}

// Start runs a provider until Close.
func Start(ctx context.Context, cfg Config) (*Provider, error) {
	p := &Provider{cfg: cfg}
	sc := serve.Config{
		Domain: cfg.Domain, Certificate: cfg.Certificate, Roots: cfg.Roots, Dial: cfg.Dial, Peers: map[string]serve.Peer{},
		Base: "https://" + cfg.Domain, Assets: []string{cfg.Assets}, PrivateAssets: true,
	}
	for _, c := range cfg.Checkers {
		sc.Peers[c] = serve.Peer{}
	}
	sc.Follower.NeedConsent = true
	sc.Hub.EpochTolerance = 1
	if cfg.Change != nil {
		cfg.Change(&sc)
	}
	var err error
	if p.p, err = serve.New(ctx, sc); err != nil {
		return nil, err
	}
	if err := p.furnish(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	h := p.p.Handler()
	if cfg.Handler != nil {
		h = cfg.Handler(h)
	}
	quiet := log.New(io.Discard, "", 0)
	p.server = &http.Server{Handler: h, TLSConfig: p.p.TLS(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, ErrorLog: quiet}
	go func() { _ = p.server.ServeTLS(cfg.Listener, "", "") }()
	mux := http.NewServeMux()
	mux.HandleFunc("/asset", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, asset) })
	p.assets = &http.Server{
		Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cfg.AssetCertificate}}, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet,
	}
	go func() { _ = p.assets.ServeTLS(cfg.AssetListener, "", "") }()
	return p, nil
}

// furnish makes what there is to look at.
func (p *Provider) furnish(ctx context.Context) error {
	uri := func(kind ident.Kind, segments ...string) ident.URI {
		u, err := ident.NewURI(kind, p.cfg.Domain, segments...)
		if err != nil {
			panic("own: invariant broken, the names are names: " + err.Error())
		}
		return u
	}
	field := follower.Field{Type: mimi.SearchHandle, Value: handle, Searchable: true}
	if err := p.p.AddUser(ctx, uri(ident.KindUser, user), follower.Profile{Fields: []follower.Field{field}}); err != nil {
		return err
	}
	if err := p.p.AddUser(ctx, uri(ident.KindUser, refusing), follower.Profile{}); err != nil {
		return err
	}
	var err error
	if p.device, err = newDevice(ctx, p.p, uri(ident.KindClient, user, "phone")); err != nil {
		return err
	}
	if _, err := newDevice(ctx, p.p, uri(ident.KindClient, refusing, "phone")); err != nil {
		return err
	}
	p.room = uri(ident.KindRoom, roomName)
	policy, _ := room.PolicyByName("administered")
	p.role = policy.Role("group_admin")
	checker, err := ident.NewURI(ident.KindUser, p.cfg.Checkers[0], p.cfg.Name)
	if err != nil {
		return err
	}
	return p.device.create(ctx, member.CreateRoom{
		Room: p.room, Policy: policy.Name, Metadata: room.RoomMetaData{Name: "Clubhouse"},
		Participants: []room.UserRolePair{{User: checker.String(), Role: p.role}},
		Hub:          p.p.HubSender(), FrankingAgent: p.p.FrankingAgent(),
	})
}

// Has sets what of a check's configuration the provider has.
func (p *Provider) Has(c *check.Config) error {
	var err error
	set := func(to *ident.URI, kind ident.Kind, name string) {
		u, e := ident.NewURI(kind, p.cfg.Domain, name)
		if *to = u; e != nil {
			err = e
		}
	}
	set(&c.User, ident.KindUser, user)
	set(&c.Refusing, ident.KindUser, refusing)
	set(&c.Room, ident.KindRoom, roomName)
	c.Domain, c.Name = p.cfg.Domain, p.cfg.Name
	c.Query = &mimi.QueryElement{SearchType: mimi.SearchHandle, SearchValue: handle}
	c.Asset = "https://" + p.cfg.Assets + "/asset"
	c.Wait = 10 * time.Second
	c.Waiting = func(u ident.URI) {
		go p.device.step(member.AddUser{Room: p.room, User: u, Role: p.role})
	}
	if err != nil {
		return fmt.Errorf("own: %w", err)
	}
	return nil
}

// Close stops the provider.
func (p *Provider) Close() error {
	var err error
	for _, s := range []*http.Server{p.server, p.assets} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return errors.Join(err, p.p.Close())
}

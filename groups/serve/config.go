package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Config is what a provider is. It is not modified.
type Config struct {
	// Domain is the provider's; required.
	Domain string
	// Base is the URL that the endpoints are below, as the directory says it; ""
	// means "https://" and the domain.
	Base string

	// Certificate authenticates the domain, to servers and to clients; required.
	Certificate tls.Certificate
	// Roots are the authorities that peers' certificates are verified by; nil means
	// the system's.
	Roots *x509.CertPool

	// Store is where the provider's state is, by a URL of [store/byurl]; "" means
	// "memory:". Opened, if not nil, is used in its place, and left open.
	Store  string
	Opened store.Store

	// Peers are the providers that this one speaks to, by their domains.
	Peers map[string]Peer
	// AnyPeer speaks to every provider whose certificate is good. Those that are not
	// in Peers are found by their domains, at public addresses alone.
	AnyPeer bool
	// Assets are the hosts of this provider's own assets.
	Assets []string
	// PrivateAssets lets assets be fetched from addresses that are not public, for
	// tests and demonstrations.
	PrivateAssets bool
	// Dial makes connections in place of the network; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Suite is that of the rooms and of all cryptography; nil means the standard
	// one, X25519 with AES-128-GCM, SHA-256 and Ed25519.
	Suite suite.Suite
	// Hub and Follower decide what is theirs to decide. What they leave out is set:
	// domain, groups, keys and peers' asset domains.
	Hub      hub.Config
	Follower follower.Config

	Limits Limits
	// Reported is called with each abuse report that the hub has accepted, one at a
	// time; nil means that reports are counted and dropped.
	Reported func(*hub.Report)
	// Logger is told what happens, without content, names of users or secrets; nil
	// discards it.
	Logger *slog.Logger
}

// Peer is another provider.
type Peer struct {
	// Address is where it is reached, host and port; "" means what its URLs say.
	Address string
	// Hosts are those that its directory may name besides its domain (deviation 29
	// of protocols/mimi).
	Hosts []string
	// Assets are the hosts that hold its assets.
	Assets []string
}

// Limits are bounds of this implementation; zero values mean the defaults.
type Limits struct {
	Body         int64         // bytes in the body of a request or a response; default 16 MiB
	Asset        int64         // bytes of an asset that is fetched for others; default 100 MiB
	Requests     int           // under way from all peers; default 1024
	PeerRequests int           // under way from one peer; default 256
	PeerBytes    int64         // in the bodies of those; default 128 MiB
	Notifies     int           // under way to one peer; default 16
	Calls        int           // under way for one own client, downloads among them; default 64
	Deliveries   int           // that wait for a client which is connected; default 4096
	Timeout      time.Duration // of a request to a peer; default 30 s
	Download     time.Duration // of the download of an asset; default 5 min
	Directory    time.Duration // how long a peer's directory is kept; default 1 h
}

func (l Limits) orDefault() Limits {
	l.Body = cmp.Or(l.Body, 16<<20)
	l.Asset = cmp.Or(l.Asset, 100<<20)
	l.Requests = cmp.Or(l.Requests, 1024)
	l.PeerRequests = cmp.Or(l.PeerRequests, 256)
	l.PeerBytes = max(cmp.Or(l.PeerBytes, 128<<20), l.Body)
	l.Notifies = cmp.Or(l.Notifies, 16)
	l.Calls = cmp.Or(l.Calls, 64)
	l.Deliveries = cmp.Or(l.Deliveries, 4096)
	l.Timeout = cmp.Or(l.Timeout, 30*time.Second)
	l.Download = cmp.Or(l.Download, 5*time.Minute)
	l.Directory = cmp.Or(l.Directory, time.Hour)
	return l
}

// complete checks a configuration and fills in what was left out, but for the keys.
func (c Config) complete() (Config, error) {
	own, err := ident.NewURI(ident.KindProvider, c.Domain)
	if err != nil {
		return c, fmt.Errorf("serve: Config.Domain: %w", err)
	}
	c.Domain = own.Provider()
	if c.Certificate.Leaf == nil {
		if len(c.Certificate.Certificate) == 0 {
			return c, errors.New("serve: Config.Certificate is empty, want one for the domain")
		}
		if c.Certificate.Leaf, err = x509.ParseCertificate(c.Certificate.Certificate[0]); err != nil {
			return c, fmt.Errorf("serve: Config.Certificate: %w", err)
		}
	}
	if err := c.Certificate.Leaf.VerifyHostname(c.Domain); err != nil {
		return c, fmt.Errorf("serve: Config.Certificate: %w", err)
	}
	c.Base = cmp.Or(c.Base, "https://"+c.Domain)
	c.Store = cmp.Or(c.Store, "memory:")
	c.Limits = c.Limits.orDefault()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Suite == nil {
		if c.Suite, err = suite.NewStd(suite.X25519AES128GCMSHA256Ed25519); err != nil {
			return c, err
		}
	}
	c.completeMachines()
	peers := make(map[string]Peer, len(c.Peers))
	for name, peer := range c.Peers {
		u, err := ident.NewURI(ident.KindProvider, name)
		if err != nil {
			return c, fmt.Errorf("serve: Config.Peers: %w", err)
		}
		if u == own {
			return c, fmt.Errorf("serve: Config.Peers: %s is this provider", name)
		}
		peers[u.Provider()] = peer
	}
	c.Peers = peers
	return c, nil
}

// completeMachines sets what the machines' configurations leave out.
func (c *Config) completeMachines() {
	c.Hub.Domain, c.Follower.Domain = c.Domain, c.Domain
	if c.Hub.Groups == nil {
		c.Hub.Groups = &mls.Config{Suite: c.Suite}
	}
	if c.Follower.Groups == nil {
		c.Follower.Groups = map[suite.ID]*mls.Config{
			c.Suite.ID(): {Suite: c.Suite, Components: map[message.ComponentID]mls.Component{}},
		}
	}
	if c.Hub.AssetDomains == nil {
		c.Hub.AssetDomains = make(map[string][]string, len(c.Peers)+1)
		for name, peer := range c.Peers {
			c.Hub.AssetDomains[name] = peer.Assets
		}
		c.Hub.AssetDomains[c.Domain] = c.Assets
	}
}

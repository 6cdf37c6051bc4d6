package check

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// Config says what is checked and by whom. What is left out skips checks.
//
// A run claims about six KeyPackages of User, adds User to a room of the checker's and
// removes it again, adds the user of the second provider to Room and lets it leave, and
// takes its own client out of the room: its user stays on the participant list, so that
// another run can join again.
type Config struct {
	// Domain is the checked provider's; required.
	Domain string
	// Port is where it is reached, if not at 443.
	Port string
	// Hosts are those besides the domain that its directory may name. What is at others
	// is not asked: nobody but the directory says that they are the provider's.
	Hosts []string
	// Dial makes connections to the checked provider in place of the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the authorities that sign its certificate, and those of the Peers; nil
	// means the system's.
	Roots *x509.CertPool

	// Peers are the one or two providers that the checker plays; the first joins the
	// room, the second watches.
	Peers []Peer
	// Name is that of the checker's user at each of them; "" means "checker".
	Name string

	// User is a user of the checked provider with a client that has KeyPackages, whom
	// the checker's first user may add, at once or after it has asked for consent.
	User ident.URI
	// Refusing is a user who lets nobody add it.
	Refusing ident.URI
	// Query finds User with an identifierQuery.
	Query *mimi.QueryElement
	// Room is a room of the checked provider's hub that has the checker's first user
	// among its participants, in a role that may add its own clients and send messages
	// and, for all checks, add and remove participants.
	Room ident.URI
	// Code opens the room, if that user is no participant.
	Code []byte
	// Wait is how long somebody is waited for who adds the checker's first user to Room
	// or, if that is zero, to any room of the checked provider's hub; 0 does not wait.
	// Waiting is called when that begins; nil calls nobody.
	Wait    time.Duration
	Waiting func(user ident.URI)
	// Asset is the https URL of an asset that the checked provider may fetch for
	// others.
	Asset string

	// Timeout is how long one answer or event is waited for; 0 means 10 s. Deadline is
	// how long all takes at most beside Wait; 0 means 3 min.
	Timeout, Deadline time.Duration
	// Progress is told which endpoint is being checked; nil tells nobody.
	Progress func(group string, done, total int)
}

// Peer is a provider that the checker plays.
type Peer struct {
	Domain      string
	Certificate tls.Certificate // for the domain, to servers and to clients
	Listener    net.Listener    // where the checked provider reaches it
	Base        string          // the URL that its directory names; "" means "https://" and the domain
}

// Bounds of this implementation, against a provider that sends without end.
const (
	maxBody     = 4 << 20 // bytes of an answer, or of a request to a peer
	maxInbox    = 4096    // requests to notify that are kept of one peer
	maxInboxAll = 64 << 20
	maxRequests = 64 // that a peer answers at once
)

func (c Config) complete() (Config, error) {
	p, err := ident.NewURI(ident.KindProvider, c.Domain)
	if err != nil {
		return c, fmt.Errorf("check: Config.Domain: %w", err)
	}
	c.Domain = p.Provider()
	c.Name = cmp.Or(c.Name, "checker")
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.Deadline = cmp.Or(c.Deadline, 3*time.Minute)
	c.Port = cmp.Or(c.Port, "443")
	if len(c.Peers) < 1 || len(c.Peers) > 2 {
		return c, fmt.Errorf("check: %d Config.Peers, want 1 or 2", len(c.Peers))
	}
	c.Peers = slices.Clone(c.Peers)
	seen := map[string]bool{c.Domain: true}
	for i := range c.Peers {
		peer := &c.Peers[i]
		u, err := ident.NewURI(ident.KindProvider, peer.Domain)
		if err != nil {
			return c, fmt.Errorf("check: Config.Peers: %w", err)
		}
		if peer.Domain = u.Provider(); seen[peer.Domain] {
			return c, fmt.Errorf("check: Config.Peers: %s is there twice", peer.Domain)
		}
		seen[peer.Domain] = true
		if peer.Listener == nil || len(peer.Certificate.Certificate) == 0 {
			return c, fmt.Errorf("check: Config.Peers: %s without a certificate or a listener", peer.Domain)
		}
		if _, err := ident.NewURI(ident.KindUser, peer.Domain, c.Name); err != nil {
			return c, fmt.Errorf("check: Config.Name: %w", err)
		}
		peer.Base = cmp.Or(peer.Base, "https://"+peer.Domain)
	}
	for _, u := range []struct {
		what string
		uri  ident.URI
		kind ident.Kind
	}{{"User", c.User, ident.KindUser}, {"Refusing", c.Refusing, ident.KindUser}, {"Room", c.Room, ident.KindRoom}} {
		if !u.uri.IsZero() && (u.uri.Kind() != u.kind || u.uri.Provider() != c.Domain) {
			return c, fmt.Errorf("check: Config.%s: %v, want a %v of %s", u.what, u.uri, u.kind, c.Domain)
		}
	}
	if c.Asset != "" {
		if _, err := mimi.DownloadURL(c.Asset); err != nil {
			return c, fmt.Errorf("check: Config.Asset: %w", err)
		}
	}
	if c.Query != nil && c.User.IsZero() {
		return c, errors.New("check: Config.Query without Config.User, whom it should find")
	}
	if c.Waiting == nil {
		c.Waiting = func(ident.URI) {}
	}
	if c.Progress == nil {
		c.Progress = func(string, int, int) {}
	}
	return c, nil
}

package device

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Connect makes a connection to the provider, on which deliver is called as of
// channel.ClientConfig. ctx bounds the connecting alone.
type Connect func(ctx context.Context, deliver func(follower.Delivery)) (*channel.Client, error)

// Dial returns a Connect to an address. The configuration has the token or the
// certificate by which the provider knows the client.
func Dial(address string, cfg channel.ClientConfig) Connect {
	return func(ctx context.Context, deliver func(follower.Delivery)) (*channel.Client, error) {
		c := cfg
		c.Deliver = deliver
		return channel.Dial(ctx, address, c)
	}
}

// Config is what a device needs. It is not modified.
type Config struct {
	// Client is who it is, such as mimi://a.example/d/alice/ClientA1; required.
	Client ident.URI
	// Store is the device's own; required. It is left open.
	Store store.Store
	// Connect reaches the provider; required for [Device.Run].
	Connect Connect
	// Member configures the machine. Client is set; so is Identity, unless it is given:
	// the device makes one and keeps it in the store. Groups of nil are of the standard
	// suite, X25519 with AES-128-GCM, SHA-256 and Ed25519.
	Member member.Config
	// KeyPackages is how many there are to be for others to claim, beside one of last
	// resort; 0 means [DefaultKeyPackages], and a negative number that there are none. The
	// device asks its provider how many there are when it connects, when one was used, and
	// every hour, and makes those that are missing or soon expire.
	KeyPackages int
	// BackoffMin is how long to wait before connecting again; it doubles up to
	// BackoffMax while connections fail. 0 means [DefaultBackoffMin] and
	// [DefaultBackoffMax].
	BackoffMin, BackoffMax time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger is told of connections and of what goes wrong, without content or secrets;
	// nil discards it.
	Logger *slog.Logger
}

// Defaults of Config; all are choices of this implementation.
const (
	DefaultKeyPackages = 10
	DefaultBackoffMin  = 200 * time.Millisecond
	DefaultBackoffMax  = 30 * time.Second
)

// connecting bounds the making of a connection; recount is how often KeyPackages are
// counted on one that lasts.
const (
	connecting = 10 * time.Second
	recount    = time.Hour
)

// complete checks a configuration and sets what it leaves out, but for the identity.
func (c Config) complete() (Config, error) {
	if c.Client.Kind() != ident.KindClient {
		return c, fmt.Errorf("device: Config.Client %v, want the URI of a client", c.Client)
	}
	if c.Store == nil {
		return c, errors.New("device: Config.Store is nil, want a store")
	}
	c.Member.Client = c.Client
	if c.Member.Groups == nil {
		s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
		if err != nil {
			return c, fmt.Errorf("device: %w", err)
		}
		c.Member.Groups = &mls.Config{Suite: s}
	}
	c.KeyPackages = max(cmp.Or(c.KeyPackages, DefaultKeyPackages), 0)
	c.BackoffMin = cmp.Or(c.BackoffMin, DefaultBackoffMin)
	c.BackoffMax = max(cmp.Or(c.BackoffMax, DefaultBackoffMax), c.BackoffMin)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

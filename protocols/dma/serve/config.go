package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// Verifier says whether a token proves that its bearer is the user with the identifier. A
// jwks.Source is one.
type Verifier interface {
	// Verify returns what the token says, or an error: that of token.Policy.Verify, or
	// jwks.ErrUnavailable if nobody knows.
	Verify(ctx context.Context, t, identifier string) (*token.Claims, error)
}

// Partner is whom the gatekeeper has an agreement with.
type Partner struct {
	Integrator uint16 // 1 and up
	Issuer     string // what its tokens say in iss, which is how the partner is known
	Tokens     Verifier
	Pushes     *Pushes      // nil means that it is told of nothing
	Media      *MediaSource // nil means that none is fetched from it
}

// Config is what a gatekeeper is. It is not modified.
type Config struct {
	// Machine is the gatekeeper's service: whose users, who reaches whom, limits.
	Machine dma.GatekeeperConfig

	// Store is where its state is, by a URL of store/byurl; "" means "memory:". Opened, if
	// not nil, is used in its place, and left open.
	Store  string
	Opened store.Store

	// Certificate is that of the enlistment server; required for ServeHTTPS.
	Certificate tls.Certificate
	// Noise is the chat channel: dialect, suite, static key, limits, and the certificate
	// for clients that do not pin the key. Suite and static key are required.
	Noise noise.ServerConfig

	// Partners have agreements, those alone: one that is not here any more has its
	// agreement ended, with all that follows.
	Partners []Partner
	// Own proves who is a native user, for POST [RegisterPath] with the form of an
	// enlistment, and OwnIssuer is what its tokens say in iss; nil means that native users
	// can't register. How a gatekeeper's own users register is no part of the interface:
	// assumed, so that there is somebody to write to.
	Own       Verifier
	OwnIssuer string

	// Signer signs the tokens of pushes; required if a partner has them. Its keys are
	// published at [token.WellKnown] of the enlistment server; that they are there is assumed.
	Signer *token.Signer

	// Names are the fields of the form that are not public, and Versions the versions of
	// the protocol that are taken; nil means [enlist.Version] alone. Assumed.
	Names    enlist.Names
	Versions []int

	// Media hosts what native users send, and fetches what partners host; nil does neither.
	Media *Media

	Limits Limits
	Rates  Rates
	// Events, if not nil, is called with what the machine tells, once it is durable. It must
	// not block.
	Events func(dma.Event)
	// Watch is told what passes, for those who check others.
	Watch Watch
	// Logger is told what happens, without content, tokens or secrets; nil discards it.
	Logger *slog.Logger
}

// RegisterPath is where native users register; assumed.
const RegisterPath = "/lab/register"

// Limits are bounds of this implementation; zero values mean the defaults. All assumed.
type Limits struct {
	Connections int // chat connections at once; default 10000
	Handshakes  int // of them, those not authenticated yet; default 256
	Enlistments int // under way at once; default 64
	Requests    int // connections of the enlistment server at once; default 1000
	Checks      int // of one partner's tokens at once, which may wait for its keys; default 32
	Frame       int // bytes of a stanza that a client sends; default 1 MiB
	Steps       int // of a client, not durable yet; default 32
	Queue       int // bytes that wait to be sent to a client from which on it is not read; default 1 MiB

	RequestTimeout   time.Duration // of the enlistment server, for a request and its headers; default 20 s
	HandshakeTimeout time.Duration // from accept to the client's authentication; default 10 s
	FrameTimeout     time.Duration // from the length of a frame to its end; default 20 s
	IdleTimeout      time.Duration // between two stanzas of a client, which sends keepalives; default 75 s
	WriteTimeout     time.Duration // for a client that does not read; default 20 s
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits { return Limits{}.orDefault() }

func (l Limits) orDefault() Limits {
	l.Connections = cmp.Or(l.Connections, 10000)
	l.Handshakes = cmp.Or(l.Handshakes, 256)
	l.Enlistments = cmp.Or(l.Enlistments, 64)
	l.Requests = cmp.Or(l.Requests, 1000)
	l.Checks = cmp.Or(l.Checks, 32)
	l.Frame = cmp.Or(l.Frame, 1<<20)
	l.Steps = cmp.Or(l.Steps, 32)
	l.Queue = cmp.Or(l.Queue, 1<<20)
	l.RequestTimeout = cmp.Or(l.RequestTimeout, 20*time.Second)
	l.HandshakeTimeout = cmp.Or(l.HandshakeTimeout, 10*time.Second)
	l.FrameTimeout = cmp.Or(l.FrameTimeout, 20*time.Second)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, 75*time.Second)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, 20*time.Second)
	return l
}

// complete returns the configuration with its defaults.
func (c Config) complete() (Config, error) {
	c.Limits = c.Limits.orDefault()
	c.Store = cmp.Or(c.Store, "memory:")
	if c.Versions == nil {
		c.Versions = []int{enlist.Version}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	// What clients send is bounded frame by frame; what they are sent may be longer.
	c.Noise.Limits.Plaintext = noise.MaxFrame - noise.Overhead
	if _, err := noise.NewServer(c.Noise); err != nil {
		return c, err
	}
	if err := c.Rates.check(); err != nil {
		return c, err
	}
	issuers := map[string]bool{}
	if c.Own != nil {
		issuers[c.OwnIssuer] = true
	}
	for _, p := range c.Partners {
		switch {
		case p.Integrator == 0 || p.Tokens == nil || p.Issuer == "":
			return c, fmt.Errorf("serve: config: partner %d without a number, issuer or tokens", p.Integrator)
		case issuers[p.Issuer]:
			return c, fmt.Errorf("serve: config: issuer %q is named twice", p.Issuer)
		}
		issuers[p.Issuer] = true
	}
	for _, p := range c.Partners {
		if p.Pushes != nil && c.Signer == nil {
			return c, fmt.Errorf("serve: config: partner %d has pushes, and there is no signer", p.Integrator)
		}
	}
	if c.Own != nil && c.OwnIssuer == "" {
		return c, errors.New("serve: config: own users without an issuer")
	}
	return c, c.completeMedia()
}

// partner returns the partner whose tokens say that issuer, or nil.
func (c *Config) partner(issuer string) *Partner {
	for i := range c.Partners {
		if c.Partners[i].Issuer == issuer {
			return &c.Partners[i]
		}
	}
	return nil
}
